"""Finds late events, and counts them by source, type and hour of arrival."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from chalicelib.core.pagination import from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day, Instant, day_of, start_of_hour
from chalicelib.events.index_pages import Row
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.search.late_arrivals import LateArrivals, Position, text_of
from chalicelib.search.queries import LateQuery, LateSummaryQuery

ROWS_A_READ = 1_000


@dataclass(frozen=True, slots=True)
class FoundLate:
    """A page of late arrivals, the latest first, and the cursor to the next."""

    events: tuple[StoredEvent, ...]
    cursor: str | None


@dataclass
class LateGroup:
    """Late arrivals of a source and type within one hour of arrival. Few requests with many events are a backfill."""

    source: str
    event_type: str
    hour: Instant
    min_lag_ms: int
    max_lag_ms: int
    first_arrival: Instant
    last_arrival: Instant
    events: int = 0
    requests: set[str] = field(default_factory=set)
    entity_days: set[tuple[str, Day]] = field(default_factory=set)

    @classmethod
    def of(cls, event: StoredEvent) -> LateGroup:
        """The group that an event belongs to, before it is counted."""
        lag_ms, time = event.ingest_lag_ms, event.ingest_time
        return cls(event.source, event.event_type, start_of_hour(time), lag_ms, lag_ms, time, time)

    def add(self, event: StoredEvent) -> None:
        """Count an event."""
        lag_ms, time = event.ingest_lag_ms, event.ingest_time
        self.events += 1
        self.min_lag_ms, self.max_lag_ms = min(self.min_lag_ms, lag_ms), max(self.max_lag_ms, lag_ms)
        self.first_arrival, self.last_arrival = min(self.first_arrival, time), max(self.last_arrival, time)
        self.requests.add(event.request_id)
        self.entity_days.add((event.entity_id, day_of(event.event_time)))


@dataclass(frozen=True, slots=True)
class LateSummary:
    """Groups, the last hours of arrival first. With a cursor, only as far as the reads of a request go."""

    groups: tuple[LateGroup, ...]
    cursor: str | None


@dataclass(frozen=True)
class FindLate:
    """The use cases behind GET /late and GET /late/summary."""

    arrivals: LateArrivals
    concurrently: Concurrently

    def page(self, query: LateQuery) -> FoundLate:
        """A page of late arrivals, which ends early if the reads of a request are used up."""
        fingerprint = query_fingerprint(query)
        begin = Position.of(from_cursor(fingerprint, query.cursor), query)
        reached: Position | None = begin
        found = list[Row]()
        with suppress(ReadsSpent):
            for some in self.arrivals.rows(query, begin, query.limit, PaidReads(self.concurrently, REQUEST_US)):
                left = query.limit - len(found)
                found += some.rows[:left]
                reached = some.after(left)
                if len(found) == query.limit:
                    break
            else:
                reached = None
        return FoundLate(tuple(row.event for row in found), to_cursor(fingerprint, text_of(reached)))

    def summary(self, query: LateSummaryQuery) -> LateSummary:
        """All late arrivals, counted as far as the reads of a request go."""
        fingerprint = query_fingerprint(query)
        begin = Position.of(from_cursor(fingerprint, query.cursor), query)
        reached: Position | None = begin
        groups = dict[tuple[str, str, Instant], LateGroup]()
        with suppress(ReadsSpent):
            for some in self.arrivals.rows(query, begin, ROWS_A_READ, PaidReads(self.concurrently, REQUEST_US)):
                for event in some.events:
                    key = event.source, event.event_type, start_of_hour(event.ingest_time)
                    groups.setdefault(key, LateGroup.of(event)).add(event)
                reached = some.next
            reached = None
        last_first = sorted(groups.values(), key=lambda group: (group.hour, group.events), reverse=True)
        return LateSummary(tuple(last_first), to_cursor(fingerprint, text_of(reached)))
