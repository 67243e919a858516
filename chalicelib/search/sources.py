"""Lists sources and types, when each was first and last seen, and how old the newest event of one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.core.errors import OutOfTime
from chalicelib.core.pagination import chunked, every_page, from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import (
    CLOCKS_DIFFER_MS,
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    lag_ms,
    shifted,
    start_of,
    window_of,
)
from chalicelib.events.index_pages import Page, TypeDayPartition, days_of, merged, shards_of_day
from chalicelib.events.ports import EVERY_EVENT, NOT_AHEAD, EventIndex, SourceAndType, Sources
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.queries import FreshnessQuery, SourcesQuery

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


_ROWS_AHEAD = 1_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest event of a source and type, if one was found, and its age in whole seconds.

    `ahead` is the newest event that arrived before its own time by more than clocks may differ; it does not count.
    """

    newest: StoredEvent | None
    age_s: int | None
    looked_back_to: Day
    fresh: bool
    ahead: StoredEvent | None


@dataclass(frozen=True)
class CheckFreshness:
    """The use case behind GET /freshness."""

    index: EventIndex
    shards: int
    now: Clock
    concurrently: Concurrently

    def check(self, query: FreshnessQuery) -> Freshness:
        """The newest event that is not ahead, looked for day by day from tomorrow (clocks differ) backwards."""
        now = self.now()
        ahead: StoredEvent | None = None
        first_day, last_day = day_after(day_of(now), -query.look_back_days), day_after(day_of(now), 1)
        looked_back_to = day_after(last_day, 1)
        reads = PaidReads(self.concurrently, REQUEST_US)
        with suppress(ReadsSpent):
            while looked_back_to > first_day:
                looked_at = day_after(looked_back_to, -1)
                for page in every_page(lambda after, day=looked_at: self._page(query, day, after, reads)):  # type: ignore[misc]  # bound
                    newest = next((event for event in page.events if not event.is_ahead), None)
                    ahead = ahead or next((event for event in page.events if event.is_ahead), None)
                    if newest is not None:
                        return _freshness(query, newest, now, ahead)
                looked_back_to = looked_at
        return Freshness(None, None, looked_back_to, query.max_age_s is None, ahead)

    def _page(self, query: FreshnessQuery, day: Day, after: str | None, reads: PaidReads) -> Page:
        """One event first, as it is nearly always the one that is looked for; then only those that are not ahead."""
        limit, wanted = (1, EVERY_EVENT) if after is None else (_ROWS_AHEAD, NOT_AHEAD)
        shards = shards_of_day(query.source, query.event_type, day, window_of(day), self.shards)
        pages = reads(lambda part: self.index.page(part, after, limit, wanted, newest_first=True), shards)
        return merged(pages, newest_first=True)


def _freshness(query: FreshnessQuery, newest: StoredEvent, now: Instant, ahead: StoredEvent | None) -> Freshness:
    age_s = max(0, lag_ms(newest.event_time, now) // 1_000)
    fresh = query.max_age_s is None or age_s <= query.max_age_s
    return Freshness(newest, age_s, day_of(newest.event_time), fresh, ahead)
