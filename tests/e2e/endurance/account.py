"""The account at the end of a long run: everything that is stored, against everything that was sent and answered."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item
from chalicelib.core.errors import RetraceError
from chalicelib.events.raw_objects import parse_line, verify
from embedded.lineage import Input, inputs_hash
from tests.e2e.endurance.ledger import Known, Ledger
from tests.e2e.endurance.replay_desk import Errand
from tests.e2e.workers.stack import Ground

READERS = 4
SHOWN = 10

Place = tuple[str, int]
"""Key and offset of a line."""
VersionName = tuple[str, str, str]
"""Entity, day and replay."""


@dataclass
class Account:
    """What was found."""

    sent: int = 0
    accepted: int = 0
    quarantined: int = 0
    arrivals: int = 0
    raw_objects: int = 0
    raw_lines: int = 0
    unindexed_lines: int = 0
    versions: int = 0
    exact_replays: int = 0
    inputs: int = 0
    lost: list[str] = field(default_factory=list)
    counted_twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is lost, counted twice or otherwise not as it must be."""
        return not (self.lost or self.counted_twice or self.wrong)


@dataclass
class Storage:
    """All rows and lines that matter here."""

    identities: dict[str, Item]
    index: dict[str, Item]
    arrivals: int
    lines: dict[Place, bytes]
    objects: set[str]


def account(ground: Ground, ledger: Ledger, errands: Sequence[Errand]) -> Account:
    """Take stock of a stack on which all work is done."""
    found = Account(sent=len(ledger.known), quarantined=len(ledger.rejected))
    stored = _stored(ground, found)
    for event_id, known in ledger.known.items():
        _check_event(found, stored, event_id, known)
    found.wrong += [
        f"{name} was never sent" for name in (stored.identities.keys() | stored.index.keys()) - ledger.known.keys()
    ]
    found.lost += [
        f"{name} is not in quarantine"
        for name in ledger.rejected
        if stored.objects.isdisjoint(keys.rejected_object(name, conflict=each) for each in (False, True))
    ]
    indexed = {_place(row) for row in stored.index.values()}
    found.unindexed_lines = len(stored.lines.keys() - indexed)
    found.arrivals = stored.arrivals
    found.lost += [f"arrivals: {ledger.repeats} answered, {stored.arrivals} kept"] * (stored.arrivals < ledger.repeats)
    _check_aggregates(found, ground, errands)
    return found


def _check_event(found: Account, stored: Storage, event_id: str, known: Known) -> None:
    """One event: acknowledged, accepted once, and in all three places the same."""
    if not known.acknowledged:
        found.wrong.append(f"{event_id} was never acknowledged")
        return
    if len(known.acknowledged) > 1 or known.answers["ACCEPTED"] > 1:
        found.counted_twice.append(f"{event_id} was taken in twice: {known.answers}, {known.acknowledged}")
    identity, index = stored.identities.get(event_id), stored.index.get(event_id)
    line = stored.lines.get(_place(index)) if index else None
    if identity is None or index is None or line is None:
        found.lost.append(
            f"{event_id}: identity {identity is not None}, index {index is not None}, raw {line is not None}"
        )
        return
    found.accepted += 1
    try:
        read = parse_line(line)
        verify(read)
    except RetraceError as error:
        found.lost.append(f"{event_id}: {error}")
        return
    event = known.event
    expected = {
        "event_id": event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "event_time": event.event_time,
        "ingest_time": read.ingest_time,
        "content_sha256": event.content_sha256,
        "s3_key": _place(index)[0],
    }
    for row in (identity, index):
        said = from_item(row)
        if any(said[name] != value for name, value in expected.items()) or _place(row) != _place(index):
            found.wrong.append(f"{event_id} is not what was acknowledged: {said}, {expected}")
    if (read.event_id, read.content_sha256) != (event_id, event.content_sha256):
        found.wrong.append(f"{event_id} lies elsewhere: {read}")


def _stored(ground: Ground, found: Account) -> Storage:
    identities = {row["event_id"]["S"]: row for row in _rows(ground, ground.stack.dedupe_table)}
    index: dict[str, Item] = {}
    arrivals = 0
    for row in _rows(ground, ground.stack.events_table):
        if not row["PK"]["S"].startswith("ENTITY#"):
            arrivals += 1
        elif index.setdefault(row["event_id"]["S"], row) is not row:
            found.counted_twice.append(f"{row['event_id']['S']} is indexed twice")
    objects = set(_objects(ground, found))
    raw = sorted(key for key in objects if key.startswith("raw/"))
    with ThreadPoolExecutor(READERS) as readers:
        contents = list(readers.map(lambda key: _content(ground, key), raw))
    lines = {place: line for key, content in zip(raw, contents, strict=True) for place, line in _lines(key, content)}
    found.raw_objects, found.raw_lines = len(raw), len(lines)
    return Storage(identities, index, arrivals, lines, objects)


def _rows(ground: Ground, table: str) -> Iterator[Item]:
    for page in ground.admin.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _objects(ground: Ground, found: Account) -> Iterator[str]:
    """The keys of all objects; none may have been written again, or deleted."""
    seen: Counter[str] = Counter()
    for page in ground.admin.s3.get_paginator("list_object_versions").paginate(Bucket=ground.stack.raw_bucket):
        found.lost += [f"{marker['Key']} was deleted" for marker in page.get("DeleteMarkers", [])]
        seen.update(version["Key"] for version in page.get("Versions", []))
    found.wrong += [f"{key} was written {times} times" for key, times in seen.items() if times > 1]
    return iter(seen)


def _content(ground: Ground, key: str) -> bytes:
    return ground.admin.s3.get_object(Bucket=ground.stack.raw_bucket, Key=key)["Body"].read()


def _lines(key: str, content: bytes) -> Iterator[tuple[Place, bytes]]:
    offset = 0
    for line in content.removesuffix(b"\n").split(b"\n"):
        yield (key, offset), line
        offset += len(line) + 1


def _place(row: Mapping[str, Any]) -> Place:
    return row["s3_key"]["S"], int(row["s3_offset"]["N"])


def _check_aggregates(found: Account, ground: Ground, errands: Sequence[Errand]) -> None:
    """Every version says what its inputs come to, and those of a whole replay are all that it should have."""
    versions: dict[VersionName, Mapping[str, Any]] = {}
    inputs: dict[VersionName, set[Input]] = defaultdict(set)
    for row in _rows(ground, ground.stack.aggregates_table):
        partition, sort_key = row["PK"]["S"].split("#"), row["SK"]["S"].split("#")
        if sort_key[0] == "P1D":
            versions[partition[1], sort_key[2], sort_key[4]] = from_item(row)
        elif row["outcome"]["S"] == "INPUT":
            names = ("event_time", "event_id", "event_type", "content_sha256")
            inputs[partition[1], partition[4], partition[6]].add(Input(*(row[name]["S"] for name in names)))
    for name, version in versions.items():
        _check_version(found, name, version, inputs[name])
    found.versions, found.inputs = len(versions), sum(map(len, inputs.values()))
    of_replay: dict[str, set[tuple[str, Input]]] = defaultdict(set)
    for (entity_id, _, replay_id), some in inputs.items():
        of_replay[replay_id] |= {(entity_id, single) for single in some}
    for errand in errands:
        _check_replay(found, errand, of_replay[errand.replay_id or ""])


def _check_version(found: Account, name: VersionName, version: Mapping[str, Any], inputs: set[Input]) -> None:
    said = {key: version[key] for key in ("event_count", "inputs_hash", "samples", "counts_by_type")}
    in_order = sorted(inputs)
    once = {
        "event_count": len(inputs),
        "inputs_hash": inputs_hash(inputs),
        "samples": [[single.event_time, single.event_id] for single in in_order[:10]],
        "counts_by_type": dict(Counter(single.event_type for single in inputs)),
    }
    if len({single.event_id for single in inputs}) != len(inputs) or version["event_count"] > len(inputs):
        found.counted_twice.append(f"{name}: {version['event_count']} of {len(inputs)} inputs")
    if said != once:
        found.wrong.append(f"{name} says {said}, and its inputs come to {once}")


def _check_replay(found: Account, errand: Errand, inputs: set[tuple[str, Input]]) -> None:
    expected = {
        (event.entity_id, Input(str(event.event_time), event.event_id, event.event_type, event.content_sha256))
        for event in errand.expected
    }
    if not inputs <= expected:
        found.wrong.append(f"{errand.name} counted what it should not: {sorted(inputs - expected)[:SHOWN]}")
    if errand.job.get("state") != "COMPLETE":
        return
    missing = expected - inputs
    if missing or errand.job["processed"] != len(expected) or errand.job["sent"] != len(expected):
        found.lost.append(f"{errand.name} lacks {len(missing)} of {len(expected)}: {errand.job}")
    found.exact_replays += not missing
