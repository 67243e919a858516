"""The shapes of answers about events: in a window, late ones, gaps and freshness."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from chalicelib.core.schemas import (
    Count,
    Cursor,
    Day,
    JsonSchema,
    Problem,
    Sha256,
    Shape,
    Time,
    states,
)
from chalicelib.ingest.responses import Receipt


class EventMetadata(Receipt):
    """An event as the index knows it."""

    event_id: Sha256
    source: str
    event_type: str
    entity_id: str
    event_time: Time
    request_id: str
    sent_by: Annotated[str, JsonSchema(description="The ARN of the principal that sent it, `webhook` or `local`.")]
    s3_offset: Count
    s3_length: Count


class EventWithText(EventMetadata):
    """An event in a list with `include=event`: its text, or null and what is wrong with it."""

    event: Annotated[dict[str, Any] | None, JsonSchema(description="As it was sent, with line breaks as blanks.")]
    fault: NotRequired[str]


class EventList(Shape):
    """A page of events."""

    items: list[EventMetadata | EventWithText]
    cursor: Cursor


class TouchedDay(Shape):
    """A day of an entity that late events belong to."""

    entity_id: str
    day: Day
    events: Count


class LateList(Shape):
    """A page of late arrivals, and the days that should be replayed for them."""

    items: list[EventMetadata]
    cursor: Cursor
    touched: list[TouchedDay]


class LateGroupItem(Shape):
    """Late arrivals of a source and type within one hour of arrival."""

    source: str
    event_type: str
    hour: Annotated[Time, JsonSchema(description="The beginning of the hour in which they arrived.")]
    first_arrival: Time
    last_arrival: Time
    events: Count
    requests: Annotated[
        Count, JsonSchema(description="How many requests brought them. Few with many events are a backfill.")
    ]
    entity_days: Annotated[Count, JsonSchema(description="How many days of entities they belong to.")]
    min_lag_ms: Count
    max_lag_ms: Count


class LateSummaryAnswer(Shape):
    """Late arrivals counted, the last hours of arrival first."""

    items: list[LateGroupItem]
    cursor: Annotated[
        Cursor,
        JsonSchema(description="Not null if the reads of a request did not suffice: add the next page's counts."),
    ]
    events: Annotated[Count, JsonSchema(description="In all groups of the page.")]
    entity_days: Annotated[Count, JsonSchema(description="Of all groups of the page, each day of an entity once.")]


class StaleItem(Shape):
    """A day of an entity whose newest version lacks events."""

    entity_id: str
    day: Day
    replay_id: Annotated[str, JsonSchema(description="Of the newest version.")]
    computed_at: Time
    event_count: Annotated[Count, JsonSchema(description="How many events the version has.")]
    arrived_since: Annotated[Count, JsonSchema(description="How many it lacks: at least, if `exact` is false.")]
    exact: bool
    late_events: Annotated[Count, JsonSchema(description="Of the day, among those of the page.")]
    last_arrival: Annotated[Time, JsonSchema(description="Of these.")]


class StaleList(Shape):
    """Days of entities whose newest version lacks events, the worst of the page first."""

    items: list[StaleItem]
    cursor: Annotated[Cursor, JsonSchema(description="Where further late events are; null if all were looked at.")]
    late_events: Annotated[Count, JsonSchema(description="How many late events of the page led to days.")]
    entity_days: Annotated[Count, JsonSchema(description="How many days of entities they belong to.")]
    without_version: Annotated[Count, JsonSchema(description="Of these, how many no replay has computed.")]
    replays: Annotated[
        list[dict[str, Any]], JsonSchema(description="Bodies for POST /replay that together compute all items again.")
    ]


class GapItem(Shape):
    """A period without events."""

    start_time: Time
    end_time: Time


class DipItem(Shape):
    """Hours of a source with far fewer events than the hours around them."""

    start_time: Time
    end_time: Time
    event_type: Annotated[
        str | None, JsonSchema(description="Null if it is a dip of all types together, else the only type that has it.")
    ]
    events: Annotated[Count, JsonSchema(description="In all hours of the dip.")]
    usual: Annotated[Count, JsonSchema(description="How many one hour usually has.")]


class GapList(Shape):
    """The gaps in a window, and the dips of a source."""

    items: list[GapItem]
    cursor: Cursor
    start_time: Time
    end_time: Time
    unit: Annotated[str, JsonSchema(enum=["hour", "day"])]
    event_types: NotRequired[
        Annotated[list[str], JsonSchema(description="By source: the types that were looked at. None if it is unknown.")]
    ]
    dips: NotRequired[
        Annotated[
            list[DipItem] | None,
            JsonSchema(
                description="By source. Null in days, or if there are more events or types than a request counts."
            ),
        ]
    ]
    dip_rule: NotRequired[Annotated[str, JsonSchema(description="What a dip is, for people.")]]


class FreshnessAnswer(Shape):
    """The newest event of a source and type."""

    source: str
    event_type: str
    fresh: bool
    age_s: Annotated[Count | None, JsonSchema(description="Seconds; 0 if a producer's clock runs a little ahead.")]
    max_age_s: Count | None
    newest: EventMetadata | None
    ahead: Annotated[
        EventMetadata | None,
        JsonSchema(
            description="The newest event that arrived over five minutes before its own time; it does not count."
        ),
    ]
    looked_back_to: Day


class StaleProblem(Problem, FreshnessAnswer):
    """There is no event as new as asked for."""


class ArrivalItem(Shape):
    """A later send of a known identity."""

    status: Annotated[str, states("DUPLICATE", "CONFLICT")]
    ingest_time: Time
    request_id: str
    content_sha256: Sha256
    rejected_id: NotRequired[Annotated[str | None, JsonSchema(default=None)]]


class AggregateReference(Shape):
    """A version of a daily aggregate that an event went into."""

    entity_id: str
    period: str
    calendar: str
    day: Day
    replay_id: str


class EventHistoryAnswer(EventMetadata):
    """An event, each later send of its identity, and the aggregates it went into."""

    arrivals: list[ArrivalItem]
    more_arrivals: bool
    aggregates: list[AggregateReference]
    more_aggregates: bool


class SourceItem(Shape):
    """A source and type."""

    source: str
    event_type: str
    first_seen: Annotated[Time, JsonSchema(description="When its first event was received.")]
    last_seen: Annotated[
        Time | None,
        JsonSchema(
            description="When the newest event, by event time, was received. Null if none is as new as looked_back_to."
        ),
    ]


class SourceList(Shape):
    """A page of sources and types."""

    items: list[SourceItem]
    cursor: Cursor
    looked_back_to: Day
