"""Searches the index for events in a window, and finds the history of one: arrivals, aggregates, its raw text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.newest_versions import versions_with
from chalicelib.aggregates.ports import AggregateHistory
from chalicelib.core.errors import NotFound, PermanentError
from chalicelib.core.fields import is_sha256
from chalicelib.core.pagination import from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import day_of
from chalicelib.events.arrivals import Arrival, ArrivalKind, Status
from chalicelib.events.index_pages import (
    Page,
    Partition,
    Row,
    first_of,
    merged,
)
from chalicelib.events.ports import EVERY_EVENT, EventFilter, EventIndex, Identities, RawStore
from chalicelib.events.raw_lines import lines_of, verified
from chalicelib.events.raw_objects import RawLine, StoredEvent
from chalicelib.search.answer_size import how_many_fit, within_an_answer
from chalicelib.search.queries import EventsQuery, Order

MAX_READS = 60
"""Queries of one answer; when they are used up it ends early, with a cursor to go on."""

_ROWS_A_FILTERED_READ = 500
_ROWS_A_STATUS_READ = 25


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of events, the cursor to the next, and on request the lines of the events."""

    events: tuple[StoredEvent, ...]
    cursor: str | None
    lines: tuple[RawLine | PermanentError, ...] | None = None


_POSITION = re.compile(r"([0-9]{1,6}):(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class _Position:
    """How far a query has come: a group of partitions, and the sort key that it was read to."""

    group: int = 0
    after: str | None = None

    def __str__(self) -> str:
        return f"{self.group}:{self.after or ''}"

    @classmethod
    def of(cls, text: str | None) -> _Position:
        match = _POSITION.fullmatch(text or "0:")
        if match is None:
            raise invalid_cursor()
        return cls(int(match[1]), match[2] or None)


@dataclass(frozen=True)
class SearchEvents:
    """The use cases behind GET /events and GET /late."""

    identities: Identities
    index: EventIndex
    shards: int
    raw: RawStore
    concurrently: Concurrently

    def search(self, query: EventsQuery) -> FoundEvents:
        """Events in the query's order, on request with their lines."""
        found = self._found(query) if query.idempotency_key is None else self._identified(query)
        if query.include is None:
            return found
        lines = lines_of(found.events, self.raw.read, self.concurrently)
        return replace(found, lines=tuple(map(within_an_answer, lines)))

    def _identified(self, query: EventsQuery) -> FoundEvents:
        """The event that a source and key identify: one read."""
        known = self.identities.first_seen([query.event_id], consistent=True)
        return FoundEvents(tuple(known.values()), None)

    def _found(self, query: EventsQuery) -> FoundEvents:
        """Read a bounded number of rows, however many the window has."""
        fingerprint = query_fingerprint(query)
        position = _Position.of(from_cursor(fingerprint, query.cursor))
        groups = list(query.groups(self.shards, query.window, query.order))
        if position.group >= len(groups):
            raise invalid_cursor()
        found: list[tuple[int, Row]] = []
        reads = 0
        while position.group < len(groups) and len(found) < query.limit and reads < MAX_READS:
            page, cost = self._read(query, groups[position.group], position.after)
            reads += cost
            page = first_of(page, query.limit - len(found))
            found += [(position.group, row) for row in page.rows]
            if page.read_to is None:
                position = _Position(position.group + 1)
            else:
                position = _Position(position.group, page.read_to)
        if query.include is not None and (fit := how_many_fit(row.event for _, row in found)) < len(found):
            found = found[:fit]
            position = _Position(found[-1][0], found[-1][1].sort_key)
        more = position.group < len(groups)
        events = tuple(row.event for _, row in found)
        return FoundEvents(events, to_cursor(fingerprint, str(position) if more else None))

    def _read(self, query: EventsQuery, group: Sequence[Partition], after: str | None) -> tuple[Page, int]:
        """The next rows of a group, merged, and how many queries that took."""
        wanted, limit = _filter_and_limit(query, len(group))
        newest_first = query.order is Order.NEWEST
        pages = self.concurrently(
            lambda partition: self.index.page(partition, after, limit, wanted, newest_first=newest_first), group
        )
        page = merged(pages, newest_first=newest_first)
        if query.status not in _ARRIVALS:
            return page, len(group)
        kind = ArrivalKind(query.status)
        again = self.concurrently(lambda row: self.index.has_arrival(row.event.event_id, kind), page.rows)
        rows = tuple(row for row, is_wanted in zip(page.rows, again, strict=True) if is_wanted)
        return Page(rows, page.read_to), len(group) + len(page.rows)


# Every indexed event was accepted once, so asking for ACCEPTED filters nothing.
_ARRIVALS = (Status.DUPLICATE, Status.CONFLICT)


def _filter_and_limit(query: EventsQuery, shards: int) -> tuple[EventFilter, int]:
    """What DynamoDB filters, and how many rows to read at a time so that a page costs few reads and is soon full."""
    by_entity = query.entity_id is not None
    wanted = EventFilter(query.source if by_entity else None, query.event_type if by_entity else None, query.min_lag_ms)
    if query.status in _ARRIVALS:
        return wanted, _ROWS_A_STATUS_READ
    return wanted, _share(query.limit, shards) if wanted == EVERY_EVENT else _ROWS_A_FILTERED_READ


def _share(limit: int, shards: int) -> int:
    """Rows to read of each shard, so that together they nearly always fill a page: events are spread at random."""
    share = -(-limit // shards)
    return min(limit, share + 3 * isqrt(share))


ARRIVALS_SHOWN = 1_000
"""A retry storm may have brought more than an answer can hold."""

VERSIONS_LOOKED_AT = 1_000
VERSIONS_A_READ = 200


@dataclass(frozen=True, slots=True)
class EventHistory:
    """An event, the arrivals of its identity, and the aggregates that it went into; and whether there are more."""

    event: StoredEvent
    arrivals: tuple[Arrival, ...]
    more_arrivals: bool
    aggregates: tuple[Version, ...]
    more_aggregates: bool


@dataclass(frozen=True)
class InvestigateEvent:
    """The use cases behind GET /events/{event_id} and its raw text."""

    identities: Identities
    index: EventIndex
    raw: RawStore
    aggregates: AggregateHistory
    concurrently: Concurrently

    def history(self, event_id: str) -> EventHistory:
        """What is known of an event; raises NotFound."""
        event = self._event(event_id)
        arrivals = self.index.arrivals(event_id, ARRIVALS_SHOWN + 1)
        more = len(arrivals) > ARRIVALS_SHOWN
        return EventHistory(event, tuple(arrivals[:ARRIVALS_SHOWN]), more, *self._versions_with(event))

    def raw_line(self, event_id: str) -> RawLine:
        """The event's raw line, its hash checked; raises NotFound or IntegrityFailure."""
        event = self._event(event_id)
        return verified(event, self.raw.read(event.location))

    def _versions_with(self, event: StoredEvent) -> tuple[tuple[Version, ...], bool]:
        """The versions that an event went into, newest first, and whether there may be more than were looked at."""
        reads, found = PaidReads(self.concurrently, REQUEST_US), list[Version]()
        entity_id, day, after = event.entity_id, day_of(event.event_time), None
        for _ in range(VERSIONS_LOOKED_AT // VERSIONS_A_READ):
            try:
                [page] = reads(lambda at: self.aggregates.versions(entity_id, day, at, VERSIONS_A_READ), [after])
                pairs = [(stored.version, event) for stored in page.versions]
                found += list(versions_with(pairs, self.aggregates, reads))
            except ReadsSpent:
                break
            after = page.read_to
            if after is None:
                return tuple(found), False
        return tuple(found), True

    def _event(self, event_id: str) -> StoredEvent:
        known = self.identities.first_seen([event_id], consistent=True) if is_sha256(event_id) else {}
        event = known.get(event_id)
        if event is None:
            raise NotFound(
                f"There is no event {event_id[:64]}. GET /events lists those of an entity, or of a source and type."
            )
        return event
