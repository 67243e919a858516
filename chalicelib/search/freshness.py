"""Finds how long ago the newest event of a source and type was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from chalicelib.core.pagination import every_page
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day, Instant, day_after, day_of, lag_ms, window_of
from chalicelib.events.index_pages import Page, merged, shards_of_day
from chalicelib.events.ports import EVERY_EVENT, NOT_AHEAD, EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.queries import FreshnessQuery

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
