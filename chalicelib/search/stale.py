"""Finds stale numbers, days of entities whose newest version lacks late events, and the replays that mend them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chalicelib.aggregates.newest_versions import EntityDay, NewestVersion, NewestVersions
from chalicelib.aggregates.ports import AggregateHistory
from chalicelib.core.pagination import from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import day_after, day_of, end_of, start_of
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.filters import MAX_NAMES
from chalicelib.replays.ports import ReplayStore
from chalicelib.replays.request import MAX_DAYS
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


Request = dict[str, object]
"""A body for POST /replay."""

Lags = dict[EntityDay, int]
"""Days that late events of a source and type belong to, and how late the latest of each is."""


def replays_for(stale: Sequence[StaleDay]) -> list[Request]:
    """Requests that together send every stale day: its late events find it, and all of the day is sent."""
    if len(stale) == 1:
        entity_id, day = stale[0].entity_day
        return [{"entity_id": entity_id, "start_time": start_of(day), "end_time": end_of(day)}]
    left, by_source = {each.entity_day for each in stale}, _by_source(stale)
    requests = list[Request]()
    while left:
        source = max(by_source, key=lambda name: (len(left & _days_of(by_source[name])), name))
        request, covered = _request(source, by_source[source], left)
        requests.append(request)
        left -= covered
    return requests


def _request(source: str, by_type: Mapping[str, Lags], left: set[EntityDay]) -> tuple[Request, set[EntityDay]]:
    """The request that covers most of the days by events of a source, and which it covers."""
    wanted = _within_one_replay(left & _days_of(by_type))
    types, lags = list[str](), Lags()
    while len(types) < MAX_NAMES and (missing := wanted - lags.keys()):
        event_type = max(by_type, key=lambda name: (len(missing & by_type[name].keys()), name))
        types.append(event_type)
        lags |= {day: by_type[event_type][day] for day in missing & by_type[event_type].keys()}
    days = sorted(day for _, day in lags)
    named: Request = {"event_type": types[0]} if len(types) == 1 else {"event_types": types}
    bounds = {"start_day": days[0], "end_day": days[-1], "whole_days": True}
    return {"source": source, **named, **bounds, "include": {"min_lag_ms": min(lags.values())}}, set(lags)


def _by_source(stale: Sequence[StaleDay]) -> Mapping[str, Mapping[str, Lags]]:
    found = defaultdict[str, dict[str, Lags]](dict)
    for each in stale:
        for event in each.late:
            lags = found[event.source].setdefault(event.event_type, {})
            lags[each.entity_day] = max(event.ingest_lag_ms, lags.get(each.entity_day, 0))
    return found


def _days_of(by_type: Mapping[str, Lags]) -> set[EntityDay]:
    return set().union(*by_type.values())


def _within_one_replay(days: set[EntityDay]) -> set[EntityDay]:
    """As many days from the first on as one replay may have."""
    end = day_after(min(day for _, day in days), MAX_DAYS)
    return {each for each in days if each[1] < end}
