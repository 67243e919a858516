"""Search the index: events in a window, late arrivals, and gaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.core.batching import chunked
from chalicelib.core.cursors import from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day, Instant, Window
from chalicelib.events.arrivals import ArrivalKind, Status
from chalicelib.events.index_pages import Page, Row, first_of, merged
from chalicelib.events.partitions import Partition, days_of, part_of_day, shards_of_late_day
from chalicelib.events.ports import EVERY_EVENT, NOT_AHEAD, EventFilter, EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.gaps import Gap, gaps_in, joined
from chalicelib.search.queries import EventsQuery, GapsQuery, LateQuery, Order

MAX_READS = 60
"""Queries of one answer; when they are used up it ends early, with a cursor to go on."""

_ROWS_A_FILTERED_READ = 500
_ROWS_A_STATUS_READ = 25
_ROWS_AHEAD = 1_000
_DAYS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of events, and the cursor to the next."""

    events: tuple[StoredEvent, ...]
    cursor: str | None


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
    """The use case behind GET /events."""

    index: EventIndex
    shards: int
    concurrently: Concurrently

    def __call__(self, query: EventsQuery) -> FoundEvents:
        """Events in the query's order. Reads a bounded number of rows, whatever lies in the window."""
        fingerprint = query_fingerprint(query)
        position = _Position.of(from_cursor(fingerprint, query.cursor))
        groups = list(query.groups(self.shards, query.window, query.order))
        if position.group >= len(groups):
            raise invalid_cursor()
        found: list[Row] = []
        reads = 0
        while position.group < len(groups) and len(found) < query.limit and reads < MAX_READS:
            page, cost = self._read(query, groups[position.group], position.after)
            reads += cost
            page = first_of(page, query.limit - len(found))
            found += page.rows
            if page.read_to is None:
                position = _Position(position.group + 1)
            else:
                position = _Position(position.group, page.read_to)
        more = position.group < len(groups)
        return FoundEvents(tuple(row.event for row in found), to_cursor(fingerprint, str(position) if more else None))

    def _read(self, query: EventsQuery, group: Sequence[Partition], after: str | None) -> tuple[Page, int]:
        """The next rows of a group, merged, and how many queries that took."""
        wanted, limit = _filter_and_limit(query)
        newest_first = query.order is Order.NEWEST
        pages = self.concurrently(
            lambda partition: self.index.page(partition, after, limit, wanted, newest_first=newest_first), group
        )
        page = merged(pages, newest_first=newest_first)
        if query.status not in _ARRIVED_AGAIN:
            return page, len(group)
        kind = ArrivalKind(query.status)
        again = self.concurrently(lambda row: self.index.arrived_again(row.event.event_id, kind), page.rows)
        rows = tuple(row for row, is_wanted in zip(page.rows, again, strict=True) if is_wanted)
        return Page(rows, page.read_to), len(group) + len(page.rows)


# Every indexed event was accepted once, so asking for ACCEPTED filters nothing.
_ARRIVED_AGAIN = (Status.DUPLICATE, Status.CONFLICT)


def _filter_and_limit(query: EventsQuery) -> tuple[EventFilter, int]:
    """What DynamoDB filters, and how many rows to read at a time so that a page costs few reads and is soon full."""
    by_entity = query.entity_id is not None
    wanted = EventFilter(query.source if by_entity else None, query.event_type if by_entity else None, query.min_lag_ms)
    if query.status in _ARRIVED_AGAIN:
        return wanted, _ROWS_A_STATUS_READ
    return wanted, query.limit if wanted == EVERY_EVENT else _ROWS_A_FILTERED_READ


@dataclass(frozen=True)
class ListLate:
    """The use case behind GET /late."""

    index: EventIndex
    shards: int
    concurrently: Concurrently

    def __call__(self, query: LateQuery) -> FoundEvents:
        """Late arrivals of a day, the latest first."""
        fingerprint = query_fingerprint(query)
        after = from_cursor(fingerprint, query.cursor)
        shards = shards_of_late_day(query.source, query.event_type, Day(query.day), self.shards)
        pages = self.concurrently(lambda shard: self.index.late(shard, after, query.limit), shards)
        page = first_of(merged(pages, newest_first=True), query.limit)
        return FoundEvents(page.events, to_cursor(fingerprint, page.read_to))


@dataclass(frozen=True)
class FindGaps:
    """The use case behind GET /gaps."""

    index: EventIndex
    shards: int
    concurrently: Concurrently

    def __call__(self, query: GapsQuery) -> list[Gap]:
        """Hours or days without events; reads one row, in each shard, for each hour or day that has some.

        Raises InvalidRequest if that is more than a request may read.
        """
        windows = [part_of_day(query.window, day) for day in days_of(query.window)]
        reads = PaidReads(self.concurrently, REQUEST_US)
        try:
            return joined(gap for some in chunked(windows, _DAYS_AT_ONCE) for gap in self._gaps(query, some, reads))
        except ReadsSpent as spent:
            fault = Fault("end_time", "is too far on for the number of shards and of events ahead; ask for fewer days")
            raise InvalidRequest("The window has more to read than a request can.", (fault,)) from spent

    def _gaps(self, query: GapsQuery, windows: Sequence[Window], reads: PaidReads) -> list[Gap]:
        """The gaps of each window; what one after the other asks for is read at once."""
        found: dict[int, list[Gap]] = {}
        searches = dict(enumerate(gaps_in(window, query.unit) for window in windows))
        asked = {number: next(search) for number, search in searches.items()}
        while asked:
            firsts = self._first_times(query, list(asked.values()), reads)
            for number, event_time in zip(list(asked), firsts, strict=True):
                try:
                    asked[number] = searches[number].send(event_time)
                except StopIteration as ended:
                    found[number] = ended.value
                    del asked[number]
        return [gap for number in sorted(found) for gap in found[number]]

    def _first_times(self, query: GapsQuery, windows: Sequence[Window], reads: PaidReads) -> list[Instant | None]:
        """The time of the first event in each window, of those that fill a gap."""
        parts = [
            (number, partition)
            for number, window in enumerate(windows)
            for group in query.groups(self.shards, window)
            for partition in group
        ]
        times: dict[int, Instant] = {}
        unread: list[tuple[int, Partition, str | None]] = [(*part, None) for part in parts]
        while unread:
            pages = reads(lambda part: self._page(*part[1:]), unread)
            more = list[tuple[int, Partition, str | None]]()
            for (number, partition, _), page in zip(unread, pages, strict=True):
                first = next((event.event_time for event in page.events if not event.is_ahead), None)
                if first is not None:
                    times[number] = min(first, times.get(number, first))
                elif page.read_to is not None:
                    more.append((number, partition, page.read_to))
            unread = more
        return [times.get(number) for number in range(len(windows))]

    def _page(self, partition: Partition, after: str | None) -> Page:
        """One event first; if it is ahead, which has another time than it says, only those that are not."""
        if after is None:
            return self.index.page(partition, None, 1)
        return self.index.page(partition, after, _ROWS_AHEAD, NOT_AHEAD)
