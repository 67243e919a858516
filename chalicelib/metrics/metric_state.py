"""The state of a metric: a commutative monoid over the contributions of distinct events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from chalicelib.metrics.contribution import Contributed, Contribution, Group, Skipped
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ZERO
from chalicelib.metrics.metric_kinds import Amount, Folded, Kind
from chalicelib.metrics.scalars import MAX_TEXT_BYTES

MAX_GROUPS = 100
"""A group that is not among the first hundred of a part, by code points, is not among those of the whole either.

So merging stays exact. Events of all further groups are folded together.
"""
NAMES_BYTES = 3_600
"""Of the listed groups together, so that a version fits into a row: as many as a hundred UUIDs have.

Groups are listed as far as their names fit. More events only move that end forward, so merging stays exact here, too.
"""

REST: Group = ()
"""Where everything is that has no listed group: all of it, if a definition groups by nothing."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is folded of a group's events, how many contributed, and how many were skipped."""

    folded: Folded = None
    inputs: int = 0
    skipped: int = 0

    def merged(self, other: GroupState, kind: Kind) -> GroupState:
        """That of both."""
        folded = kind.merge(self.folded, other.folded)
        return GroupState(folded, self.inputs + other.inputs, self.skipped + other.skipped)


@dataclass(frozen=True, slots=True)
class MetricState:
    """The state of a metric, by group. REST is always there; skipped events are counted in it.

    `unknown_because` says why there is no value, although all inputs together have one.
    """

    definition: Definition
    groups: Mapping[Group, GroupState] = field(default_factory=lambda: MappingProxyType({REST: GroupState()}))
    unknown_because: str = ""

    @property
    def members(self) -> list[dict[str, Any]]:
        """As rows and answers have it. Values are texts, so that no reader rounds them."""
        return [self._members(group, state) for group, state in self.groups.items()]

    @property
    def is_full(self) -> bool:
        """Whether groups were folded into REST: it has inputs, and there may be no room to list one more group."""
        if not self.definition.group_by or not self.groups[REST].inputs:
            return False
        names = sum(len(text.encode()) for group in self.groups for text in group)
        longest = MAX_TEXT_BYTES * len(self.definition.group_by)
        return len(self.groups) > MAX_GROUPS or names + longest > NAMES_BYTES

    def may_fold(self, group: Group) -> bool:
        """Whether inputs of a group that is not listed may be in REST: groups are listed in order."""
        return self.is_full and group > max(self.groups)

    def _members(self, group: Group, state: GroupState) -> dict[str, Any]:
        definition = self.definition
        answer = definition.kind.answer(state.folded, state.inputs)
        if self.unknown_because and state.inputs and state.folded is None:
            answer["unknown_because"] = self.unknown_because
        if group == REST and self.is_full:
            answer["folds_groups"] = True
        return {
            "name": definition.name,
            "definition_sha256": definition.sha256,
            "group": values_by_path(definition, group),
            "value": answer.pop("value"),
            "inputs": state.inputs,
            "skipped": state.skipped,
            **answer,
        }


def state_of(definition: Definition, contributed: Iterable[tuple[str, Contributed | None]]) -> MetricState:
    """The state of distinct events, of each its id and what it contributed. None contributes nothing."""
    kind = definition.kind
    groups: dict[Group, GroupState] = {REST: GroupState()}
    for event_id, found in contributed:
        match found:
            case Skipped():
                _add(groups, REST, GroupState(skipped=1), kind)
            case Contribution(group, amount):
                _add(groups, group, GroupState(kind.of_one(amount, event_id), 1), kind)
    return MetricState(definition, _listed(groups, kind))


def merged(left: MetricState, right: MetricState) -> MetricState:
    """The state of both sets of events, of one definition."""
    kind = left.definition.kind
    groups = dict(left.groups)
    for group, state in right.groups.items():
        _add(groups, group, state, kind)
    return MetricState(left.definition, _listed(groups, kind))


def over_groups(state: MetricState) -> MetricState:
    """The state of all groups together."""
    groups: dict[Group, GroupState] = {}
    for each in state.groups.values():
        _add(groups, REST, each, state.definition.kind)
    return MetricState(state.definition, groups)


def values_of_all(state: MetricState, contributed: Iterable[Contributed | None]) -> dict[Group, str]:
    """The values of all contributions of a metric that needs them at once, by the groups that its state lists."""
    of_all, amounts = state.definition.kind.of_all, defaultdict[Group, list[Amount]](list)
    for each in contributed:
        match each:
            case Contribution(group, amount):
                amounts[group if group in state.groups else REST].append(amount)
    assert of_all is not None, "only asked of these"  # noqa: S101  # narrows the type
    return {group: of_all(some, state.definition.percentile or ZERO) for group, some in amounts.items()}


def read_state(definition: Definition, members: Iterable[Mapping[str, Any]]) -> MetricState:
    """The state that `members` were made of."""
    kind = definition.kind
    states = {
        _group_of(definition, each["group"]): GroupState(kind.read(each), int(each["inputs"]), int(each["skipped"]))
        for each in members
    }
    return MetricState(definition, states)


def values_by_path(definition: Definition, group: Group) -> dict[str, str]:
    """The texts of a group by the paths that its definition groups by; nothing for REST."""
    return dict(zip((pointer.text for pointer in definition.group_by), group, strict=False))


def _group_of(definition: Definition, said: Mapping[str, str]) -> Group:
    return tuple(said[pointer.text] for pointer in definition.group_by) if said else REST


def _add(groups: dict[Group, GroupState], group: Group, state: GroupState, kind: Kind) -> None:
    groups[group] = groups[group].merged(state, kind) if group in groups else state


def _listed(groups: dict[Group, GroupState], kind: Kind) -> dict[Group, GroupState]:
    """The first groups in order, and all others folded into the rest."""
    listed = listed_among(groups)
    for group in groups.keys() - set(listed):
        _add(groups, REST, groups[group], kind)
    return {group: groups[group] for group in listed}


def listed_among(groups: Iterable[Group]) -> list[Group]:
    """Those of groups, REST among them, that a version lists."""
    ordered = sorted(groups)
    names = accumulate(sum(len(text.encode()) for text in group) for group in ordered)
    return [group for group, length in zip(ordered, names, strict=True) if length <= NAMES_BYTES][: MAX_GROUPS + 1]
