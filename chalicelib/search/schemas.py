"""Answers about events: what there is, what came late, what is missing, how fresh it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.core.schemas import Count, Cursor, Day, Problem, Sha256, Shape, Time
from chalicelib.ingest.schemas import Receipt


class EventMetadata(Receipt):
    """An event as the index knows it."""

    event_id: Sha256
    source: str
    event_type: str
    entity_id: str
    event_time: Time
    s3_offset: Count
    s3_length: Count


class EventList(Shape):
    """A page of events."""

    items: list[EventMetadata]
    cursor: Cursor


class TouchedDay(Shape):
    """A day of an entity that late events belong to."""

    entity_id: str
    day: Day
    events: Count


class LateList(EventList):
    """A page of late arrivals, and the days that should be replayed for them."""

    touched: list[TouchedDay]


class GapItem(Shape):
    """A stretch without events."""

    start_time: Time
    end_time: Time


class GapList(Shape):
    """Every gap in a window."""

    items: list[GapItem]
    cursor: Cursor
    start_time: Time
    end_time: Time
    unit: Literal["hour", "day"]


class FreshnessAnswer(Shape):
    """The newest event of a source and type."""

    source: str
    event_type: str
    fresh: bool
    age_s: Annotated[Count | None, Field(description="Seconds; 0 if a producer's clock runs a little ahead.")]
    max_age_s: Count | None
    newest: EventMetadata | None
    ahead: Annotated[
        EventMetadata | None,
        Field(description="The newest event that arrived over five minutes before its own time; it does not count."),
    ]
    looked_back_to: Day


class StaleProblem(FreshnessAnswer, Problem):
    """There is no event as new as asked for."""


class ArrivalItem(Shape):
    """A later send of a known identity."""

    status: Literal["DUPLICATE", "CONFLICT"]
    ingest_time: Time
    request_id: str
    content_sha256: Sha256
    rejected_id: str | None = None


class AggregateReference(Shape):
    """A version of a daily aggregate that an event went into."""

    entity_id: str
    day: Day
    replay_id: str


class EventHistoryAnswer(EventMetadata):
    """An event, each later send of its identity, and the aggregates it went into."""

    arrivals: list[ArrivalItem]
    more_arrivals: bool
    aggregates: list[AggregateReference]
    more_aggregates: bool
