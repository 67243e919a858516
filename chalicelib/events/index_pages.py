"""Merges pages of the partitions that a query reads, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.core.timestamps import Day, Instant, Window, day_after, day_of, days_in, end_of, start_of
from chalicelib.events.raw_objects import StoredEvent


@dataclass(frozen=True, slots=True)
class Row:
    """An indexed event under the sort key that orders it."""

    sort_key: str
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Page:
    """Index rows in order, and the sort key up to which the partition was read, None if it was read to its end.

    Rows may have been filtered out, so a page may end further on than its last row.
    """

    rows: tuple[Row, ...]
    read_to: str | None

    @property
    def brought(self) -> int:
        """How many rows were fetched."""
        return len(self.rows)

    @property
    def events(self) -> tuple[StoredEvent, ...]:
        """The events of the rows."""
        return tuple(row.event for row in self.rows)


def first_of(page: Page, limit: int) -> Page:
    """At most `limit` of a page's rows, and the position to continue from."""
    if len(page.rows) <= limit:
        return page
    return Page(page.rows[:limit], page.rows[limit - 1].sort_key)


def merged(pages: Sequence[Page], *, newest_first: bool) -> Page:
    """One page of all partitions: only rows that no unread row of a partition can precede."""
    ends = [page.read_to for page in pages if page.read_to is not None]
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: row.sort_key, reverse=newest_first)
    if not ends:
        return Page(tuple(rows), None)
    horizon = max(ends) if newest_first else min(ends)
    within = (row for row in rows if (row.sort_key >= horizon if newest_first else row.sort_key <= horizon))
    return Page(tuple(within), horizon)


@dataclass(frozen=True, slots=True)
class EntityPartition:
    """Events of one entity within a window."""

    entity_id: str
    window: Window


@dataclass(frozen=True, slots=True)
class TypeDayPartition:
    """Events of one source and type within a window of one day, in one shard of the index."""

    source: str
    event_type: str
    day: Day
    shard: int
    window: Window


Partition = EntityPartition | TypeDayPartition


@dataclass(frozen=True, slots=True)
class LateDayPartition:
    """Events of one source and type that arrived late on a day, in one shard of the index of late arrivals."""

    source: str
    event_type: str
    ingest_day: Day
    shard: int


def days_of(window: Window) -> Iterator[Day]:
    """The UTC days that a window touches, in order."""
    return (day_after(day_of(window.start), number) for number in range(days_in(window)))


def part_of_day(window: Window, day: Day) -> Window:
    """The part of a window that is in one of its days."""
    return Window(Instant(max(window.start, start_of(day))), Instant(min(window.end, end_of(day))))


def shards_of_day(source: str, event_type: str, day: Day, window: Window, shards: int) -> list[TypeDayPartition]:
    """The partitions that together contain one day's part of a window."""
    part = part_of_day(window, day)
    return [TypeDayPartition(source, event_type, day, shard, part) for shard in range(shards)]


def shards_of_late_day(source: str, event_type: str, ingest_day: Day, shards: int) -> list[LateDayPartition]:
    """The partitions that together contain what arrived late on a day."""
    return [LateDayPartition(source, event_type, ingest_day, shard) for shard in range(shards)]
