"""Defines what tracing daily aggregates needs from storage, in domain terms. Adapters provide it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chalicelib.aggregates.aggregate import Aggregate, Definitions, Version, definitions_in
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.metric_rows import Packed, unpacked_state
from chalicelib.core.timestamps import CALENDAR, Day, Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.contribution import Group
from chalicelib.metrics.definition import Definition

INPUTS_A_LOOK_UP = 100
"""As many as DynamoDB reads in one call."""


@dataclass(frozen=True, slots=True)
class AggregateVersion:
    """A stored version of a daily aggregate. `packed` has the metrics that its replay pins, None if it pins none."""

    version: Version
    aggregate: Aggregate
    computed_at: Instant
    packed: Packed | None = None

    def with_metrics(self, pinned: Iterable[Definition]) -> AggregateVersion:
        """The version with the metrics that its replay pins."""
        if self.packed is None:
            return self
        count = self.aggregate.event_count
        definitions = definitions_in(self.version.calendar, pinned)
        states = {each.sha256: unpacked_state(each, self.packed, count) for each in definitions}
        return replace(self, aggregate=replace(self.aggregate, states=states))


@dataclass(frozen=True, slots=True)
class VersionsPage:
    """Versions of a daily aggregate, newest first, and the position up to which they were read, None if to the end."""

    versions: tuple[AggregateVersion, ...]
    read_to: str | None

    @property
    def brought(self) -> int:
        """How many rows were fetched."""
        return len(self.versions)


@dataclass(frozen=True, slots=True)
class InputsPage:
    """Inputs of a version in order, and the sort key up to which they were read, None if to the end.

    A version's messages that are no inputs are passed over, so a page may hold none and still not be the last.
    """

    inputs: tuple[Input, ...]
    read_to: str | None

    @property
    def brought(self) -> int:
        """How many rows were fetched."""
        return len(self.inputs)


class AggregateHistory(Protocol):
    """What is kept of daily aggregates: their versions, and the events that went into each."""

    def versions(
        self, entity_id: str, day: Day, after: str | None, limit: int, calendar: str = CALENDAR
    ) -> VersionsPage:
        """At most `limit` versions of a daily aggregate, newest first, after a position."""

    def named(
        self, entity_id: str, day: Day, replay_ids: Collection[str], calendar: str = CALENDAR
    ) -> list[AggregateVersion]:
        """Those versions of at most 100 replays that there are."""

    def inputs(self, version: Version, after: str | None, limit: int, definitions: Definitions = ()) -> InputsPage:
        """The inputs among at most `limit` messages of a version, by time and id, after a position.

        Each with what it contributed to these definitions.
        """

    def position_of(self, single: Input) -> str:
        """The position just behind an input."""

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        """Those of at most INPUTS_A_LOOK_UP candidates whose event went into the version."""


class VersionsOfEntities(AggregateHistory, Protocol):
    """What is kept of daily aggregates, also by replay."""

    def of_entities(self, of: Version, entity_ids: Collection[str]) -> list[AggregateVersion]:
        """Those versions that the same replay has of the same day for at most 100 entities."""


class DefinitionsByHash(Protocol):
    """Definitions of metrics, which never change."""

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Definitions in the order of their hashes; raises NotFound if one is unknown."""


Values = Mapping[Group, str]
"""Of a metric, by group."""


@dataclass(frozen=True, slots=True)
class ValuesKey:
    """Which values: those of a version's metric, by its definition, and of which inputs."""

    version: Version
    definition_sha256: str
    inputs_hash: str


class KeptValues(Protocol):
    """Values that were computed from all inputs of a version. Each is kept once and never changes."""

    def find(self, key: ValuesKey) -> Values | None:
        """The values, if they are kept."""

    def keep(self, key: ValuesKey, values: Values) -> None:
        """Keep values. If there are some, they stay."""
