"""Every key in S3 and DynamoDB, built only here, and which of them a cursor may name. ReplaysTable: replay_keys.py.

Inside a key `#` separates parts; in the parts themselves `#` and `%` are percent-encoded, so that no two different
values share a key. Times are of fixed width, so that key order is time order.
"""

from __future__ import annotations

import re

from chalicelib.core.pagination import invalid_cursor
from chalicelib.core.percent_encoding import for_key, for_path
from chalicelib.core.replay_ids import version_name
from chalicelib.core.timestamps import CALENDAR, PERIOD, Day, Instant

TYPE_AND_DAY_INDEX = "by-type-and-day"
LATE_ARRIVALS_INDEX = "late-arrivals"

RAW = "raw/"
REJECTED = "rejected/"
DIGESTS = "digests/"
SUPERSEDED = "superseded/"
METRICS = "metrics/"
LISTED = (RAW, REJECTED, SUPERSEDED, METRICS)
"""What digests list."""
_DIGESTS_A_FOLDER = 1_000
_DIGEST = re.compile(r"digests/\d{9,}/(\d{12,})\.ndjson", re.ASCII)
_CONFLICT = ".conflict.json"
_LAG_DIGITS = 15
_AFTER_ANY_SUFFIX = "~"
_ABOVE_HEX = "g"

FIRST_MESSAGE = "TS#"
"""A bound below the sort keys of a version's messages."""


def raw_object(source: str, event_day: Day, ingest_day: Day, name: str) -> str:
    """The S3 key of a raw object (Hive-style partitions, as Athena and DuckDB read them)."""
    return f"{RAW}source={for_path(source)}/event_date={event_day}/ingest_date={ingest_day}/{name}.ndjson"


def rejected_on(ingest_day: Day) -> str:
    """What the S3 keys of all that was refused on a day begin with."""
    return f"{REJECTED}ingest_date={ingest_day}/"


def rejected_object(rejected_id: str, *, conflict: bool = False) -> str:
    """The S3 key of a quarantined event. It marks conflicts, so that a rebuild lists all and reads only these."""
    return f"{_rejected(rejected_id)}{_CONFLICT if conflict else '.json'}"


def beginning_of_rejected(beginning: str) -> str:
    """What the S3 keys of the quarantined events begin with whose ids begin so, whatever they were refused for."""
    return _rejected(beginning)


def is_conflict(key: str) -> bool:
    """Whether an S3 key in quarantine is that of a conflict."""
    return key.endswith(_CONFLICT)


def retries(rejected_id: str) -> str:
    """What the S3 keys of the records of an event's retries begin with."""
    return f"{_rejected(rejected_id)}/"


def retry_record(rejected_id: str, requested_at: Instant) -> str:
    """The S3 key of the record of one retry."""
    return f"{retries(rejected_id)}{requested_at}.json"


def after_rejected(rejected_id: str) -> str:
    """A bound above the S3 keys of a quarantined event and its retries (0 is after /), below those of the next one."""
    return f"{_rejected(rejected_id)}0"


def superseded(raw_key: str, offset: int) -> str:
    """The S3 key of the marker of a superseded raw line: that of its object, below another prefix, and its place."""
    return f"{SUPERSEDED}{raw_key.removeprefix(RAW).removesuffix('.ndjson')}/{offset}.json"


def metric_change(name: str, sequence: int) -> str:
    """The S3 key of the record of a change to a metric: the changes of a name are numbered from 1."""
    return f"{METRICS}name={name}/{sequence:012d}.json"


def digest(sequence: int) -> str:
    """The S3 key of a digest: the newest is the last in the last folder, and a missing one leaves a gap."""
    return f"{DIGESTS}{sequence // _DIGESTS_A_FOLDER:09d}/{sequence:012d}.ndjson"


def sequence_of_digest(key: str) -> int | None:
    """The sequence that the key of a digest says; None if it is none."""
    match = _DIGEST.fullmatch(key)
    return int(match[1]) if match and digest(int(match[1])) == key else None


def _rejected(rejected_id: str) -> str:
    ingest_day, _, digest = rejected_id.partition(".")
    return f"{rejected_on(Day(ingest_day))}{digest}"


def entity(entity_id: str) -> str:
    """The partition of an entity's events."""
    return f"ENTITY#{for_key(entity_id)}"


def event(event_time: Instant, event_id: str) -> str:
    """The sort key of an event, in tables and indexes alike."""
    return f"TS#{event_time}#EID#{event_id}"


def from_instant(instant: Instant) -> str:
    """A bound below every event at or after an instant, and above every event before it."""
    return f"TS#{instant}"


def just_after(sort_key: str) -> str:
    """A bound above a sort key of fixed width and below every greater one."""
    return sort_key + _AFTER_ANY_SUFFIX


def just_before(sort_key: str) -> str:
    """A bound below a sort key of fixed width and above every smaller one."""
    return sort_key[:-1] + chr(ord(sort_key[-1]) - 1) + _AFTER_ANY_SUFFIX


def type_and_day(source: str, event_type: str, day: Day, shard: int) -> str:
    """A partition of the index by type and day."""
    return f"SRC#{for_key(source)}#TYPE#{for_key(event_type)}#DAY#{day}#{shard}"


def shard_of(event_id: str, shards: int) -> int:
    """The shard of an event; ids are hashes, so shards fill evenly."""
    return int(event_id[:8], 16) % shards


def late_day(source: str, event_type: str, ingest_day: Day, shard: int) -> str:
    """A partition of the index of late arrivals."""
    return f"SRC#{for_key(source)}#TYPE#{for_key(event_type)}#ARRIVED#{ingest_day}#{shard}"


def lag(lag_ms: int, event_id: str) -> str:
    """The sort key of a late arrival, of fixed width so that the worst sorts last."""
    return f"LAG#{lag_ms:0{_LAG_DIGITS}d}#EID#{event_id}"


def every_lag() -> tuple[str, str]:
    """Bounds around the sort keys of all late arrivals."""
    return "LAG#", f"LAG#{_AFTER_ANY_SUFFIX}"


SOURCES = "SOURCES"
"""The partition of all sources and types."""

FIRST_SOURCE = "SRC#"
"""A bound below the sort keys of sources and types."""


def source_and_type(source: str, event_type: str) -> str:
    """The sort key of a source and type."""
    return f"{FIRST_SOURCE}{for_key(source)}#TYPE#{for_key(event_type)}"


def sources_and_types(source: str | None, after: str | None) -> tuple[str, str]:
    """Bounds around the sort keys of all types of a source, or of all sources, that follow a position."""
    beginning = FIRST_SOURCE if source is None else f"{FIRST_SOURCE}{for_key(source)}#TYPE#"
    return beginning if after is None else f"{after}\0", f"{beginning[:-1]}$"


def arrivals(event_id: str) -> str:
    """The partition of an event's arrivals: duplicates and conflicts."""
    return f"EVENT#{event_id}"


def arrival(ingest_time: Instant, request_id: str, position: int, *, conflict: bool) -> str:
    """The sort key of an arrival. The position distinguishes those of one request."""
    return f"{arrivals_of(conflict=conflict)}{ingest_time}#{for_key(request_id)}#{position:06d}"


def arrivals_of(*, conflict: bool) -> str:
    """What the sort keys of all arrivals of a kind begin with."""
    return "CONFLICT#" if conflict else "DUP#"


def every_duplicate() -> tuple[str, str]:
    """Bounds around the sort keys of all duplicates."""
    return arrivals_of(conflict=False), just_after(arrivals_of(conflict=False))


def versions_of_replays(day: Day, calendar: str = CALENDAR) -> tuple[str, str]:
    """Bounds around the sort keys of a day's versions that replays computed: their ids begin with a hex digit."""
    versions = aggregate_versions(day, calendar)
    return versions, f"{versions}{_ABOVE_HEX}"


def versions_of_objects(day: Day, calendar: str = CALENDAR) -> tuple[str, str]:
    """Bounds around the sort keys of all other versions of a day."""
    return versions_of_replays(day, calendar)[1], just_after(aggregate_versions(day, calendar))


def aggregate_versions(day: Day, calendar: str = CALENDAR) -> str:
    """What the sort keys of all versions of a day's aggregate begin with: period, calendar and first day."""
    return f"{PERIOD}#{for_key(calendar)}#{day}#VER#"


def aggregate_version(day: Day, replay_id: str, calendar: str = CALENDAR) -> str:
    """The sort key of one version of a daily aggregate."""
    return f"{aggregate_versions(day, calendar)}{version_name(replay_id)}"


def inputs(entity_id: str, day: Day, replay_id: str, calendar: str = CALENDAR) -> str:
    """The partition of a version's messages, the inputs among them."""
    return f"{entity(entity_id)}#{aggregate_version(day, replay_id, calendar)}"


def totals(replay_id: str) -> str:
    """The partition of the totals of a replay: the sort key of each is that of its versions."""
    return f"TOTALS#{version_name(replay_id)}"


def values(inputs_partition: str, definition_sha256: str, inputs_hash: str) -> tuple[str, str]:
    """The partition and sort key of a metric's values, which were computed from these inputs of a version."""
    return f"VALUES#{inputs_partition}", f"METRIC#{definition_sha256}#{inputs_hash}"


def message(event_time: Instant, event_id: str, duplicate: str | None = None) -> str:
    """The sort key of a version's message: its event's, and that of the duplicate that it represents, if any."""
    of_event = event(event_time, event_id)
    return of_event if duplicate is None else f"{of_event}#{duplicate}"


_INSTANT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z"
_EVENT = rf"TS#{_INSTANT}#EID#[0-9a-f]{{64}}"
EVENT_POSITION = re.compile(_EVENT, re.ASCII)
LATE_POSITION = re.compile(r"LAG#\d{15}#EID#[0-9a-f]{64}", re.ASCII)
MESSAGE_POSITION = re.compile(rf"{_EVENT}(#DUP#{_INSTANT}#[^#\x00]+#\d{{6}}|~)?", re.ASCII)
VERSION_POSITION = re.compile(rf"{PERIOD}#[^#\x00]+#\d{{4}}-\d{{2}}-\d{{2}}#VER#[^#\x00]+", re.ASCII)
SOURCE_POSITION = re.compile(r"SRC#[^#]+#TYPE#[^#]+")
_LONGEST_POSITION = 1_000
"""Bytes; DynamoDB takes 1,024, and bounds are made of positions by a character more."""


def require_position(kind: re.Pattern[str], position: str | None) -> None:
    """Raise InvalidRequest unless a cursor's position is a key that this kind of list can contain.

    A cursor's checksum is no secret, so positions are checked before AWS is asked to continue from them.
    """
    if position is not None and not (kind.fullmatch(position) and len(position.encode()) <= _LONGEST_POSITION):
        raise invalid_cursor()
