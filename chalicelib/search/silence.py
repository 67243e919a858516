"""Finds silence: hours or days without events, and how long ago the newest event of a source and type was."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.pagination import chunked, every_page
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import (
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    end_of,
    hour_after,
    lag_ms,
    start_of,
    start_of_hour,
    window_of,
)
from chalicelib.events.index_pages import Page, Partition, days_of, merged, part_of_day, shards_of_day
from chalicelib.events.ports import EVERY_EVENT, NOT_AHEAD, EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.queries import FreshnessQuery, GapsQuery, Unit

_ROWS_AHEAD = 1_000
_DAYS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """A period without events, from the edge of an hour or day (or of what was asked about) to another."""

    start: Instant
    end: Instant


Search = Generator[Window, Instant | None, list[Gap]]
"""Asks for the time of the first event in a window, None if there is none, until it knows all gaps."""


def gaps_in(window: Window, unit: Unit) -> Search:
    """The hours or days of a window without events, neighbouring ones as one gap; one question for each with events."""
    at, gaps = window.start, list[Gap]()
    while at < window.end:
        event_time = yield Window(at, window.end)
        until = window.end if event_time is None else _start(event_time, unit)
        if until > at:
            gaps.append(Gap(at, until))
        at = window.end if event_time is None else _end(event_time, unit)
    return gaps


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps in order, those that touch as one: windows may have been looked at one by one."""
    whole: list[Gap] = []
    for gap in gaps:
        if whole and whole[-1].end == gap.start:
            whole[-1] = Gap(whole[-1].start, gap.end)
        else:
            whole.append(gap)
    return whole


def _start(instant: Instant, unit: Unit) -> Instant:
    return start_of_hour(instant) if unit is Unit.HOUR else start_of(day_of(instant))


def _end(instant: Instant, unit: Unit) -> Instant:
    return hour_after(instant) if unit is Unit.HOUR else end_of(day_of(instant))


@dataclass(frozen=True)
class FindGaps:
    """The use case behind GET /gaps."""

    index: EventIndex
    shards: int
    concurrently: Concurrently

    def find(self, query: GapsQuery) -> list[Gap]:
        """Hours or days without events; reads one row, in each shard, for each hour or day that has some.

        Raises InvalidRequest if that is more than a request may read.
        """
        windows = [part_of_day(query.window, day) for day in days_of(query.window)]
        reads = PaidReads(self.concurrently, REQUEST_US)
        try:
            return joined(gap for some in chunked(windows, _DAYS_AT_ONCE) for gap in self._gaps(query, some, reads))
        except ReadsSpent as spent:
            fault = Fault("end_time", "is too late for the number of shards and of events ahead: ask for fewer days")
            raise InvalidRequest("The window is too large to read in one request.", (fault,)) from spent

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
