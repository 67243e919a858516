"""Lists sources and types, and when each was first and last seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.core.errors import OutOfTime
from chalicelib.core.pagination import chunked, from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.core.timestamps import (
    CLOCKS_DIFFER_MS,
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    shifted,
    start_of,
)
from chalicelib.events.index_pages import TypeDayPartition, days_of, shards_of_day
from chalicelib.events.ports import EventIndex, SourceAndType, Sources
from chalicelib.search.queries import SourcesQuery

LOOKING_BACK_US = 2_300_000
"""Two rounds of reads, and at most 900 of them: of sources that all are silent each day is read in vain."""

_NANOSECONDS_OF_MS = 1_000_000
_READS_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class FoundSources:
    """A page of sources and types. One without a last time was not seen on or after `looked_back_to`."""

    found: tuple[SourceAndType, ...]
    last_seen: Mapping[SourceAndType, Instant]
    looked_back_to: Day
    cursor: str | None


@dataclass(frozen=True)
class ListSources:
    """The use case behind GET /sources."""

    sources: Sources
    index: EventIndex
    shards: int
    now: Clock
    concurrently: Concurrently

    def page(self, query: SourcesQuery) -> FoundSources:
        """Sources and types in order. Looks backwards for the newest events, as far as the reads and the time suffice.

        A day, the two before it, the four before those, as far as they fit into a round: many silent days take few
        rounds, and few reads are in vain.
        """
        fingerprint = query_fingerprint(query)
        page = self.sources.page(from_cursor(fingerprint, query.cursor), query.limit)
        window = _window(self.now(), query.look_back_days)
        last_seen: dict[SourceAndType, Instant] = {}
        looked_back_to = day_after(day_of(window.end), 1)
        reads = PaidReads(self.concurrently, LOOKING_BACK_US)
        unread, width = _days(window, query.look_back_days), 1
        with suppress(ReadsSpent, OutOfTime):
            while unread and (silent := [each for each in page.items if each not in last_seen]):
                days = unread[: min(width, max(1, _READS_AT_ONCE // (self.shards * len(silent))))]
                for some in chunked(silent, _READS_AT_ONCE // (self.shards * len(days))):
                    last_seen |= self._seen_on(days, window, some, reads)
                looked_back_to = days[-1]
                unread, width = unread[len(days) :], 2 * width
        return FoundSources(page.items, last_seen, looked_back_to, to_cursor(fingerprint, page.read_to))

    def _seen_on(
        self, days: Sequence[Day], window: Window, silent: Sequence[SourceAndType], reads: PaidReads
    ) -> dict[SourceAndType, Instant]:
        """The time of receipt of the newest event of each: a read of one row for each day and shard."""
        partitions = [
            (each, day, shard)
            for each in silent
            for day in days
            for shard in shards_of_day(each.source, each.event_type, day, window, self.shards)
        ]
        received = reads(lambda part: self._newest(part[2]), partitions)
        newest: dict[SourceAndType, tuple[Day, Instant]] = {}
        for (each, day, _), times in zip(partitions, received, strict=True):
            for time in times:
                newest[each] = max((day, time), newest.get(each, (day, time)))
        return {each: time for each, (_, time) in newest.items()}

    def _newest(self, partition: TypeDayPartition) -> list[Instant]:
        return [event.ingest_time for event in self.index.page(partition, None, 1, newest_first=True).events]


def _window(now: Instant, look_back_days: int) -> Window:
    """From the beginning of a day until now, and a little further, as clocks differ."""
    end = shifted(now, CLOCKS_DIFFER_MS * _NANOSECONDS_OF_MS)
    return Window(start_of(day_after(day_of(now), -look_back_days)), end)


def _days(window: Window, look_back_days: int) -> list[Day]:
    """The days to look at, the newest first; none if nothing is to be looked back."""
    return list(reversed(list(days_of(window)))) if look_back_days else []
