"""Defines what reading and storing events needs of storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.pagination import PageOf
from chalicelib.core.timestamps import CLOCKS_DIFFER_MS, Instant, Window
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.event import Event
from chalicelib.events.index_pages import LateDayPartition, Page, Partition
from chalicelib.events.raw_objects import RawLocation, Receipt, StoredEvent


class RawStore(Protocol):
    """Write-once storage of verbatim events."""

    @property
    def bucket(self) -> str:
        """The raw bucket's name, which messages must refer to."""

    def key_of(self, events: Sequence[Event], ingest_time: Instant) -> str:
        """The key that `put_once` would use."""

    def put_once(self, events: Sequence[Event], receipt: Receipt) -> list[StoredEvent]:
        """Store events of one source and day as one object; if it is there already, keep it and its receipt."""

    def read(self, location: RawLocation) -> bytes:
        """The bytes of a line, or of several neighbouring ones; raises RawObjectMissing or IntegrityFailure."""

    def read_lines(self, bucket: str, key: str) -> list[bytes]:
        """Every line of an object; raises RawObjectMissing, or IntegrityFailure if it is larger than any."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which rows of a partition are wanted."""

    source: str | None = None
    event_type: str | None = None
    min_lag_ms: int | None = None


EVERY_EVENT = EventFilter()


NOT_AHEAD = EventFilter(min_lag_ms=-CLOCKS_DIFFER_MS)
"""Events whose own times are believed."""


class Identities(Protocol):
    """Which events are known, and which request wrote their rows."""

    def first_seen(self, event_ids: Sequence[str], *, consistent: bool = False) -> dict[str, StoredEvent]:
        """The events known under these ids; a very recent one may be missed unless the read is consistent."""

    def admit(self, events: Sequence[StoredEvent], written_by: str, received_at: Instant) -> dict[str, StoredEvent]:
        """Write identity and index rows together if there are none; returns the events that were there first.

        `written_by` is the request that writes, which need not be the one whose raw line the rows are of.
        """


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows there were, and the position up to which they were counted, None if to the end."""

    rows: int
    read_to: str | None

    @property
    def brought(self) -> int:
        """No row is fetched to be counted."""
        return 0


@dataclass(frozen=True, slots=True)
class SourceAndType:
    """A source and type, and when its first event was received."""

    source: str
    event_type: str
    first_seen: Instant


class Sources(Protocol):
    """Every source and type that an event was ever accepted of."""

    def record(self, events: Sequence[StoredEvent]) -> None:
        """Record the sources and types of events, before their rows are written: so a crash hides none."""

    def page(self, after: str | None, limit: int, source: str | None = None) -> PageOf[SourceAndType]:
        """At most `limit` sources and types, or types of one source, after a position."""


class EventIndex(Protocol):
    """Events in a window, and arrivals."""

    def record(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Record duplicates and conflicts as far as storage takes them. Returns those that it may not have."""

    def arrivals(self, event_id: str, limit: int) -> list[Arrival]:
        """At most `limit` arrivals of an identity, oldest first."""

    def duplicates(self, event_id: str, after: str | None, limit: int) -> PageOf[Arrival]:
        """At most `limit` duplicates of an event, oldest first, after a position."""

    def page(
        self,
        partition: Partition,
        after: str | None,
        limit: int,
        wanted: EventFilter = EVERY_EVENT,
        *,
        newest_first: bool = False,
    ) -> Page:
        """At most `limit` rows of a partition, in time order, after a position; reads no more than that."""

    def count(self, partition: Partition, after: str | None, wanted: EventFilter = EVERY_EVENT) -> Counted:
        """How many rows of a partition follow a position and are wanted, as far as one read goes."""

    def late(self, partition: LateDayPartition, after: str | None, limit: int, arrived: Window | None = None) -> Page:
        """Of at most `limit` late arrivals of a partition, the latest first, those that arrived within a window."""

    def has_arrival(self, event_id: str, kind: ArrivalKind) -> bool:
        """Whether an identity has an arrival of this kind."""
