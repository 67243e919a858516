"""Answers about events: what there is, what came late, what is missing, how fresh it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

from chalicelib.core.errors import PermanentError
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
from chalicelib.core.timestamps import CALENDAR, PERIOD, day_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.raw_objects import RawLine, StoredEvent
from chalicelib.ingest.responses import Receipt, receipt
from chalicelib.search.event_history import EventHistory
from chalicelib.search.queries import FreshnessQuery, GapsQuery
from chalicelib.search.silence import Freshness, Gap
from chalicelib.search.use_cases import FoundEvents


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


class GapItem(Shape):
    """A period without events."""

    start_time: Time
    end_time: Time


class GapList(Shape):
    """Every gap in a window."""

    items: list[GapItem]
    cursor: Cursor
    start_time: Time
    end_time: Time
    unit: Annotated[str, JsonSchema(enum=["hour", "day"])]


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


def event_history(history: EventHistory) -> EventHistoryAnswer:
    """An event's metadata, its later arrivals, and the versions of aggregates that it went into."""
    return {
        **_event(history.event),
        "arrivals": [_arrival(arrival) for arrival in history.arrivals],
        "more_arrivals": history.more_arrivals,
        "aggregates": [
            {
                "entity_id": version.entity_id,
                "period": PERIOD,
                "calendar": CALENDAR,
                "day": version.day,
                "replay_id": version.replay_id,
            }
            for version in history.aggregates
        ],
        "more_aggregates": history.more_aggregates,
    }


def _event(event: StoredEvent) -> EventMetadata:
    return {
        "event_id": event.event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "event_time": event.event_time,
        **receipt(event),
        "request_id": event.request_id,
        "sent_by": event.sent_by,
        "s3_offset": event.location.offset,
        "s3_length": event.location.length,
    }


def events(found: FoundEvents) -> EventList:
    """A page of events; what `texts` has is added as it is, when the answer is written."""
    return {"items": list(map(_listed, found.events, _lines(found))), "cursor": found.cursor}


def texts(found: FoundEvents) -> list[str | None]:
    """The text of each event of a page, if it was asked for and there is one."""
    return [line.event.decode() if isinstance(line, RawLine) else None for line in _lines(found)]


def _lines(found: FoundEvents) -> Sequence[RawLine | PermanentError | None]:
    return found.lines or [None] * len(found.events)


def _listed(event: StoredEvent, line: RawLine | PermanentError | None) -> EventMetadata | EventWithText:
    if isinstance(line, PermanentError):
        return {**_event(event), "event": None, "fault": str(line)}
    return _event(event)


def late(found: FoundEvents) -> LateList:
    """A page of late arrivals, and which days of which entities they touch, most events first."""
    touched = Counter((event.entity_id, day_of(event.event_time)) for event in found.events)
    days: list[TouchedDay] = [
        {"entity_id": entity, "day": day, "events": count} for (entity, day), count in touched.most_common()
    ]
    return {"items": list(map(_event, found.events)), "cursor": found.cursor, "touched": days}


def gaps(query: GapsQuery, found: Sequence[Gap]) -> GapList:
    """Periods without events."""
    return {
        "items": [{"start_time": gap.start, "end_time": gap.end} for gap in found],
        "cursor": None,
        "start_time": query.window.start,
        "end_time": query.window.end,
        "unit": query.unit.value,
    }


def freshness(query: FreshnessQuery, found: Freshness) -> FreshnessAnswer:
    """The newest event of a source and type, and its age."""
    return {
        "source": query.source,
        "event_type": query.event_type,
        "fresh": found.fresh,
        "age_s": found.age_s,
        "max_age_s": query.max_age_s,
        "newest": None if found.newest is None else _event(found.newest),
        "ahead": None if found.ahead is None else _event(found.ahead),
        "looked_back_to": found.looked_back_to,
    }


def _arrival(arrival: Arrival) -> ArrivalItem:
    shown: ArrivalItem = {
        "status": arrival.kind.value,
        "ingest_time": arrival.ingest_time,
        "request_id": arrival.request_id,
        "content_sha256": arrival.content_sha256,
    }
    return shown if arrival.rejected_id is None else {**shown, "rejected_id": arrival.rejected_id}
