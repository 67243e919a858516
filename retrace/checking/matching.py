"""A row, and the raw line that it is of: found by its location, else by what it says, and the fields that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.items import from_item
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_rows import event_values, index_row
from chalicelib.events.raw_objects import StoredEvent
from retrace.checking.raw_objects import Damages

Row = Mapping[str, Any]

_LOCATION = ("s3_bucket", "s3_key", "s3_offset", "s3_length")
_ONLY_IF_LATE = ("late_day", "lag")
_SHARDED = ("type_day", "late_day")
_OF_EVENT = (
    "event_id",
    "source",
    "event_type",
    "entity_id",
    "event_time",
    "ingest_time",
    "content_sha256",
    *_LOCATION,
)


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
class Matching:
    """Finds the raw lines of rows, among the sound lines of one event id."""

    rules: Rules
    damages: Damages

    def of_index(self, row: Row, lines: Sequence[StoredEvent]) -> Match:
        """The match of an index row."""
        return self._match(row, lines, self._index_fields)

    def of_identity(self, row: Row, lines: Sequence[StoredEvent]) -> Match:
        """The match of an identity row."""
        return self._match(row, lines, _identity_fields)

    def _match(
        self, row: Row, lines: Sequence[StoredEvent], fields_of: Callable[[StoredEvent, Row], tuple[str, ...]]
    ) -> Match:
        for line in lines:
            if (line.location.key, line.location.offset) == (row.get("s3_key"), row.get("s3_offset")):
                return Match(row, line, self._own(fields_of(line, row), row, line))
        if self.damages.at(row):
            return Match(row, unjudged=True)
        for line in lines:
            fields = fields_of(line, row)
            if set(fields) <= set(_LOCATION):
                return Match(row, line, self._own(fields, row, line))
        return Match(row)

    def _own(self, fields: tuple[str, ...], row: Row, line: StoredEvent) -> tuple[str, ...]:
        """The fields, but for where a line stands if only the change of its object has moved or stretched it."""
        return tuple(name for name in fields if name not in _LOCATION) if self.damages.moved(row, line) else fields

    def _index_fields(self, line: StoredEvent, row: Row) -> tuple[str, ...]:
        """The fields in which an index row is not what ingest writes; shards may be those of fewer shards."""
        expected = from_item(index_row(line, self.rules.shards, self.rules.late_after_ms))
        differing = _differing(expected, row, [*expected, *(name for name in _ONLY_IF_LATE if name not in expected)])
        return tuple(name for name in differing if name not in _SHARDED or not self._of_fewer_shards(name, line, row))

    def _of_fewer_shards(self, name: str, line: StoredEvent, row: Row) -> bool:
        fewer = (index_row(line, shards, self.rules.late_after_ms) for shards in range(1, self.rules.shards))
        return any(from_item(expected).get(name) == row.get(name) for expected in fewer)


def _identity_fields(line: StoredEvent, row: Row) -> tuple[str, ...]:
    expected = event_values(line)
    return _differing(expected, row, expected)


def _differing(expected: Row, row: Row, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if expected.get(name) != row.get(name))
