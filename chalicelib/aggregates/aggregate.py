"""Daily aggregates: a commutative monoid, so that batches may be merged in any order and grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from chalicelib.aggregates import multiset_hash
from chalicelib.core.timestamps import Day, Instant

METRIC_NAME = "daily_event_count"
SAMPLE_SIZE = 10
TYPES_LISTED = 100
"""A version fits into a row, however many types its events have.

A type that is not among the first hundred of a part is not among those of the whole either, so merging stays exact.
"""


InputKey = tuple[Instant, str]
"""The time and id of an input."""


@dataclass(frozen=True, slots=True, order=True)
class Input:
    """One event that went into an aggregate; ordered by time, then id."""

    event_time: Instant
    event_id: str
    event_type: str
    content_sha256: str

    @property
    def key(self) -> InputKey:
        """What tells inputs of a version apart: an id comes twice if an identity expired and its key was used again."""
        return self.event_time, self.event_id


@dataclass(frozen=True, slots=True)
class Version:
    """Which aggregate: one entity and UTC day, as one replay computed it.

    `of_job` is False where no job counts progress: a bare object reference, whose version id its content determines.
    """

    entity_id: str
    day: Day
    replay_id: str
    of_job: bool = True


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The aggregate of a set of inputs; `Aggregate()` is that of none.

    `counts_by_type` has the first hundred types in the order of their code points. `samples` are the
    (event_time, event_id) of the ten earliest inputs; `state` is that of the inputs hash.
    """

    input_count: int = 0
    counts_by_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    samples: tuple[tuple[Instant, str], ...] = ()
    state: int = multiset_hash.EMPTY

    @property
    def value(self) -> int:
        """The metric `daily_event_count`."""
        return self.input_count

    @property
    def other_types_count(self) -> int:
        """How many inputs are of types that are not listed."""
        return self.input_count - sum(self.counts_by_type.values())

    @property
    def inputs_hash(self) -> str:
        """64 hex digits that depend on the set of inputs alone."""
        return multiset_hash.digest(self.state)

    @property
    def sample_event_ids(self) -> list[str]:
        """The ids of the ten earliest inputs."""
        return [event_id for _, event_id in self.samples]


def aggregate_of(inputs: Iterable[Input]) -> Aggregate:
    """The aggregate of distinct inputs."""
    events = list(inputs)
    return Aggregate(
        input_count=len(events),
        counts_by_type=_listed(Counter(event.event_type for event in events)),
        samples=tuple(sorted(event.key for event in events)[:SAMPLE_SIZE]),
        state=multiset_hash.combine(multiset_hash.element(event.event_id, event.content_sha256) for event in events),
    )


def merge(left: Aggregate, right: Aggregate) -> Aggregate:
    """The aggregate of the union of two disjoint sets of inputs."""
    return Aggregate(
        input_count=left.input_count + right.input_count,
        counts_by_type=_listed(Counter(left.counts_by_type) + Counter(right.counts_by_type)),
        samples=tuple(sorted(left.samples + right.samples)[:SAMPLE_SIZE]),
        state=multiset_hash.combine((left.state, right.state)),
    )


def _listed(counts: Mapping[str, int]) -> Mapping[str, int]:
    return dict(sorted(counts.items())[:TYPES_LISTED])
