"""Where the events of a replay come from. Filters, whole days and duplicates are added to them by selection.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from chalicelib.core.pagination import every_page
from chalicelib.core.ports import Concurrently
from chalicelib.events.index_pages import Page, Partition, merged
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import Cursor
from chalicelib.replays.messages import Duplicate
from chalicelib.replays.request import ReplayRequest

ROWS_A_READ = 1_250
"""Of a group of partitions, together: more than are sent at once, so that uneven shards do not need a second read."""

FEWEST_ROWS_A_READ = 100
"""Of each: what one has read beyond the others is read again, and weighs the more the shorter the pages are."""


@dataclass(frozen=True, slots=True)
class OriginRow:
    """A row of an origin and the cursor after it. Without an event it only moves the cursor on.

    `scanned` counts rows that were read, with the one of this event. `duplicate` is the later arrival that it is about.
    """

    cursor: Cursor
    event: StoredEvent | None
    scanned: int = 1
    duplicate: Duplicate | None = None


class EventOrigin(Protocol):
    """The events that a replay selects, before its filters, each once and in an order that never changes.

    To add an origin: give ReplayRequest the member that asks for it, write a class with this method, and let
    Origins.of choose it. Its cursors have `discovering_days` as they got it, and what they need in `group` and `after`:
    any text, different for each event. Rows without events are as welcome as others: planners commit them.
    """

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """Every row after a cursor, in bounded memory, read when needed and through `concurrently` alone."""


@dataclass(frozen=True)
class Origins:
    """What origins read, and which of them a request asks for."""

    index: EventIndex

    def of(self, request: ReplayRequest, shards: int, concurrently: Concurrently) -> EventOrigin:
        """Where the events of a request come from."""
        return IndexOrigin(request, self.index, shards, concurrently)


@dataclass(frozen=True)
class IndexOrigin:
    """The events of an entity, or of a source and types, in the request's window: group by group, in time order."""

    request: ReplayRequest
    index: EventIndex
    shards: int
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """Every row of the window; those of one group in time order."""
        number, after = cursor.group, cursor.after
        while (group := self.request.group(number, self.shards)) is not None:
            for page in every_page(partial(self._page, group), after):
                for row in page.rows:
                    yield OriginRow(Cursor(cursor.discovering_days, group=number, after=row.sort_key), row.event)
            number, after = number + 1, None
            yield OriginRow(Cursor(cursor.discovering_days, group=number), None, scanned=0)

    def _page(self, group: Sequence[Partition], after: str | None) -> Page:
        limit = max(FEWEST_ROWS_A_READ, ROWS_A_READ // len(group))
        pages = self.concurrently(lambda partition: self.index.page(partition, after, limit), group)
        return merged(pages, newest_first=False)
