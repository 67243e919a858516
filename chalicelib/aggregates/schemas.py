"""The shapes of metrics and contributions in answers about daily aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from chalicelib.aggregates.asked_metric import GroupChange, MetricChange, total, value_over_all
from chalicelib.aggregates.diff import Weighed
from chalicelib.aggregates.inputs import Input
from chalicelib.core.schemas import Count, JsonSchema, Sha256, Shape, Time
from chalicelib.metrics.contribution import Contributed, Contribution, Skipped
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.metric_state import GroupState, MetricState, values_by_path


class MetricShape(Shape):
    """What a metric comes to in a version."""

    name: str
    definition_sha256: Annotated[Sha256, JsonSchema(description="Of the canonical JSON of its definition.")]
    group: Annotated[
        dict[str, object],
        JsonSchema(description="Texts by the JSON Pointers it groups by; empty if by none, and for groups beyond 100."),
    ]
    value: Annotated[
        str | None, JsonSchema(description="A decimal number as text. Null if no input has what it is computed of.")
    ]
    inputs: Annotated[Count, JsonSchema(description="Inputs that contributed.")]
    skipped: Annotated[Count, JsonSchema(description="Inputs that had nothing to contribute.")]
    unknown_because: NotRequired[
        Annotated[str, JsonSchema(description="Of distinct and percentile: why `value` is null, and what to do.")]
    ]
    folds_groups: NotRequired[
        Annotated[bool, JsonSchema(description="True: groups that are not listed are folded into this entry.")]
    ]
    event_id: NotRequired[
        Annotated[str | None, JsonSchema(description="Of min and max: the event that has the value, the first by id.")]
    ]
    sum: NotRequired[
        Annotated[str | None, JsonSchema(description="Of avg: what the inputs add up to, a decimal number as text.")]
    ]


class InputShape(Shape):
    """An event that went into a version."""

    event_id: Sha256
    event_time: Time
    event_type: str
    content_sha256: Sha256


Value = Annotated[str | None, JsonSchema(description="A decimal number as text. Null if it contributed nothing.")]
Group = Annotated[dict[str, object], JsonSchema(description="Texts by JSON Pointers; empty if it is in no group.")]
Reason = Annotated[str, JsonSchema(description="Why it was skipped.")]


class ContributingInput(InputShape):
    """An event that went into a version, and what it contributed, if a metric is named."""

    value: NotRequired[Value]
    group: NotRequired[Group]
    skipped: NotRequired[Reason]


class ContributionDifference(Shape):
    """An event that contributed to a metric differently in two versions."""

    event_id: Sha256
    event_time: Time
    event_type: str
    from_value: Value
    to_value: Value
    from_group: Group
    to_group: Group
    from_skipped: NotRequired[Reason]
    to_skipped: NotRequired[Reason]


class GroupDifference(Shape):
    """A group of a metric in two versions."""

    group: Group
    from_value: Annotated[str | None, JsonSchema(description="Null if the version has no input of the group.")]
    to_value: Annotated[str | None, JsonSchema(description="Null if the version has no input of the group.")]
    delta: NotRequired[Annotated[str, JsonSchema(description="Of counts and sums: `to_value` minus `from_value`.")]]


class _ComparedMetric(Shape):
    name: str
    from_definition_sha256: Sha256
    to_definition_sha256: Sha256
    differs: Annotated[
        list[Literal["inputs", "definition"]], JsonSchema(description="What differs between the versions.")
    ]
    groups: NotRequired[
        Annotated[list[GroupDifference], JsonSchema(description="If a version groups. The deltas add up to `delta`.")]
    ]


class _UnknownValues(Shape):
    from_unknown_because: NotRequired[str]
    to_unknown_because: NotRequired[str]


class MetricDifference(_ComparedMetric):
    """How a count or a sum differs between two versions, and the page of events that make the difference."""

    from_value: Annotated[str, JsonSchema(description="Over all groups, a decimal number as text.")]
    to_value: Annotated[str, JsonSchema(description="Over all groups, a decimal number as text.")]
    delta: Annotated[
        str, JsonSchema(description="`to_value` minus `from_value`: what the contributions of all pages add up to.")
    ]
    contributions: list[ContributionDifference]


class MetricValues(_ComparedMetric, _UnknownValues):
    """The values of a metric that is no sum in two versions, and the page of events that contributed differently."""

    from_value: Annotated[
        str | None, JsonSchema(description="Over all groups. Null if unknown, and of distinct and percentile by group.")
    ]
    to_value: Annotated[str | None, JsonSchema(description="As `from_value`.")]
    contributions: list[ContributionDifference]


def metric_difference(change: MetricChange, weighed: Sequence[Weighed]) -> MetricDifference:
    """A count or a sum in two versions, with a page of the events that contributed differently."""
    return {
        **_compared(change),
        "from_value": str(total(change.from_)),
        "to_value": str(total(change.to)),
        "delta": str(change.delta),
        "contributions": _contributions(change, weighed),
    }


def metric_values(change: MetricChange, weighed: Sequence[Weighed]) -> MetricValues:
    """Another metric in two versions, with a page of the events that contributed differently."""
    return {
        **_compared(change),
        **_unknown(change),
        "from_value": value_over_all(change.from_),
        "to_value": value_over_all(change.to),
        "contributions": _contributions(change, weighed),
    }


def _unknown(change: MetricChange) -> _UnknownValues:
    answer: _UnknownValues = {}
    if change.from_.unknown_because:
        answer["from_unknown_because"] = change.from_.unknown_because
    if change.to.unknown_because:
        answer["to_unknown_because"] = change.to.unknown_because
    return answer


def _compared(change: MetricChange) -> _ComparedMetric:
    from_, to = change.from_.definition, change.to.definition
    answer: _ComparedMetric = {
        "name": to.name,
        "from_definition_sha256": from_.sha256,
        "to_definition_sha256": to.sha256,
        "differs": _differs(change),
    }
    if from_.group_by or to.group_by:
        answer["groups"] = [_group_difference(change, each) for each in change.groups]
    return answer


def _contributions(change: MetricChange, weighed: Sequence[Weighed]) -> list[ContributionDifference]:
    return [_contribution(each, change.from_.definition, change.to.definition) for each in weighed]


def _group_difference(change: MetricChange, each: GroupChange) -> GroupDifference:
    answer: GroupDifference = {
        "group": dict(each.group),
        "from_value": _value(change.from_, each.from_),
        "to_value": _value(change.to, each.to),
    }
    if change.adds_up:
        answer["delta"] = str(each.delta)
    return answer


def _value(state: MetricState, group: GroupState | None) -> str | None:
    value: str | None = None
    if group is not None:
        value = state.definition.kind.answer(group.folded, group.inputs)["value"]
    return value


def _differs(change: MetricChange) -> list[Literal["inputs", "definition"]]:
    differs: list[Literal["inputs", "definition"]] = []
    if change.inputs_differ:
        differs.append("inputs")
    if change.definition_differs:
        differs.append("definition")
    return differs


def _contribution(weighed: Weighed, from_: Definition, to: Definition) -> ContributionDifference:
    answer: ContributionDifference = {
        "event_id": weighed.event.event_id,
        "event_time": weighed.event.event_time,
        "event_type": weighed.event.event_type,
        "from_value": value_of(weighed.before),
        "to_value": value_of(weighed.after),
        "from_group": group_of(weighed.before, from_),
        "to_group": group_of(weighed.after, to),
    }
    if isinstance(weighed.before, Skipped):
        answer["from_skipped"] = str(weighed.before)
    if isinstance(weighed.after, Skipped):
        answer["to_skipped"] = str(weighed.after)
    return answer


def contributing(single: Input, metric: Definition | None = None) -> ContributingInput:
    """An input, with what it contributed to a metric."""
    answer: ContributingInput = {
        "event_time": single.event_time,
        "event_id": single.event_id,
        "event_type": single.event_type,
        "content_sha256": single.content_sha256,
    }
    if metric is not None:
        found = single.contributed_to(metric)
        answer |= {"value": value_of(found), "group": group_of(found, metric)}
        if isinstance(found, Skipped):
            answer["skipped"] = str(found)
    return answer


def value_of(contributed: Contributed | None) -> str | None:
    """What an event contributed, as text."""
    return str(contributed.amount) if isinstance(contributed, Contribution) else None


def group_of(contributed: Contributed | None, definition: Definition) -> dict[str, object]:
    """The group that it contributed to."""
    if not isinstance(contributed, Contribution):
        return {}
    return {**values_by_path(definition, contributed.group)}
