"""How fresh a source and type is: its newest event, and apart from it what claims to come from the future."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.event_query import FreshnessQuery
from chalicelib.domain.merging import Page, merged
from chalicelib.domain.paging import every_page
from chalicelib.domain.partitions import shards_of_day
from chalicelib.domain.ports import Clock, Concurrently, EventIndex
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.timestamps import Day, day_after, day_of, lag_ms, window_of

MAX_PAGES_AHEAD = 60
"""Of events that are ahead; beyond them no other is looked for."""

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

    def __call__(self, query: FreshnessQuery) -> Freshness:
        """The newest event that is not ahead, looked for day by day from tomorrow (clocks differ) backwards."""
        now = self.now()
        ahead: StoredEvent | None = None
        oldest_day = day_after(day_of(now), -query.look_back_days)
        for event in self._newest_first(query, day_after(day_of(now), 1), oldest_day):
            if event.is_ahead:
                ahead = ahead or event
                continue
            age_s = max(0, lag_ms(event.event_time, now) // 1_000)
            fresh = query.max_age_s is None or age_s <= query.max_age_s
            return Freshness(event, age_s, day_of(event.event_time), fresh, ahead)
        return Freshness(None, None, oldest_day, query.max_age_s is None, ahead)

    def _newest_first(self, query: FreshnessQuery, last: Day, first: Day) -> Iterator[StoredEvent]:
        """Events from the last day back to the first; ends early if many are read, as all but the last are ahead."""
        pages, day = 0, last
        while day >= first and pages < MAX_PAGES_AHEAD:
            for page in every_page(lambda after, day=day: self._page(query, day, after)):  # type: ignore[misc]  # bound
                yield from page.events
                pages += bool(page.rows)
                if pages >= MAX_PAGES_AHEAD:
                    return
            day = day_after(day, -1)

    def _page(self, query: FreshnessQuery, day: Day, after: str | None) -> Page:
        """One event first, as it is nearly always the one that is looked for."""
        limit = 1 if after is None else _ROWS_AHEAD
        shards = shards_of_day(query.source, query.event_type, day, window_of(day), self.shards)
        pages = self.concurrently(lambda part: self.index.page(part, after, limit, newest_first=True), shards)
        return merged(pages, newest_first=True)
