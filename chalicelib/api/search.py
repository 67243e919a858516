"""The routes that search events, and list their sources."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.api.requests import parameters
from chalicelib.api.responses import answer, answer_with_texts, monitor_answer, raw_answer
from chalicelib.runtime import query_wiring
from chalicelib.search import responses
from chalicelib.search.queries import (
    EventsQuery,
    FreshnessQuery,
    GapsQuery,
    LateQuery,
    LateSummaryQuery,
    SourcesQuery,
    StaleQuery,
)


def events(request: Request) -> Response:
    """GET /events."""
    query = parameters(request, EventsQuery)
    found = query_wiring.search_events().search(query)
    return answer_with_texts(responses.events(found), "event", responses.texts(found))


def late(request: Request) -> Response:
    """GET /late."""
    query = parameters(request, LateQuery)
    return answer(responses.late(query_wiring.find_late().page(query)))


def late_summary(request: Request) -> Response:
    """GET /late/summary."""
    query = parameters(request, LateSummaryQuery)
    return answer(responses.late_summary(query_wiring.find_late().summary(query)))


def stale(request: Request) -> Response:
    """GET /stale."""
    query = parameters(request, StaleQuery)
    return answer(responses.stale(query_wiring.find_stale().find(query)))


def gaps(request: Request) -> Response:
    """GET /gaps."""
    query = parameters(request, GapsQuery)
    found = query_wiring.find_gaps().find(query)
    return answer(responses.gaps(query, found))


def freshness(request: Request) -> Response:
    """GET /freshness."""
    query = parameters(request, FreshnessQuery)
    found = query_wiring.check_freshness().check(query)
    return monitor_answer(responses.freshness(query, found), good=found.fresh)


def event(event_id: str) -> Response:
    """GET /events/{event_id}."""
    history = query_wiring.investigate_event().history(event_id)
    return answer(responses.event_history(history))


def raw_event(event_id: str) -> Response:
    """GET /events/{event_id}/raw."""
    line = query_wiring.investigate_event().raw_line(event_id)
    return raw_answer(line.event, line.content_sha256)


def sources(request: Request) -> Response:
    """GET /sources."""
    query = parameters(request, SourcesQuery)
    return answer(responses.sources(query_wiring.list_sources().page(query)))
