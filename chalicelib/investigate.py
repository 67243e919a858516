"""Answer questions about what is stored: an event and its arrivals, its raw text, the aggregates of a day."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.errors import IntegrityFailure, NotFound
from chalicelib.domain.ingest_report import Arrival
from chalicelib.domain.ports import AggregateStore, AggregateVersion, EventIndex, Identities, RawStore, ReplayStore
from chalicelib.domain.raw_line import RawLine, StoredEvent, parse_line
from chalicelib.domain.timestamps import Day, Instant
from chalicelib.domain.verification import verify


@dataclass(frozen=True, slots=True)
class EventHistory:
    """An event and every later arrival of its identity."""

    event: StoredEvent
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True)
class InvestigateEvent:
    """The use cases behind GET /events/{event_id} and its raw text."""

    identities: Identities
    index: EventIndex
    raw: RawStore

    def __call__(self, event_id: str) -> EventHistory:
        """What is known of an event; raises NotFound."""
        return EventHistory(self._event(event_id), tuple(self.index.arrivals(event_id)))

    def raw_line(self, event_id: str) -> RawLine:
        """The event's raw line, its hash checked; raises NotFound or IntegrityFailure."""
        event = self._event(event_id)
        line = parse_line(self.raw.read(event.location))
        verify(line)
        if (line.event_id, line.content_sha256) != (event.event_id, event.content_sha256):
            raise IntegrityFailure(f"The raw object {event.location.key} does not hold the event {event_id}.")
        return line

    def _event(self, event_id: str) -> StoredEvent:
        event = self.identities.first_seen([event_id]).get(event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id}.")
        return event


@dataclass(frozen=True, slots=True)
class DailyAggregates:
    """Every version of an entity's daily aggregate, newest first.

    `late_arrivals` counts the events of that day that are not in the newest version and came after it was asked for.
    """

    entity_id: str
    day: Day
    versions: tuple[AggregateVersion, ...]
    late_arrivals: int


@dataclass(frozen=True)
class InvestigateAggregates:
    """The use case behind GET /aggregates."""

    aggregates: AggregateStore
    index: EventIndex
    replays: ReplayStore

    def __call__(self, entity_id: str, day: Day) -> DailyAggregates:
        """All versions there are, which may be none."""
        versions = tuple(self.aggregates.versions(entity_id, day))
        late = self._arrived_since(versions[0]) if versions else 0
        return DailyAggregates(entity_id, day, versions, late)

    def _arrived_since(self, newest: AggregateVersion) -> int:
        version = newest.version
        candidates = self.index.arrived_since(version.entity_id, version.day, self._asked_at(newest))
        known = {single.event_id for single in self.aggregates.inputs(version)} if candidates else set()
        return sum(event.event_id not in known for event in candidates)

    def _asked_at(self, newest: AggregateVersion) -> Instant:
        job = self.replays.get(newest.version.replay_id)
        return job.created_at if job is not None else newest.computed_at
