"""Finds the metric that a request names: its definition in a version, and its difference between two, by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.errors import Fault, InvalidRequest, NotFound
from chalicelib.metrics.contribution import Group
from chalicelib.metrics.exact_number import ZERO, Exact
from chalicelib.metrics.metric_state import REST, GroupState, MetricState, values_by_path


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A group in two versions. A side is None that has no input of it."""

    group: Mapping[str, str]
    from_: GroupState | None
    to: GroupState | None

    @property
    def delta(self) -> Exact:
        """By how much a count or a sum changed."""
        return _sum_of([self.to]) - _sum_of([self.from_])


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
    def adds_up(self) -> bool:
        """Whether the change is the sum of what events contribute to it."""
        return self.from_.definition.kind.adds_up and self.to.definition.kind.adds_up

    @property
    def delta(self) -> Exact:
        """By how much a count or a sum changed, over all groups."""
        return total(self.to) - total(self.from_)

    @property
    def groups(self) -> list[GroupChange]:
        """Each group that has inputs in one of them. Their deltas add up to that of the whole.

        A group that one version lists, and the other may have folded into that of all others, is folded in both.
        """
        before, after = _comparable(self.from_, self.to), _comparable(self.to, self.from_)
        sides = [dict(_by_path(self.from_, before)), dict(_by_path(self.to, after))]
        return [
            GroupChange(dict(named), *(side.get(named) for side in sides))
            for named in dict.fromkeys([*sides[0], *sides[1]])
        ]


def metric_change(from_: AggregateVersion, to: AggregateVersion, name: str) -> MetricChange:
    """A metric of both versions; raises NotFound if one lacks it."""
    before, after = metric_named(from_, name), metric_named(to, name)
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
    return _sum_of(state.groups.values())


def value_over_all(state: MetricState) -> str | None:
    """The value over all groups, as text. None without inputs, and for groups whose values cannot be folded."""
    kind = state.definition.kind
    if kind.of_all is not None and len(state.groups) > 1:
        return None
    whole = reduce(lambda left, right: left.merged(right, kind), state.groups.values())
    value: str | None = kind.answer(whole.folded, whole.inputs)["value"]
    return value


def _sum_of(states: Iterable[GroupState | None]) -> Exact:
    folded = (state.folded for state in states if state is not None)
    return reduce(add, (each for each in folded if isinstance(each, Exact)), ZERO)


def _comparable(state: MetricState, other: MetricState) -> Mapping[Group, GroupState]:
    """The groups of a state, without those that the other may have folded: these are folded here, too."""
    hidden = [group for group in state.groups if group not in other.groups and other.may_fold(group)]
    if state.definition.group_by != other.definition.group_by or not hidden:
        return state.groups
    kept = {group: each for group, each in state.groups.items() if group not in hidden}
    folded = (state.groups[group] for group in hidden)
    return kept | {REST: reduce(lambda left, right: left.merged(right, state.definition.kind), folded, kept[REST])}


def _by_path(
    state: MetricState, groups: Mapping[Group, GroupState]
) -> Iterator[tuple[tuple[tuple[str, str], ...], GroupState]]:
    for group, each in groups.items():
        if each.inputs:
            yield tuple(values_by_path(state.definition, group).items()), each


def _not_found(stored: AggregateVersion, name: str, names: Sequence[str]) -> NotFound:
    fault = Fault("metric", f"is not among {', '.join(names) or 'its metrics'}. A replay that names it computes it")
    return NotFound(f"The version {stored.version.replay_id} has no metric {name}.", (fault,))
