"""What answers about replays have of previews, and of the metrics that a replay computes."""

from __future__ import annotations

from typing import Annotated, NotRequired

from chalicelib.core.schemas import Count, Day, DescribedBy, JsonSchema, Sha256, Shape, Time
from chalicelib.replays.partial_days import PartialDays
from chalicelib.replays.request import ReplayRequest


class PinnedMetricShape(Shape):
    """A metric that a replay computes."""

    name: str
    definition_sha256: Annotated[Sha256, JsonSchema(description="Of the definition that it had at the request.")]


class PartialDayShape(Shape):
    """A day that a replay covers only in part, and the window that covers it."""

    day: Day
    start_time: Time
    end_time: Time


class PartialDaysShape(Shape):
    """The days of a calendar that a replay covers only in part."""

    calendar: str
    days: Annotated[
        list[PartialDayShape] | None, JsonSchema(description="Null: each that the replay touches, whatever its window.")
    ]


class PreviewAnswer(Shape):
    """What a replay would send."""

    request: Annotated[dict[str, object], DescribedBy(ReplayRequest)]
    destination: Annotated[str, JsonSchema(description="Where they would go.")]
    messages: Annotated[Count, JsonSchema(description="How many messages; at least, if `exact` is false.")]
    exact: Annotated[bool, JsonSchema(description="False if counting stopped before the end.")]
    index_read_to: Annotated[
        Time | None, JsonSchema(description="By type: every event acknowledged before this is in the index.")
    ]
    scanned: Annotated[Count, JsonSchema(description="Rows of the index that were read.")]
    by_day: dict[str, Count]
    by_source: Annotated[dict[str, Count], JsonSchema(description="The 100 with most messages.")]
    by_type: Annotated[dict[str, Count], JsonSchema(description="The 100 with most messages.")]
    estimated_seconds: Count
    estimated_cost_usd: Annotated[float, JsonSchema(minimum=0, description="At most, at list prices.")]
    metrics: NotRequired[Annotated[list[PinnedMetricShape], JsonSchema(description="Those that the request chooses.")]]
    partial_days: NotRequired[
        Annotated[list[PartialDaysShape], JsonSchema(description="Calendars whose versions it makes partial, if any.")]
    ]
    advice: Annotated[str | None, JsonSchema(description="Where to look, if it would send nothing.")]


def partial_shape(found: PartialDays) -> PartialDaysShape:
    """The days of a calendar that a replay covers only in part."""
    if found.days is None:
        return {"calendar": found.calendar, "days": None}
    days: list[PartialDayShape] = [{"day": day, "start_time": of.start, "end_time": of.end} for day, of in found.days]
    return {"calendar": found.calendar, "days": days}
