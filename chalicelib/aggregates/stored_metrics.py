"""The metrics of stored versions: by the definitions that their replays pin, with values that need all inputs.

Such a value (distinct, percentile) is computed from the rows of the inputs when it is asked for. Once the replay is
settled it is kept, under the hash of the inputs that it was computed from, so that it answers for no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.aggregates import multiset_hash
from chalicelib.aggregates.aggregate import States
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import (
    AggregateHistory,
    AggregateVersion,
    DefinitionsByHash,
    KeptValues,
    Values,
    ValuesKey,
)
from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import every_page
from chalicelib.core.read_budget import READ_US, ROUND_US, ROW_US, PaidReads, ReadsSpent
from chalicelib.metrics.contribution import Contributed
from chalicelib.metrics.metric_state import MetricState, values_of_all
from chalicelib.replays.job import ReplayJob

ROWS_A_READ = 1_000
COMPUTING_US = 80
"""For each input: its contribution is read, and its hash compared. Measured in development: 40 on a whole core."""

_NOT_ASKED = "It needs all inputs. Name the metric to have its value."
_CHANGING = "Its inputs changed while they were read. Ask again once the replay is complete."
_NO_READS = "The request had no reads left for it. Ask for fewer versions."


def with_metrics(stored: AggregateVersion, job: ReplayJob | None, definitions: DefinitionsByHash) -> AggregateVersion:
    """A version with what is folded of the metrics of its replay, as far as it and its definitions are there."""
    if stored.packed is None or job is None:
        return stored
    try:
        return stored.with_metrics(definitions.by_hash([each.definition_sha256 for each in job.metrics]))
    except NotFound:
        return stored


@dataclass(frozen=True)
class StoredMetrics:
    """Completes the metrics of versions, as far as replays and definitions are there."""

    history: AggregateHistory
    definitions: DefinitionsByHash
    kept: KeptValues

    def of(self, stored: AggregateVersion, job: ReplayJob | None) -> AggregateVersion:
        """A version with what is folded of the metrics that its replay pins."""
        found = with_metrics(stored, job, self.definitions)
        return _with_states(found, {state.definition.sha256: _not_asked(state) for state in _of_all(found)})

    def valued(
        self, versions: Sequence[tuple[AggregateVersion, bool]], name: str, reads: PaidReads
    ) -> list[AggregateVersion]:
        """Versions, each with whether its replay is settled, with the values of the metrics of a name.

        A value is exact or null, and then `unknown_because` says why. Those of the first versions are computed first.
        """
        wanted = {
            _key_of(stored, state): (stored, settled, state)
            for stored, settled in versions
            for state in _of_all(stored)
            if state.definition.name == name and any(group.inputs for group in state.groups.values())
        }
        try:
            kept = dict(zip(wanted, reads(self.kept.find, wanted), strict=True))
        except ReadsSpent:
            kept = dict.fromkeys(wanted)
        states = {
            key: _with_values(state, kept[key] or self._made(key, stored, state, reads, settled=settled))
            for key, (stored, settled, state) in wanted.items()
        }
        return [_with_states(stored, _own(stored, states)) for stored, _ in versions]

    def _made(
        self, key: ValuesKey, stored: AggregateVersion, state: MetricState, reads: PaidReads, *, settled: bool
    ) -> Values | str:
        """The values, or why there are none."""
        if reads.left_us <= 0:
            return _NO_READS
        inputs, affordable = stored.aggregate.event_count, _affordable(reads)
        if inputs > affordable:
            return _too_many(inputs, affordable)
        try:
            found = self._computed(stored, state, reads)
        except ReadsSpent:  # rows that are no inputs were read, too
            return _too_many(inputs, affordable)
        if not isinstance(found, str) and settled:
            self.kept.keep(key, found)
        return found

    def _computed(self, stored: AggregateVersion, state: MetricState, reads: PaidReads) -> Values | str:
        version, definition = stored.version, state.definition
        contributed, inputs_hash = list[Contributed | None](), multiset_hash.EMPTY
        for page in every_page(
            lambda after: reads(lambda at: self.history.inputs(version, at, ROWS_A_READ, (definition,)), [after])[0]
        ):
            reads.pay(len(page.inputs) * COMPUTING_US)
            inputs_hash = multiset_hash.combine((inputs_hash, *map(_element, page.inputs)))
            contributed += (each.contributed_to(definition) for each in page.inputs)
        if multiset_hash.digest(inputs_hash) != stored.aggregate.inputs_hash:
            return _CHANGING
        return values_of_all(state, contributed)


def _of_all(stored: AggregateVersion) -> list[MetricState]:
    """The metrics of a version whose values need all of its inputs."""
    return [state for state in stored.aggregate.states.values() if state.definition.kind.of_all is not None]


def _key_of(stored: AggregateVersion, state: MetricState) -> ValuesKey:
    return ValuesKey(stored.version, state.definition.sha256, stored.aggregate.inputs_hash)


def _own(stored: AggregateVersion, states: Mapping[ValuesKey, MetricState]) -> States:
    found = ((state.definition.sha256, states.get(_key_of(stored, state))) for state in _of_all(stored))
    return {sha256: state for sha256, state in found if state is not None}


def _with_states(stored: AggregateVersion, states: States) -> AggregateVersion:
    aggregate = stored.aggregate
    return replace(stored, aggregate=replace(aggregate, states={**aggregate.states, **states}))


def _with_values(state: MetricState, values: Values | str) -> MetricState:
    if isinstance(values, str):
        return replace(state, unknown_because=values)
    groups = {group: replace(each, folded=values.get(group)) for group, each in state.groups.items()}
    return MetricState(state.definition, groups)


def _not_asked(state: MetricState) -> MetricState:
    return replace(state, unknown_because=_NOT_ASKED)


def _element(single: Input) -> int:
    return multiset_hash.element(single.event_id, single.content_sha256)


def _affordable(reads: PaidReads) -> int:
    """How many inputs can be read and computed, in pages that are full."""
    return reads.left_us * ROWS_A_READ // (ROUND_US + READ_US + ROWS_A_READ * (ROW_US + COMPUTING_US))


def _too_many(inputs: int, affordable: int) -> str:
    return (
        f"It needs all {inputs} inputs, and the request had reads for about {affordable}."
        " Page through GET /aggregates/inputs with this metric, which has what each contributed."
    )
