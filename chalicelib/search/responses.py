"""Answers about events: in a window, late ones, gaps and freshness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chalicelib.core.errors import PermanentError
from chalicelib.core.timestamps import CALENDAR, PERIOD, day_of
from chalicelib.events.arrivals import Arrival
from chalicelib.events.raw_objects import RawLine, StoredEvent
from chalicelib.ingest.responses import receipt
from chalicelib.search.dips import RULE
from chalicelib.search.gaps import FoundGaps, QuietHours
from chalicelib.search.late import FoundLate, LateGroup, LateSummary
from chalicelib.search.queries import FreshnessQuery, GapsQuery
from chalicelib.search.schemas import (
    ArrivalItem,
    DipItem,
    EventHistoryAnswer,
    EventList,
    EventMetadata,
    EventWithText,
    FreshnessAnswer,
    GapList,
    LateGroupItem,
    LateList,
    LateSummaryAnswer,
    SourceList,
    StaleItem,
    StaleList,
    TouchedDay,
)
from chalicelib.search.sources import FoundSources, Freshness
from chalicelib.search.stale import FoundStale, StaleDay, replays_for
from chalicelib.search.use_cases import EventHistory, FoundEvents


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


def late(found: FoundLate) -> LateList:
    """A page of late arrivals, and which days of which entities they touch, most events first."""
    touched = Counter((event.entity_id, day_of(event.event_time)) for event in found.events)
    days: list[TouchedDay] = [
        {"entity_id": entity, "day": day, "events": count} for (entity, day), count in touched.most_common()
    ]
    return {"items": list(map(_event, found.events)), "cursor": found.cursor, "touched": days}


def late_summary(found: LateSummary) -> LateSummaryAnswer:
    """How many came late, by source, type and hour of arrival."""
    return {
        "items": list(map(_late_group, found.groups)),
        "cursor": found.cursor,
        "events": sum(group.events for group in found.groups),
        "entity_days": len({each for group in found.groups for each in group.entity_days}),
    }


def _late_group(group: LateGroup) -> LateGroupItem:
    return {
        "source": group.source,
        "event_type": group.event_type,
        "hour": group.hour,
        "first_arrival": group.first_arrival,
        "last_arrival": group.last_arrival,
        "events": group.events,
        "requests": len(group.requests),
        "entity_days": len(group.entity_days),
        "min_lag_ms": group.min_lag_ms,
        "max_lag_ms": group.max_lag_ms,
    }


def stale(found: FoundStale) -> StaleList:
    """Days of entities whose newest version lacks events, and the replays that compute them again."""
    looked_at, days = found.looked_at, found.looked_at.stale
    return {
        "items": list(map(_stale_day, days)),
        "cursor": found.cursor,
        "late_events": sum(map(len, looked_at.late.values())),
        "entity_days": len(looked_at.late),
        "without_version": len(looked_at.late) - len(looked_at.newest),
        "replays": replays_for(days),
    }


def _stale_day(stale_day: StaleDay) -> StaleItem:
    entity_id, day = stale_day.entity_day
    newest = stale_day.newest
    stored = newest.status.stored
    return {
        "entity_id": entity_id,
        "day": day,
        "replay_id": stored.version.replay_id,
        "computed_at": stored.computed_at,
        "event_count": stored.aggregate.event_count,
        "arrived_since": newest.arrived_since,
        "exact": newest.exact,
        "late_events": len(stale_day.late),
        "last_arrival": max(event.ingest_time for event in stale_day.late),
    }


def gaps(query: GapsQuery, found: FoundGaps) -> GapList:
    """Periods without events and, by source, the dips."""
    listed: GapList = {
        "items": [{"start_time": gap.start, "end_time": gap.end} for gap in found.gaps],
        "cursor": None,
        "start_time": query.window.start,
        "end_time": query.window.end,
        "unit": query.unit.value,
    }
    if query.source is None:
        return listed
    dips = None if found.dips is None else list(map(_dip, found.dips))
    return {**listed, "event_types": list(found.event_types), "dips": dips, "dip_rule": RULE}


def _dip(dip: QuietHours) -> DipItem:
    return {
        "start_time": dip.start,
        "end_time": dip.end,
        "event_type": dip.event_type,
        "events": dip.events,
        "usual": dip.usual,
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


def sources(listed: FoundSources) -> SourceList:
    """Sources and types, and when each was seen."""
    return {
        "items": [
            {
                "source": each.source,
                "event_type": each.event_type,
                "first_seen": each.first_seen,
                "last_seen": listed.last_seen.get(each),
            }
            for each in listed.found
        ],
        "cursor": listed.cursor,
        "looked_back_to": listed.looked_back_to,
    }
