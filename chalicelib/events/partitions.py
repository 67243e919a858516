"""Partitions of the index: what one query can read in time order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.core.timestamps import Day, Instant, Window, day_after, day_of, days_between, end_of, start_of


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
    first = day_of(window.start)
    last = day_of(window.end)
    for number in range(days_between(first, last)):
        day = day_after(first, number)
        if window.end > start_of(day):
            yield day


def part_of_day(window: Window, day: Day) -> Window:
    """What of a window lies in a day that it touches."""
    return Window(Instant(max(window.start, start_of(day))), Instant(min(window.end, end_of(day))))


def shards_of_day(source: str, event_type: str, day: Day, window: Window, shards: int) -> list[TypeDayPartition]:
    """The partitions that together hold one day's part of a window."""
    part = part_of_day(window, day)
    return [TypeDayPartition(source, event_type, day, shard, part) for shard in range(shards)]


def shards_of_late_day(source: str, event_type: str, ingest_day: Day, shards: int) -> list[LateDayPartition]:
    """The partitions that together hold what arrived late on a day."""
    return [LateDayPartition(source, event_type, ingest_day, shard) for shard in range(shards)]
