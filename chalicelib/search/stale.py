"""Finds stale numbers: days of entities that late events belong to, and whose newest version lacks events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chalicelib.aggregates.newest_versions import EntityDay, NewestVersion, NewestVersions
from chalicelib.aggregates.ports import AggregateHistory
from chalicelib.core.pagination import from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import day_of
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.ports import ReplayStore
from chalicelib.search.late_arrivals import LateArrivals, LateRows, Position, text_of
from chalicelib.search.queries import StaleQuery

_EVENTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class StaleDay:
    """A day of an entity, its newest version, and the late events that led to it."""

    entity_day: EntityDay
    newest: NewestVersion
    late: Sequence[StoredEvent]


@dataclass
class LookedAt:
    """The days of the late events that were looked at, and the newest version of each that has one."""

    late: dict[EntityDay, list[StoredEvent]] = field(default_factory=dict)
    newest: dict[EntityDay, NewestVersion] = field(default_factory=dict)

    def add(self, events: Sequence[StoredEvent], versions: NewestVersions) -> None:
        """Look at the days of events; raises ReadsSpent, and nothing has changed then."""
        days = [_entity_day(event) for event in events]
        self.newest |= versions.of([day for day in dict.fromkeys(days) if day not in self.late])
        for day, event in zip(days, events, strict=True):
            self.late.setdefault(day, []).append(event)

    @property
    def stale(self) -> list[StaleDay]:
        """The days whose newest version lacks events, the worst first."""
        lacking = ((day, newest) for day, newest in self.newest.items() if newest.arrived_since)
        worst_first = sorted(lacking, key=lambda item: (-item[1].arrived_since, item[0]))
        return [StaleDay(day, newest, self.late[day]) for day, newest in worst_first]


@dataclass(frozen=True, slots=True)
class FoundStale:
    """What was looked at, and the cursor to further late arrivals."""

    looked_at: LookedAt
    cursor: str | None


@dataclass(frozen=True)
class FindStale:
    """The use case behind GET /stale."""

    arrivals: LateArrivals
    history: AggregateHistory
    index: EventIndex
    replays: ReplayStore
    concurrently: Concurrently

    def find(self, query: StaleQuery) -> FoundStale:
        """Stale days among those of late arrivals: about as many as wanted, as far as the reads of a request go."""
        fingerprint = query_fingerprint(query)
        begin = Position.of(from_cursor(fingerprint, query.cursor), query)
        reads = PaidReads(self.concurrently, REQUEST_US)
        versions = NewestVersions(self.history, self.index, self.replays, reads)
        looked_at = LookedAt()
        reached: Position | None = begin
        with suppress(ReadsSpent):
            for some in self._parts(query, begin, reads):
                looked_at.add(list(some.events), versions)
                reached = some.next
                if len(looked_at.stale) >= query.limit:
                    break
            else:
                reached = None
        return FoundStale(looked_at, to_cursor(fingerprint, text_of(reached)))

    def _parts(self, query: StaleQuery, begin: Position, reads: PaidReads) -> Iterator[LateRows]:
        for some in self.arrivals.rows(query, begin, _EVENTS_AT_ONCE, reads):
            yield from some.parts(_EVENTS_AT_ONCE)


def _entity_day(event: StoredEvent) -> EntityDay:
    return event.entity_id, day_of(event.event_time)
