"""JSON shapes of the HTTP contract, made from domain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from chalicelib.core.timestamps import day_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.report import EventResult, IngestReport
from chalicelib.search.event_history import EventHistory
from chalicelib.search.queries import FreshnessQuery, GapsQuery
from chalicelib.search.silence import Freshness, Gap
from chalicelib.search.use_cases import FoundEvents

Json = dict[str, Any]


def event_result(result: EventResult) -> Json:
    """What became of one submitted event."""
    shown: Json = {"status": result.status.value}
    if result.stored is not None:
        shown["event_id"] = result.stored.event_id
    if result.refused:
        return shown | {"errors": [asdict(fault) for fault in result.faults], "rejected_id": result.rejected_id}
    assert result.stored is not None, "an event that was taken in is stored"  # noqa: S101  # narrows the type
    return shown | _receipt(result.stored)


def _receipt(stored: StoredEvent) -> Json:
    return {
        "ingest_time": stored.ingest_time,
        "ingest_lag_ms": stored.ingest_lag_ms,
        "s3_bucket": stored.location.bucket,
        "s3_key": stored.location.key,
        "content_sha256": stored.content_sha256,
    }


def ingest_report(report: IngestReport) -> Json:
    """The results of a batch, in order, and how many there are of each status."""
    return {
        "results": [event_result(result) for result in report.results],
        "counts": report.counts(),
    }


def event_history(history: EventHistory) -> Json:
    """An event's metadata, its later arrivals, and the versions of aggregates that it went into."""
    return {
        **_event(history.event),
        "arrivals": [_arrival(arrival) for arrival in history.arrivals],
        "more_arrivals": history.more_arrivals,
        "aggregates": [
            {"entity_id": version.entity_id, "day": version.day, "replay_id": version.replay_id}
            for version in history.aggregates
        ],
        "more_aggregates": history.more_aggregates,
    }


def _event(event: StoredEvent) -> Json:
    return {
        "event_id": event.event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "event_time": event.event_time,
        **_receipt(event),
        "s3_offset": event.location.offset,
        "s3_length": event.location.length,
    }


def events(found: FoundEvents) -> Json:
    """A page of events."""
    return {"items": list(map(_event, found.events)), "cursor": found.cursor}


def late(found: FoundEvents) -> Json:
    """A page of late arrivals, and which days of which entities they touch, most events first."""
    touched = Counter((event.entity_id, day_of(event.event_time)) for event in found.events)
    days = [{"entity_id": entity, "day": day, "events": count} for (entity, day), count in touched.most_common()]
    return events(found) | {"touched": days}


def gaps(query: GapsQuery, found: Sequence[Gap]) -> Json:
    """Stretches without events."""
    items = [{"start_time": gap.start, "end_time": gap.end} for gap in found]
    asked = {"start_time": query.window.start, "end_time": query.window.end, "unit": query.unit.value}
    return {"items": items, "cursor": None, **asked}


def freshness(query: FreshnessQuery, found: Freshness) -> Json:
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


def _arrival(arrival: Arrival) -> Json:
    shown = {
        "status": arrival.kind.value,
        "ingest_time": arrival.ingest_time,
        "request_id": arrival.request_id,
        "content_sha256": arrival.content_sha256,
    }
    return shown if arrival.rejected_id is None else shown | {"rejected_id": arrival.rejected_id}
