"""Finds the history of one event: later arrivals, the aggregates that contain it, its raw text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.ports import AggregateHistory
from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import day_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.event import is_event_id
from chalicelib.events.ports import EventIndex, Identities, RawStore
from chalicelib.events.raw_lines import verified
from chalicelib.events.raw_objects import RawLine, StoredEvent

ARRIVALS_SHOWN = 1_000
"""A retry storm may have brought more than an answer can hold."""

VERSIONS_LOOKED_AT = 1_000
VERSIONS_A_READ = 200
INPUTS_A_LOOK_UP = 100


@dataclass(frozen=True, slots=True)
class EventHistory:
    """An event, the arrivals of its identity, and the aggregates that it went into; and whether there are more."""

    event: StoredEvent
    arrivals: tuple[Arrival, ...]
    more_arrivals: bool
    aggregates: tuple[Version, ...]
    more_aggregates: bool


@dataclass(frozen=True)
class InvestigateEvent:
    """The use cases behind GET /events/{event_id} and its raw text."""

    identities: Identities
    index: EventIndex
    raw: RawStore
    aggregates: AggregateHistory
    concurrently: Concurrently

    def history(self, event_id: str) -> EventHistory:
        """What is known of an event; raises NotFound."""
        event = self._event(event_id)
        arrivals = self.index.arrivals(event_id, ARRIVALS_SHOWN + 1)
        more = len(arrivals) > ARRIVALS_SHOWN
        return EventHistory(event, tuple(arrivals[:ARRIVALS_SHOWN]), more, *self._versions_with(event))

    def raw_line(self, event_id: str) -> RawLine:
        """The event's raw line, its hash checked; raises NotFound or IntegrityFailure."""
        event = self._event(event_id)
        return verified(event, self.raw.read(event.location))

    def _versions_with(self, event: StoredEvent) -> tuple[tuple[Version, ...], bool]:
        """The versions that an event went into, newest first, and whether there may be more than were looked at."""
        reads, found = PaidReads(self.concurrently, REQUEST_US), list[Version]()
        entity_id, day, after = event.entity_id, day_of(event.event_time), None
        for _ in range(VERSIONS_LOOKED_AT // VERSIONS_A_READ):
            try:
                [page] = reads(lambda at: self.aggregates.versions(entity_id, day, at, VERSIONS_A_READ), [after])
                found += self._holding(event, [stored.version for stored in page.versions], reads)
            except ReadsSpent:
                break
            after = page.read_to
            if after is None:
                return tuple(found), False
        return tuple(found), True

    def _holding(self, event: StoredEvent, versions: Sequence[Version], reads: PaidReads) -> list[Version]:
        look_ups = chunked([(version, event) for version in versions], INPUTS_A_LOOK_UP)
        return [version for found in reads(self.aggregates.inputs_among, look_ups) for version, _ in found]

    def _event(self, event_id: str) -> StoredEvent:
        known = self.identities.first_seen([event_id], consistent=True) if is_event_id(event_id) else {}
        event = known.get(event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id[:64]}.")
        return event
