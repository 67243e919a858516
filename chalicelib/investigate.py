"""Answer questions about one event: what became of it, what it went into, its raw text."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.aggregation import Version
from chalicelib.domain.errors import IntegrityFailure, NotFound
from chalicelib.domain.identity import is_event_id
from chalicelib.domain.ingest_report import Arrival
from chalicelib.domain.ports import AggregateHistory, EventIndex, Identities, RawStore
from chalicelib.domain.raw_line import RawLine, StoredEvent, parse_line
from chalicelib.domain.timestamps import day_of
from chalicelib.domain.verification import verify

ARRIVALS_SHOWN = 1_000
"""A retry storm may have brought more than an answer can hold."""


@dataclass(frozen=True, slots=True)
class EventHistory:
    """An event, later arrivals of its identity (and whether there are more), and the aggregates that it went into."""

    event: StoredEvent
    arrivals: tuple[Arrival, ...]
    more_arrivals: bool
    aggregates: tuple[Version, ...]


@dataclass(frozen=True)
class InvestigateEvent:
    """The use cases behind GET /events/{event_id} and its raw text."""

    identities: Identities
    index: EventIndex
    raw: RawStore
    aggregates: AggregateHistory

    def __call__(self, event_id: str) -> EventHistory:
        """What is known of an event; raises NotFound."""
        event = self._event(event_id)
        arrivals = self.index.arrivals(event_id, ARRIVALS_SHOWN + 1)
        more = len(arrivals) > ARRIVALS_SHOWN
        return EventHistory(event, tuple(arrivals[:ARRIVALS_SHOWN]), more, tuple(self._versions_with(event)))

    def raw_line(self, event_id: str) -> RawLine:
        """The event's raw line, its hash checked; raises NotFound or IntegrityFailure."""
        event = self._event(event_id)
        line = parse_line(self.raw.read(event.location))
        verify(line)
        if (line.event_id, line.content_sha256) != (event.event_id, event.content_sha256):
            raise IntegrityFailure(f"The raw object {event.location.key} does not hold the event {event_id}.")
        return line

    def _versions_with(self, event: StoredEvent) -> list[Version]:
        """The versions that an event went into, newest first."""
        versions = self.aggregates.versions(event.entity_id, day_of(event.event_time))
        found = self.aggregates.inputs_among([(stored.version, event) for stored in versions])
        return [version for version, _ in found]

    def _event(self, event_id: str) -> StoredEvent:
        known = self.identities.first_seen([event_id], consistent=True) if is_event_id(event_id) else {}
        event = known.get(event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id[:64]}.")
        return event
