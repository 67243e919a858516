"""The inputs of an aggregate: its events, with what each contributed to metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.core.timestamps import Instant
from chalicelib.metrics.contribution import EVERY_EVENT, Contributed
from chalicelib.metrics.definition import Definition

InputKey = tuple[Instant, str]
"""The time and id of an input."""


@dataclass(frozen=True, slots=True, order=True)
class Input:
    """One event that went into an aggregate; ordered by time, then id.

    `contributed` is by the hashes of definitions, without those that count every event.
    """

    event_time: Instant
    event_id: str
    event_type: str
    content_sha256: str
    contributed: Mapping[str, Contributed] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> InputKey:
        """Distinguishes inputs of a version: an id comes twice if an identity expired and its key was used again."""
        return self.event_time, self.event_id

    def contributed_to(self, definition: Definition) -> Contributed | None:
        """What it contributed to a metric; None if the metric's definition does not select it."""
        return EVERY_EVENT if definition.counts_every_event else self.contributed.get(definition.sha256)


@dataclass(frozen=True, slots=True)
class FoundInputs:
    """A page of a version's inputs, and the cursor to the next. `exact` if it has the biggest: whether of all."""

    inputs: tuple[Input, ...]
    cursor: str | None
    metric: Definition | None = None
    exact: bool | None = None
