"""Finds the metric that a request names: its definition in a version, and its difference between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.errors import Fault, InvalidRequest, NotFound
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ZERO, Exact
from chalicelib.metrics.metric_state import MetricState


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric in two versions, by the definition that each has."""

    from_: MetricState
    to: MetricState
    inputs_differ: bool

    @property
    def definition_differs(self) -> bool:
        """Whether the versions have different definitions of it."""
        return self.from_.definition.sha256 != self.to.definition.sha256

    @property
    def delta(self) -> Exact:
        """By how much it changed, over all groups."""
        return total(self.to) - total(self.from_)


def metric_change(from_: AggregateVersion, to: AggregateVersion, name: str) -> MetricChange:
    """A metric of both versions; raises NotFound if one lacks it, and InvalidRequest if its values do not add up."""
    before, after = metric_named(from_, name), metric_named(to, name)
    for state in (before, after):
        _require_additive(state.definition)
    return MetricChange(before, after, from_.aggregate.inputs_hash != to.aggregate.inputs_hash)


def metric_named(stored: AggregateVersion, name: str) -> MetricState:
    """The metric of this name that a version has; raises NotFound, or InvalidRequest if it has two."""
    states = stored.aggregate.states.values()
    match [state for state in states if state.definition.name == name]:
        case [state]:
            return state
        case []:
            raise _not_found(stored, name, sorted({state.definition.name for state in states}))
        case _:
            fault = Fault("metric", "is the name of two definitions in this version. Ask without it for the values")
            raise InvalidRequest(f"The version {stored.version.replay_id} has two metrics {name}.", (fault,))


def total(state: MetricState) -> Exact:
    """What a count or a sum comes to over all groups."""
    folded = (group.folded for group in state.groups.values())
    return reduce(add, (each for each in folded if isinstance(each, Exact)), ZERO)


def _require_additive(definition: Definition) -> None:
    if not definition.kind.adds_up:
        what = f"is of aggregate {definition.aggregate}. Only count and sum change by what each event contributes"
        fault = Fault("metric", f"{what}. Leave it out: `from` and `to` have both values")
        raise InvalidRequest(f"A difference of {definition.name} is not a sum of contributions.", (fault,))


def _not_found(stored: AggregateVersion, name: str, names: Sequence[str]) -> NotFound:
    fault = Fault("metric", f"is not among {', '.join(names) or 'its metrics'}. A replay that names it computes it")
    return NotFound(f"The version {stored.version.replay_id} has no metric {name}.", (fault,))
