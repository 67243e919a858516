"""Daily aggregates: a commutative monoid, so that batches may be merged in any order and grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from chalicelib.aggregates import multiset_hash
from chalicelib.aggregates.inputs import Input
from chalicelib.core.calendars import window_in
from chalicelib.core.timestamps import CALENDAR, Day, Instant, Window
from chalicelib.metrics.contribution import Contributed
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.metrics.metric_state import MetricState, merged, state_of

SAMPLE_SIZE = 10
TYPES_LISTED = 100
"""A version fits into a row, however many types its events have.

A type that is not among the first hundred of a part is not among those of the whole either, so merging stays exact.
"""


@dataclass(frozen=True, slots=True)
class Version:
    """Which aggregate: one entity and a day of a calendar, as one replay computed it.

    `of_job` is False where no job counts progress: a bare object reference, whose version id its content determines.
    """

    entity_id: str
    day: Day
    replay_id: str
    of_job: bool = True
    calendar: str = CALENDAR

    @property
    def window(self) -> Window:
        """All of its day."""
        return window_in(self.calendar, self.day)


Definitions = tuple[Definition, ...]

States = Mapping[str, MetricState]
"""States by the hashes of their definitions, in the order of these."""


def definitions_in(calendar: str, pinned: Iterable[Definition] = ()) -> Definitions:
    """What a version of a day of this calendar has, of the definitions that its replay computes."""
    own = tuple(each for each in pinned if each.time_zone == calendar and each not in BUILT_IN)
    return (*BUILT_IN, *own) if calendar == CALENDAR else own


def _of_no_input() -> States:
    return {definition.sha256: MetricState(definition) for definition in BUILT_IN}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The aggregate of a set of inputs; `Aggregate()` is that of none.

    `counts_by_type` has the first hundred types in the order of their code points. `samples` are the
    (event_time, event_id) of the ten earliest inputs; `state` is that of the inputs hash.
    """

    event_count: int = 0
    counts_by_type: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    samples: tuple[tuple[Instant, str], ...] = ()
    state: int = multiset_hash.EMPTY
    states: States = field(default_factory=_of_no_input)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics as rows and answers have them."""
        return [members for state in self.states.values() for members in state.members]

    @property
    def other_types_count(self) -> int:
        """How many inputs are of types that are not listed."""
        return self.event_count - sum(self.counts_by_type.values())

    @property
    def inputs_hash(self) -> str:
        """64 hex digits that depend on the set of inputs alone."""
        return multiset_hash.digest(self.state)

    @property
    def sample_event_ids(self) -> list[str]:
        """The ids of the ten earliest inputs."""
        return [event_id for _, event_id in self.samples]


def aggregate_of(inputs: Iterable[Input], definitions: Definitions = BUILT_IN) -> Aggregate:
    """The aggregate of distinct inputs."""
    events = list(inputs)
    return Aggregate(
        event_count=len(events),
        counts_by_type=_listed(Counter(event.event_type for event in events)),
        samples=tuple(sorted(event.key for event in events)[:SAMPLE_SIZE]),
        state=multiset_hash.combine(multiset_hash.element(event.event_id, event.content_sha256) for event in events),
        states={each.sha256: state_of(each, _contributed(events, each)) for each in definitions},
    )


def merge(left: Aggregate, right: Aggregate, definitions: Definitions = BUILT_IN) -> Aggregate:
    """The aggregate of the union of two disjoint sets of inputs."""
    return Aggregate(
        event_count=left.event_count + right.event_count,
        counts_by_type=_listed(Counter(left.counts_by_type) + Counter(right.counts_by_type)),
        samples=tuple(sorted(left.samples + right.samples)[:SAMPLE_SIZE]),
        state=multiset_hash.combine((left.state, right.state)),
        states=_merged(left, right, definitions),
    )


def _contributed(events: Iterable[Input], definition: Definition) -> Iterator[tuple[str, Contributed | None]]:
    return ((event.event_id, event.contributed_to(definition)) for event in events)


def _merged(left: Aggregate, right: Aggregate, definitions: Definitions) -> States:
    return {
        each.sha256: merged(*(side.states.get(each.sha256, MetricState(each)) for side in (left, right)))
        for each in definitions
    }


def _listed(counts: Mapping[str, int]) -> Mapping[str, int]:
    return dict(sorted(counts.items())[:TYPES_LISTED])
