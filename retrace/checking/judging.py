"""Compares the raw lines, index rows and identity row of one event, and reports each difference once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_rows import event_values, index_row
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from retrace.checking.claims import apart
from retrace.checking.differences import Difference, of_event
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import Damages

Row = Mapping[str, Any]

_LOCATION = ("s3_bucket", "s3_key", "s3_offset", "s3_length")
_ONLY_IF_LATE = ("late_day", "lag")
_SHARDED = ("type_day", "late_day")
_RECEIPT = ("ingest_time", "request_id", "sent_by")
_OF_EVENT = ("event_id", "source", "event_type", "entity_id", "event_time", "content_sha256", *_RECEIPT, *_LOCATION)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the deployment decides of rows, and what is too young to be judged.

    `expired_before` bounds the ingest times whose identities may have expired; None where they never do. A raw line
    from `in_flight_from` on may belong to a request that has yet to write its rows. `identity_ttl_s` is None where
    identities never expire.
    """

    shards: int
    late_after_ms: int
    expired_before: Instant | None
    in_flight_from: Instant
    identity_ttl_s: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A row, the raw line that it is of if there is one that is sound, and the fields in which they differ.

    A row that points at a damaged line is `unjudged`: nothing can be said of it.
    """

    row: Row
    line: StoredEvent | None = None
    fields: tuple[str, ...] = ()
    unjudged: bool = False

    @property
    def without_raw(self) -> bool:
        """Whether there is nothing where the row points."""
        return self.line is None and not self.unjudged

    @property
    def said(self) -> dict[str, Any]:
        """What index and identity rows both say of an event."""
        return {name: self.row.get(name) for name in _OF_EVENT}


@dataclass(frozen=True, slots=True)
class Group:
    """All there is of one event id: sound raw lines, those of them that a marker names, index rows, identity row."""

    event_id: str
    lines: tuple[StoredEvent, ...] = ()
    index: tuple[Row, ...] = ()
    identity: Row | None = None
    marked: frozenset[RawLocation] = frozenset()

    @property
    def unmarked(self) -> list[StoredEvent]:
        """The lines that no marker names, the earliest first."""
        return sorted((line for line in self.lines if line.location not in self.marked), key=_age)


_REBUILD_DECIDES = (
    "it may not be the one that was acknowledged: `retrace check rebuild` decides by quarantine and markers"
)


class Judge:
    """Judges groups."""

    def __init__(self, rules: Rules, damages: Damages) -> None:
        self._rules = rules
        self._damages = damages

    def differences(self, group: Group) -> list[Difference]:
        """Every difference of one event."""
        index, identity = self._matched(group)
        if identity is not None and identity.line is not None and identity.fields and _agreed(identity, index):
            return [of_event(Kind.LINE_DISAGREES, identity.line, fields=identity.fields)]
        return [
            *_of_index(index),
            *_of_identity(identity, index),
            *self._missing(group, identity, index),
            *self._among_rows(identity, index),
        ]

    def counted(self, group: Group) -> list[StoredEvent | Row]:
        """What an aggregate can have counted: the raw lines that rows are of; of other rows, what they say."""
        index, identity = self._matched(group)
        matches = index if identity is None else [identity, *index]
        return [match.line or match.row for match in matches]

    def superseded(self, group: Group) -> Iterator[tuple[StoredEvent, StoredEvent]]:
        """Lines that no row is of and no marker names, each with the line that has the rows of its identity."""
        index, identity = self._matched(group)
        matches = index if identity is None else [identity, *index]
        firsts = [match.line for match in matches if match.line is not None and not match.fields]
        if len(firsts) < len(matches):  # first the rows must be right
            return
        for line in group.unmarked:
            own = [first for first in firsts if not self._apart(first, line)]
            if own and line not in firsts and line.ingest_time < self._rules.in_flight_from:
                yield line, min(own, key=_age)

    def _apart(self, one: StoredEvent, other: StoredEvent) -> bool:
        return apart(one.ingest_time, other.ingest_time, self._rules.identity_ttl_s)

    def _matched(self, group: Group) -> tuple[list[Match], Match | None]:
        index = [self._match(row, group.lines, self._index_fields) for row in group.index]
        identity = group.identity
        return index, None if identity is None else self._match(identity, group.lines, _identity_fields)

    def _match(
        self, row: Row, lines: Sequence[StoredEvent], fields_of: Callable[[StoredEvent, Row], tuple[str, ...]]
    ) -> Match:
        for line in lines:
            if (line.location.key, line.location.offset) == (row.get("s3_key"), row.get("s3_offset")):
                return Match(row, line, self._own(fields_of(line, row), row, line))
        if self._damages.at(row):
            return Match(row, unjudged=True)
        for line in lines:
            fields = fields_of(line, row)
            if set(fields) <= set(_LOCATION):
                return Match(row, line, self._own(fields, row, line))
        return Match(row)

    def _own(self, fields: tuple[str, ...], row: Row, line: StoredEvent) -> tuple[str, ...]:
        """The fields, but for where a line stands if only the change of its object has moved it."""
        return tuple(name for name in fields if name not in _LOCATION) if self._damages.moved(row, line) else fields

    def _index_fields(self, line: StoredEvent, row: Row) -> tuple[str, ...]:
        """The fields in which an index row is not what ingest writes; shards may be those of fewer shards."""
        expected = from_item(index_row(line, self._rules.shards, self._rules.late_after_ms))
        differing = _differing(expected, row, [*expected, *(name for name in _ONLY_IF_LATE if name not in expected)])
        return tuple(name for name in differing if name not in _SHARDED or not self._of_fewer_shards(name, line, row))

    def _of_fewer_shards(self, name: str, line: StoredEvent, row: Row) -> bool:
        fewer = (index_row(line, shards, self._rules.late_after_ms) for shards in range(1, self._rules.shards))
        return any(from_item(expected).get(name) == row.get(name) for expected in fewer)

    def _missing(self, group: Group, identity: Match | None, index: Sequence[Match]) -> Iterator[Difference]:
        """The row that an event lacks; it can be written if what is there of the event agrees."""
        if identity is not None:
            line = identity.line
            if line is not None and not any(_is_row_of(line, match.row) for match in index):
                yield of_event(Kind.INDEX_MISSING, line, repair=not identity.fields)
        elif index:
            firsts = [match.line for match in index if match.line is not None]
            if firsts and not self._expired(min(firsts, key=_age)):
                sound = not any(match.fields or match.line is None for match in index)
                yield of_event(Kind.IDENTITY_MISSING, min(firsts, key=_age), repair=sound)
        elif group.lines:
            [first, *others] = group.unmarked or sorted(group.lines, key=_age)
            if first.ingest_time < self._rules.in_flight_from:
                decided = all(line.content_sha256 == first.content_sha256 for line in others)
                repair = decided and bool(group.unmarked)
                yield of_event(Kind.RAW_NOT_INDEXED, first, repair=repair, detail="" if repair else _REBUILD_DECIDES)

    def _expired(self, event: StoredEvent) -> bool:
        return self._rules.expired_before is not None and event.ingest_time < self._rules.expired_before

    def _among_rows(self, identity: Match | None, index: Sequence[Match]) -> Iterator[Difference]:
        """What is wrong with rows that agree, each, with a raw line."""
        if identity is None or identity.line is None or identity.fields:
            return
        for match in index:
            if match.line is None or match.fields:
                continue
            if not _is_row_of(identity.line, match.row):
                if self._rules.expired_before is None:
                    yield of_event(Kind.INDEX_TWICE, match.line)
            elif match.line != identity.line:
                yield of_event(Kind.ROWS_DISAGREE, match.line)


def _agreed(identity: Match, index: Sequence[Match]) -> bool:
    """Whether an index row says the same as the identity row, so that it is the raw line that differs."""
    return any(match.line == identity.line and match.said == identity.said for match in index)


def _of_index(index: Sequence[Match]) -> Iterator[Difference]:
    for match in index:
        if match.line is not None and match.fields:
            yield of_event(Kind.INDEX_DIFFERS, match.line, fields=match.fields)
        elif match.without_raw:
            yield _of_row(Kind.INDEX_WITHOUT_RAW, match)


def _of_identity(identity: Match | None, index: Sequence[Match]) -> Iterator[Difference]:
    if identity is None:
        return
    if identity.line is not None and identity.fields:
        yield of_event(Kind.IDENTITY_DIFFERS, identity.line, fields=identity.fields)
    elif identity.without_raw and not index:
        yield _of_row(Kind.IDENTITY_ALONE, identity)
    elif identity.without_raw and not any(match.said == identity.said for match in index):
        # With an index row that says the same, that one is reported as the one without raw line.
        yield _of_row(Kind.IDENTITY_DIFFERS, identity)


def _of_row(kind: Kind, match: Match) -> Difference:
    said = match.said
    offset = said["s3_offset"]
    return Difference(
        kind,
        event_id=str(said["event_id"]),
        entity_id=str(said["entity_id"]),
        event_time=str(said["event_time"]),
        s3_key=str(said["s3_key"]),
        s3_offset=offset if isinstance(offset, int) else None,
    )


def _age(line: StoredEvent) -> tuple[str, str, int]:
    return line.ingest_time, line.location.key, line.location.offset


def _is_row_of(line: StoredEvent, row: Row) -> bool:
    """Whether a row's key is that of a line's index row."""
    return (row.get("PK"), row.get("SK")) == (keys.entity(line.entity_id), keys.event(line.event_time, line.event_id))


def _identity_fields(line: StoredEvent, row: Row) -> tuple[str, ...]:
    expected = event_values(line)
    return _differing(expected, row, expected)


def _differing(expected: Row, row: Row, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if expected.get(name) != row.get(name))
