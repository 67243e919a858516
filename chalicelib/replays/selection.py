"""Reads the rows that a replay sends, from any cursor on.

The planner sends what is read here and a preview counts it, so that both speak of the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from chalicelib.core.pagination import Paged, PageOf, chunks, every_page
from chalicelib.core.ports import Concurrently
from chalicelib.core.timestamps import Day, day_of, window_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.index_pages import EntityPartition, Page
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import Cursor
from chalicelib.replays.messages import Duplicate
from chalicelib.replays.origins import OriginRow, Origins
from chalicelib.replays.ports import TouchedDay, TouchedDays
from chalicelib.replays.rate_limit import burst
from chalicelib.replays.request import ReplayRequest

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
    `not_found` is an id of a file that no event has. `looked_up` is as of the row.
    """

    cursor: Cursor
    scanned: int = 0
    matched: int = 0
    sends: tuple[Send, ...] = ()
    touched_day: tuple[str, Day] | None = None
    not_found: str | None = None
    looked_up: int = 0


@dataclass(frozen=True)
class ReadSelection:
    """The rows of one replay; every read goes through `concurrently`, which may bound them."""

    request: ReplayRequest
    origins: Origins
    days: TouchedDays
    shards: int
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[SelectedRow]:
        """Every row after a cursor, read when needed."""
        if cursor.discovering_days:
            yield from map(self._discovering, self._of_origin(cursor))
            cursor = Cursor()
            yield SelectedRow(cursor)
        rows = self._of_days(cursor) if self.request.selects_whole_days else self._of_origin(cursor)
        if self.request.include_duplicates:
            yield from self._with_duplicates(rows, cursor)
        else:
            yield from map(self._sending, rows)

    def _of_origin(self, cursor: Cursor) -> Iterator[OriginRow]:
        return self.origins.of(self.request, self.shards, self.concurrently).rows(cursor)

    def _discovering(self, row: OriginRow) -> SelectedRow:
        event = row.event
        takes = event is not None and self.request.takes(event)
        touched_day = (event.entity_id, day_of(event.event_time)) if event is not None and takes else None
        return replace(_unsent(row), touched_day=touched_day)

    def _sending(self, row: OriginRow) -> SelectedRow:
        if row.event is None or not self._is_sent(row.event):
            return _unsent(row)
        return SelectedRow(row.cursor, row.scanned, 1, ((row.event, row.duplicate),), looked_up=row.looked_up)

    def _is_sent(self, event: StoredEvent) -> bool:
        # Of a whole day everything is sent: the filters chose the day.
        return self.request.selects_whole_days or self.request.takes(event)

    def _of_days(self, cursor: Cursor) -> Iterator[OriginRow]:
        """The rows of all days that were found, day by day."""
        found_to = cursor.found_to
        for listed in every_page(lambda position: self.days.page(position, DAYS_A_READ), found_to):
            befores = [cursor.after if day.position == cursor.day else None for day in listed.items]
            begun = self.concurrently(lambda both: self._page_of_day(*both), zip(listed.items, befores, strict=True))
            for day, first in zip(listed.items, begun, strict=True):
                yield from self._of_day(day, first, found_to)
                found_to = day.position

    def _of_day(self, day: TouchedDay, first: Page, found_to: str | None) -> Iterator[OriginRow]:
        for page in self._rest(partial(self._page_of_day, day), first):
            for row in page.rows:
                yield OriginRow(Cursor(found_to=found_to, day=day.position, after=row.sort_key), row.event)

    def _page_of_day(self, day: TouchedDay, after: str | None) -> Page:
        return self.origins.index.page(EntityPartition(day.entity_id, window_of(day.day)), after, ROWS_OF_A_DAY)

    def _with_duplicates(self, rows: Iterable[OriginRow], cursor: Cursor) -> Iterator[SelectedRow]:
        """Each row's event, and then its later arrivals, however many."""
        before = cursor
        for chunk in chunks(rows, EVENTS_A_LOOK_UP):
            taken = [row for row in chunk if row.event is not None and self._is_sent(row.event)]
            pages = self.concurrently(lambda row: self._arrivals(row, cursor), taken)
            first_pages = {row.cursor: page for row, page in zip(taken, pages, strict=True)}
            for row in chunk:
                if row.event is None or row.cursor not in first_pages:
                    yield _unsent(row)
                else:
                    begun = row.cursor.after == cursor.duplicated
                    arrivals = self._every_arrival(row, first_pages[row.cursor])
                    yield from _arrivals_of(row, before, arrivals, begun=begun)
                before = row.cursor

    def _arrivals(self, row: OriginRow, start: Cursor) -> PageOf[Arrival]:
        assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
        after = start.duplicates_to if row.cursor.after == start.duplicated else None
        return self.origins.index.duplicates(row.event.event_id, after, self._arrivals_a_read)

    def _every_arrival(self, row: OriginRow, first: PageOf[Arrival]) -> Iterator[PageOf[Arrival]]:
        assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
        event_id = row.event.event_id
        return self._rest(lambda at: self.origins.index.duplicates(event_id, at, self._arrivals_a_read), first)

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


def _unsent(row: OriginRow) -> SelectedRow:
    return SelectedRow(row.cursor, row.scanned, not_found=row.not_found, looked_up=row.looked_up)


def _arrivals_of(
    row: OriginRow, before: Cursor, pages: Iterable[PageOf[Arrival]], *, begun: bool
) -> Iterator[SelectedRow]:
    """An event, unless it was sent before, and its later arrivals, a page of them at a time."""
    assert row.event is not None, "only events arrive"  # noqa: S101  # narrows the type
    event, first = row.event, 0 if begun else 1
    sends: tuple[Send, ...] = () if begun else ((event, None),)
    for page in pages:
        sends += tuple((event, _duplicate(arrival)) for arrival in page.items)
        within = replace(before, duplicated=row.cursor.after, duplicates_to=page.read_to)
        at = row.cursor if page.read_to is None else within
        yield SelectedRow(at, first, first, sends, looked_up=first * row.looked_up)
        sends, first = (), 0


def _duplicate(arrival: Arrival) -> Duplicate:
    return Duplicate(ingest_time=arrival.ingest_time, request_id=arrival.request_id, position=arrival.position)
