"""Answers about daily aggregates: their versions, the inputs of one, what two do not share."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from chalicelib.aggregates.metrics import METRICS, describe_metrics
from chalicelib.core.schemas import Count, Cursor, Day, Sha256, Shape, Time


class AggregateVersionShape(Shape):
    """A daily aggregate as one replay computed it."""

    model_config = ConfigDict(json_schema_extra=partial(describe_metrics, METRICS))

    replay_id: str
    metric_name: str
    value: Any
    input_count: Count
    inputs_hash: Annotated[Sha256, Field(description="Depends on the set of inputs alone.")]
    sample_event_ids: Annotated[list[Sha256], Field(description="The ten earliest.")]
    counts_by_type: Annotated[dict[str, Count], Field(description="The first 100 types, in the order of code points.")]
    other_types_count: Annotated[int, Field(ge=0, description="Inputs of types that are not among those.")]
    window_start: Time
    window_end: Time
    computed_at: Time


class AccountedVersion(AggregateVersionShape):
    """A version, whether it covers its whole day, and how many events came after it was asked for."""

    complete: bool
    partial_because: list[str] = Field(default_factory=list)
    arrived_since: Annotated[int, Field(ge=0, description="At least, if the answer's `exact` is false.")]


class DailyAggregatesAnswer(Shape):
    """A page of the versions of an entity's daily aggregate, newest first."""

    entity_id: str
    day: Day
    versions: list[AccountedVersion]
    late_arrivals: Annotated[
        int | None, Field(ge=0, description="The newest version's `arrived_since`; null on later pages.")
    ]
    exact: Annotated[bool, Field(description="False if the day has more events than a request reads.")]
    cursor: Cursor


class InputShape(Shape):
    """An event that went into a version."""

    event_id: Sha256
    event_time: Time
    event_type: str
    content_sha256: Sha256


class InputList(Shape):
    """A page of a version's inputs, by time, then id."""

    items: list[InputShape]
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


class DifferenceAnswer(Shape):
    """A page of what two versions do not share, in order of time and id."""

    entity_id: str
    day: Day
    from_: Annotated[AggregateVersionShape, Field(alias="from")]
    to: AggregateVersionShape
    only_in_from: list[InputShape]
    only_in_to: list[InputShape]
    changed: list[ChangedInput]
    counts: DifferenceCounts
    cursor: Cursor
