"""Answers about daily aggregates: their versions, the inputs of one, the differences of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NotRequired, cast

from typing_extensions import TypedDict

from chalicelib.aggregates.diff import Changed
from chalicelib.aggregates.inputs import FoundInputs, Input
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.queries import DiffQuery
from chalicelib.aggregates.schemas import (
    ContributingInput,
    InputShape,
    MetricDifference,
    MetricShape,
    MetricValues,
    contributing,
    metric_difference,
    metric_values,
)
from chalicelib.aggregates.tracing import Difference
from chalicelib.aggregates.use_cases import Account, DailyAggregates
from chalicelib.core.replay_ids import is_what_if
from chalicelib.core.schemas import Count, Cursor, Day, JsonSchema, Sha256, Shape, Time
from chalicelib.core.timestamps import PERIOD


class _OfReplay(Shape):
    replay_id: str


class AggregateVersionShape(_OfReplay):
    """A daily aggregate as one replay computed it."""

    period: Annotated[str, JsonSchema(description="How long it is, an ISO 8601 duration: P1D, a day.")]
    calendar: Annotated[str, JsonSchema(description="Whose days are counted, a time zone: UTC.")]
    event_count: Annotated[Count, JsonSchema(description="How many events are its inputs.")]
    inputs_hash: Annotated[Sha256, JsonSchema(description="Depends on the set of inputs alone.")]
    sample_event_ids: Annotated[list[Sha256], JsonSchema(description="The ten earliest.")]
    counts_by_type: Annotated[
        dict[str, Count], JsonSchema(description="The first 100 types, in the order of code points.")
    ]
    other_types_count: Annotated[Count, JsonSchema(description="Inputs of types that are not among those.")]
    metrics: list[MetricShape]
    what_if: NotRequired[
        Annotated[bool, JsonSchema(description="True: its replay computed drafts. It is listed behind all others.")]
    ]
    window_start: Time
    window_end: Time
    computed_at: Time


class _Completeness(Shape):
    complete: bool
    partial_because: NotRequired[list[str]]


class AccountedVersion(AggregateVersionShape, _Completeness):
    """A version, whether it covers its whole day, and how many events came after it was asked for."""

    arrived_since: Annotated[
        Count, JsonSchema(description="Events of the day, of any metric: at least, if the answer's `exact` is false.")
    ]


class DailyAggregatesAnswer(Shape):
    """A page of the versions of an entity's daily aggregate, newest first."""

    entity_id: str
    day: Day
    versions: list[AccountedVersion]
    late_arrivals: Annotated[
        Count | None, JsonSchema(description="The newest version's `arrived_since`; null on later pages.")
    ]
    exact: Annotated[bool, JsonSchema(description="False if the day has more events than a request reads.")]
    cursor: Cursor


class InputList(Shape):
    """A page of a version's inputs, by time, then id, or those that contributed most to a metric."""

    items: list[ContributingInput]
    definition_sha256: NotRequired[Annotated[Sha256, JsonSchema(description="Of the metric, if one is named.")]]
    exact: NotRequired[
        Annotated[bool, JsonSchema(description="By contribution: false if the version has more than a request reads.")]
    ]
    cursor: Cursor


class ChangedInput(Shape):
    """An event that both versions hold with different content."""

    event_id: Sha256
    event_time: Time
    from_content_sha256: Sha256
    to_content_sha256: Sha256


class DifferenceCounts(Shape):
    """How many events the page has compared. Those of all pages together are those of the versions."""

    only_in_from: Count
    only_in_to: Count
    changed: Count
    shared: Count


class _ComparedDay(Shape):
    entity_id: str
    day: Day


_From = TypedDict("_From", {"from": AggregateVersionShape})  # a keyword


class DifferenceAnswer(_ComparedDay, _From):
    """A page of the differences of two versions, in order of time and id."""

    to: AggregateVersionShape
    metric: NotRequired[MetricDifference]
    metric_values: NotRequired[
        Annotated[MetricValues, JsonSchema(description="In place of `metric`, if it is neither a count nor a sum.")]
    ]
    incomplete: NotRequired[
        Annotated[dict[str, str], JsonSchema(description="How far the replay of `from` or `to` is, if not COMPLETE.")]
    ]
    only_in_from: list[InputShape]
    only_in_to: list[InputShape]
    changed: list[ChangedInput]
    counts: DifferenceCounts
    cursor: Cursor


def daily_aggregates(found: DailyAggregates) -> DailyAggregatesAnswer:
    """Versions of a daily aggregate, and how many events came after each: at least this many, unless it is exact."""
    return {
        "entity_id": found.query.entity_id,
        "day": found.query.day,
        "versions": [_account(each, found.query.metric) for each in found.accounts],
        "late_arrivals": _late(found),
        "exact": found.exact,
        "cursor": found.cursor,
    }


def _late(found: DailyAggregates) -> int | None:
    """What came after the newest version, which only the first page has. A what-if is never the newest."""
    if found.query.cursor is not None:
        return None
    versions = (each for each in found.accounts if not is_what_if(each.status.stored.version.replay_id))
    return next((each.arrived_since for each in versions), 0)


def _account(account: Account, metric: str | None) -> AccountedVersion:
    status = account.status
    return {
        **_version(status.stored, metric),
        **_completeness(status.partial_because),
        "arrived_since": account.arrived_since,
    }


def _completeness(partial_because: Sequence[str]) -> _Completeness:
    return {"complete": False, "partial_because": list(partial_because)} if partial_because else {"complete": True}


def _version(stored: AggregateVersion, metric: str | None = None) -> AggregateVersionShape:
    """A version with all its metrics, or with those of a name."""
    aggregate = stored.aggregate
    metrics = [each for each in aggregate.metrics if metric in (None, each["name"])]
    answer: AggregateVersionShape = {
        "replay_id": stored.version.replay_id,
        "period": PERIOD,
        "calendar": stored.version.calendar,
        "event_count": aggregate.event_count,
        "inputs_hash": aggregate.inputs_hash,
        "sample_event_ids": aggregate.sample_event_ids,
        "counts_by_type": dict(sorted(aggregate.counts_by_type.items())),
        "other_types_count": aggregate.other_types_count,
        "metrics": cast("list[MetricShape]", metrics),
        "window_start": stored.version.window.start,
        "window_end": stored.version.window.end,
        "computed_at": stored.computed_at,
    }
    if is_what_if(stored.version.replay_id):
        answer["what_if"] = True
    return answer


def inputs(found: FoundInputs) -> InputList:
    """A page of a version's inputs."""
    metric = found.metric
    answer: InputList = {"items": [contributing(each, metric) for each in found.inputs], "cursor": found.cursor}
    if metric is not None:
        answer["definition_sha256"] = metric.sha256
    if found.exact is not None:
        answer["exact"] = found.exact
    return answer


def _input(row: Input) -> InputShape:
    return {
        "event_time": row.event_time,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "content_sha256": row.content_sha256,
    }


def difference(query: DiffQuery, found: Difference) -> DifferenceAnswer:
    """The differences of a page of two versions, with the counts of that page."""
    comparison = found.comparison
    answer: DifferenceAnswer = {
        "entity_id": query.entity_id,
        "day": query.day,
        "from": _version(found.from_),
        "to": _version(found.to),
        "only_in_from": list(map(_input, comparison.only_in_from)),
        "only_in_to": list(map(_input, comparison.only_in_to)),
        "changed": list(map(_changed, comparison.changed)),
        "counts": {
            "only_in_from": len(comparison.only_in_from),
            "only_in_to": len(comparison.only_in_to),
            "changed": len(comparison.changed),
            "shared": comparison.shared,
        },
        "cursor": found.cursor,
    }
    if found.incomplete:
        answer["incomplete"] = dict(found.incomplete)
    if found.metric is not None and found.metric.adds_up:
        answer["metric"] = metric_difference(found.metric, comparison.weighed)
    elif found.metric is not None:
        answer["metric_values"] = metric_values(found.metric, comparison.weighed)
    return answer


def _changed(changed: Changed) -> ChangedInput:
    return {
        "event_time": changed.before.event_time,
        "event_id": changed.before.event_id,
        "from_content_sha256": changed.before.content_sha256,
        "to_content_sha256": changed.after.content_sha256,
    }
