"""Reads the rows that a replay sends, from any cursor on.

The planner sends what is read here and a preview counts it, so that both speak of the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from chalicelib.core.pagination import Paged, PageOf, every_page
from chalicelib.core.ports import Concurrently
from chalicelib.core.timestamps import Day, day_of, window_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.index_pages import EntityPartition, Page, Partition, merged
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import Cursor
from chalicelib.replays.messages import Duplicate
from chalicelib.replays.ports import TouchedDay, TouchedDays
from chalicelib.replays.rate_limit import burst
from chalicelib.replays.request import ReplayRequest

ROWS_A_READ = 1_250
"""Of a group of partitions, together: more than are sent at once, so that uneven shards do not need a second read."""

FEWEST_ROWS_A_READ = 100
"""Of each: what one has read beyond the others is read again, and weighs the more the shorter the pages are."""

DAYS_A_READ = 25
ROWS_OF_A_DAY = 200
EVENTS_A_LOOK_UP = 25
ARRIVALS_A_READ = 100

P = TypeVar("P", bound=Paged)

Send = tuple[StoredEvent, Duplicate | None]
"""What makes a message: an event, and which of its later arrivals, None for the first."""


@dataclass(frozen=True, slots=True)
class SelectedRow:
    """A row or part of one: what it sends, and the cursor that continues after it.

    `touched_day` is a day of an entity that is to be sent as a whole. Keep it before you ask for the next row.
    """

    cursor: Cursor
    scanned: int = 0
    matched: int = 0
    sends: tuple[Send, ...] = ()
    touched_day: tuple[str, Day] | None = None


@dataclass(frozen=True, slots=True)
class _IndexRow:
    """A row of the index, or None at the end of a group, and the cursor after it."""

    cursor: Cursor
    event: StoredEvent | None

    @property
    def scanned(self) -> int:
        return int(self.event is not None)


@dataclass(frozen=True)
class ReadSelection:
    """The rows of one replay; every read of the index goes through `concurrently`, which may bound them."""

    request: ReplayRequest
    index: EventIndex
    days: TouchedDays
    shards: int
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[SelectedRow]:
        """Every row after a cursor, read when needed."""
        if cursor.discovering_days:
            yield from map(self._discovering, self._selected(cursor))
            cursor = Cursor()
            yield SelectedRow(cursor)
        rows = self._of_days(cursor) if self.request.selects_whole_days else self._selected(cursor)
        if self.request.include_duplicates:
            yield from self._repeated(rows, cursor)
        else:
            yield from map(self._sending, rows)

    def _discovering(self, row: _IndexRow) -> SelectedRow:
        event = row.event
        takes = event is not None and self.request.takes(event)
        touched_day = (event.entity_id, day_of(event.event_time)) if event is not None and takes else None
        return SelectedRow(row.cursor, row.scanned, touched_day=touched_day)

    def _sending(self, row: _IndexRow) -> SelectedRow:
        if row.event is None or not self._taken(row.event):
            return SelectedRow(row.cursor, row.scanned)
        return SelectedRow(row.cursor, 1, 1, ((row.event, None),))

    def _taken(self, event: StoredEvent) -> bool:
        # Of a whole day everything is sent: the filters chose the day.
        return self.request.selects_whole_days or self.request.takes(event)

    def _selected(self, cursor: Cursor) -> Iterator[_IndexRow]:
        """The rows of the request's window: group by group, those of one group in time order."""
        number, after = cursor.group, cursor.after
        while (group := self.request.group(number, self.shards)) is not None:
            for page in every_page(partial(self._page, group), after):
                for row in page.rows:
                    yield _IndexRow(Cursor(cursor.discovering_days, group=number, after=row.sort_key), row.event)
            number, after = number + 1, None
            yield _IndexRow(Cursor(cursor.discovering_days, group=number), None)

    def _page(self, group: Sequence[Partition], after: str | None) -> Page:
        limit = max(FEWEST_ROWS_A_READ, ROWS_A_READ // len(group))
        pages = self.concurrently(lambda partition: self.index.page(partition, after, limit), group)
        return merged(pages, newest_first=False)

    def _of_days(self, cursor: Cursor) -> Iterator[_IndexRow]:
        """The rows of all days that were found, day by day."""
        found_to = cursor.found_to
        for listed in every_page(lambda position: self.days.page(position, DAYS_A_READ), found_to):
            befores = [cursor.after if day.position == cursor.day else None for day in listed.items]
            begun = self.concurrently(lambda both: self._page_of_day(*both), zip(listed.items, befores, strict=True))
            for day, first in zip(listed.items, begun, strict=True):
                yield from self._of_day(day, first, found_to)
                found_to = day.position

    def _of_day(self, day: TouchedDay, first: Page, found_to: str | None) -> Iterator[_IndexRow]:
        for page in self._rest(partial(self._page_of_day, day), first):
            for row in page.rows:
                yield _IndexRow(Cursor(found_to=found_to, day=day.position, after=row.sort_key), row.event)

    def _page_of_day(self, day: TouchedDay, after: str | None) -> Page:
        return self.index.page(EntityPartition(day.entity_id, window_of(day.day)), after, ROWS_OF_A_DAY)

    def _repeated(self, rows: Iterable[_IndexRow], cursor: Cursor) -> Iterator[SelectedRow]:
        """Each row's event, and then its later arrivals, however many."""
        remaining, before = iter(rows), cursor
        while chunk := list(islice(remaining, EVENTS_A_LOOK_UP)):
            taken = [row for row in chunk if row.event is not None and self._taken(row.event)]
            pages = self.concurrently(lambda row: self._arrivals(row, cursor), taken)
            first_pages = {row.cursor: page for row, page in zip(taken, pages, strict=True)}
            for row in chunk:
                if row.event is None or row.cursor not in first_pages:
                    yield SelectedRow(row.cursor, row.scanned)
                else:
                    begun = row.cursor.after == cursor.repeating
                    arrivals = self._every_arrival(row, first_pages[row.cursor])
                    yield from _arrivals_of(row, before, arrivals, begun=begun)
                before = row.cursor

    def _arrivals(self, row: _IndexRow, start: Cursor) -> PageOf[Arrival]:
        assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
        after = start.repeated_to if row.cursor.after == start.repeating else None
        return self.index.duplicates(row.event.event_id, after, self._arrivals_a_read)

    def _every_arrival(self, row: _IndexRow, first: PageOf[Arrival]) -> Iterator[PageOf[Arrival]]:
        assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
        event_id = row.event.event_id
        return self._rest(lambda at: self.index.duplicates(event_id, at, self._arrivals_a_read), first)

    def _rest(self, read: Callable[[str | None], P], first: P) -> Iterator[P]:
        """A first page, and all that follow it."""
        yield first
        if first.read_to is not None:
            yield from every_page(lambda at: self.concurrently(read, [at])[0], first.read_to)

    @property
    def _arrivals_a_read(self) -> int:
        """Few if the replay has a rate: what one read brings is sent together."""
        rate = self.request.rate
        return ARRIVALS_A_READ if rate is None else min(ARRIVALS_A_READ, burst(rate))


def _arrivals_of(
    row: _IndexRow, before: Cursor, pages: Iterable[PageOf[Arrival]], *, begun: bool
) -> Iterator[SelectedRow]:
    """An event, unless it was sent before, and its later arrivals, a page of them at a time."""
    assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
    event, first = row.event, 0 if begun else 1
    sends: tuple[Send, ...] = () if begun else ((event, None),)
    for page in pages:
        sends += tuple((event, _duplicate(arrival)) for arrival in page.items)
        within = replace(before, repeating=row.cursor.after, repeated_to=page.read_to)
        yield SelectedRow(row.cursor if page.read_to is None else within, first, first, sends)
        sends, first = (), 0


def _duplicate(arrival: Arrival) -> Duplicate:
    return Duplicate(ingest_time=arrival.ingest_time, request_id=arrival.request_id, position=arrival.position)
