"""Every route: what it takes, and what it answers with which status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aggregates import responses as aggregates
from chalicelib.aggregates.queries import DiffQuery, InputsQuery, VersionsQuery
from chalicelib.core.schemas import CSV, CURSOR_HEADER, Health, Problem
from chalicelib.events.event import NativeEvent
from chalicelib.ingest import responses as ingest
from chalicelib.ingest.queries import IngestQuery
from chalicelib.metrics import responses as metrics
from chalicelib.metrics.members import DefinitionMembers
from chalicelib.metrics.queries import MetricsQuery
from chalicelib.processing.reported import OutcomesReport
from chalicelib.processing.responses import ReportAnswer
from chalicelib.quarantine import responses as quarantine
from chalicelib.quarantine.retries import RejectedQuery
from chalicelib.replays import responses as replays
from chalicelib.replays.request import EventsFileQuery, ReplayQuery, ReplayRequest, ReplaysQuery
from chalicelib.replays.schemas import DestinationList, EventsFileAnswer, PreviewAnswer, UnconfirmedProblem
from chalicelib.search import schemas as search
from chalicelib.search.queries import (
    EventsQuery,
    FreshnessQuery,
    GapsQuery,
    LateQuery,
    LateSummaryQuery,
    SourcesQuery,
    StaleQuery,
)
from chalicelib.totals import responses as totals
from chalicelib.totals.queries import ValuesQuery

Json = dict[str, Any]
Model = Any
"""A TypedDict, or a model of pydantic's."""

JSON, PROBLEM, NDJSON = "application/json", "application/problem+json", "application/x-ndjson"
REFERENCE = "#/components/schemas/{model}"

_COMMON = {401: Problem, 500: Problem, 503: Problem}
_QUERIED = {400: Problem, **_COMMON}
_NAMED = {404: Problem, **_COMMON}
_INGESTED: dict[int, tuple[Model, ...]] = {
    200: (ingest.TakenIn, ingest.IngestAnswer),
    201: (ingest.TakenIn,),
    207: (ingest.IngestAnswer,),
    400: (ingest.RefusedEventProblem, ingest.IngestAnswer, Problem),
    401: (Problem,),
    409: (ingest.RefusedEventProblem,),
    413: (Problem,),
    415: (Problem,),
    500: (Problem,),
    503: (Problem,),
}


@dataclass(frozen=True)
class Operation:
    """One route and method: what it takes, and what it answers with which status."""

    summary: str
    answers: Mapping[int, Model | tuple[Model, ...]]
    query: Model | None = None
    body: Mapping[str, Json] = field(default_factory=dict)
    body_required: bool = True
    headers: tuple[str, ...] = ()
    answer_headers: Mapping[str, Json] = field(default_factory=dict)
    """Of a 200, beside those of every answer."""
    also: Mapping[str, Json] = field(default_factory=dict)
    """What a 200 can be beside JSON, by media type."""


def reference(model: Model) -> Json:
    """How a schema is referred to."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


_CSV_CURSOR: Json = {
    "description": "Of CSV: where the next page begins. Absent after the last.",
    "schema": {"type": "string"},
}
_EVENTS: Json = {"oneOf": [reference(NativeEvent), {"type": "array", "items": reference(NativeEvent)}]}
_SHA256: Json = {
    "required": True,
    "description": "The event's content_sha256, which the answer was checked with.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
_CLOUDEVENT: Json = {"type": "object", "description": "A CloudEvent 1.0 in the JSON format."}
EVENT_BODIES: dict[str, Json] = {
    JSON: _EVENTS,
    NDJSON: {"type": "string", "description": "One event a line."},
    "application/cloudevents+json": _CLOUDEVENT,
    "application/cloudevents-batch+json": {"type": "array", "items": _CLOUDEVENT},
}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/ingest"): Operation("Take events in", _INGESTED, IngestQuery, EVENT_BODIES),
    ("GET", "/events"): Operation(
        "Events in a window, or that of a source and key", {200: search.EventList, **_QUERIED}, EventsQuery
    ),
    ("GET", "/events/{event_id}"): Operation(
        "An event, its duplicates and conflicts, and its aggregates", {200: search.EventHistoryAnswer, **_NAMED}
    ),
    ("GET", "/events/{event_id}/raw"): Operation(
        "An event as it was sent", {200: (), 410: Problem, **_NAMED}, answer_headers={"X-Content-Sha256": _SHA256}
    ),
    ("GET", "/late"): Operation("Late arrivals", {200: search.LateList, **_QUERIED}, LateQuery),
    ("GET", "/late/summary"): Operation(
        "Late arrivals by source, type and hour", {200: search.LateSummaryAnswer, **_QUERIED}, LateSummaryQuery
    ),
    ("GET", "/stale"): Operation(
        "Aggregates whose newest version lacks late events", {200: search.StaleList, **_QUERIED}, StaleQuery
    ),
    ("GET", "/gaps"): Operation(
        "Hours or days without events, or with far fewer than usual", {200: search.GapList, **_QUERIED}, GapsQuery
    ),
    ("GET", "/sources"): Operation("Every source and type", {200: search.SourceList, **_QUERIED}, SourcesQuery),
    ("GET", "/freshness"): Operation(
        "The newest event of a source and type",
        {
            200: search.FreshnessAnswer,
            400: Problem,
            401: Problem,
            500: Problem,
            503: (search.StaleProblem, Problem),
        },
        FreshnessQuery,
    ),
    ("GET", "/rejected"): Operation(
        "What was refused in a window, and why", {200: quarantine.RejectedList, **_QUERIED}, RejectedQuery
    ),
    ("GET", "/rejected/{rejected_id}"): Operation("A refused event", {200: quarantine.RejectedAnswer, **_NAMED}),
    ("POST", "/rejected/{rejected_id}/retry"): Operation(
        "Send a refused event through ingest again",
        {**_INGESTED, 404: Problem},
        IngestQuery,
        EVENT_BODIES,
        body_required=False,
    ),
    ("POST", "/replay"): Operation(
        "Ask for a replay, or what it would send",
        {
            200: PreviewAnswer,
            202: replays.ReplayAnswer,
            409: (UnconfirmedProblem, Problem),
            **_QUERIED,
        },
        ReplayQuery,
        {JSON: reference(ReplayRequest)},
        headers=("Idempotency-Key",),
    ),
    ("GET", "/replay"): Operation("Replays, newest first", {200: replays.ReplayList, **_QUERIED}, ReplaysQuery),
    ("GET", "/replay/{replay_id}"): Operation("How far a replay is", {200: replays.ReplayAnswer, **_NAMED}),
    ("POST", "/replay/{replay_id}/cancel"): Operation(
        "Send nothing more, and drop what is in flight",
        {200: replays.ReplayAnswer, 409: Problem, 400: Problem, **_NAMED},
    ),
    ("POST", "/replay/{replay_id}/redrive"): Operation(
        "Send dead letters back, and go on", {202: replays.ReplayAnswer, 409: Problem, 400: Problem, **_NAMED}
    ),
    ("POST", "/replay/{replay_id}/outcomes"): Operation(
        "Report what became of messages",
        {200: ReportAnswer, 403: Problem, 409: Problem, 400: Problem, **_NAMED},
        body={JSON: reference(OutcomesReport)},
    ),
    ("GET", "/destinations"): Operation("Where replays may send", {200: DestinationList, 400: Problem, **_COMMON}),
    ("PUT", "/events-files/{sha256}"): Operation(
        "How to upload a file of event ids for a replay", {200: EventsFileAnswer, **_QUERIED}, EventsFileQuery
    ),
    ("GET", "/aggregates"): Operation(
        "Versions of a daily aggregate, newest first",
        {200: aggregates.DailyAggregatesAnswer, **_QUERIED},
        VersionsQuery,
    ),
    ("GET", "/aggregates/inputs"): Operation(
        "The events of one version", {200: aggregates.InputList, 404: Problem, **_QUERIED}, InputsQuery
    ),
    ("GET", "/aggregates/diff"): Operation(
        "Differences of two versions",
        {200: aggregates.DifferenceAnswer, 404: Problem, **_QUERIED},
        DiffQuery,
    ),
    ("GET", "/metrics"): Operation("Metrics by name", {200: metrics.MetricList, **_QUERIED}, MetricsQuery),
    ("GET", "/metrics/{name}"): Operation(
        "A metric and the definitions it had", {200: metrics.MetricHistory, **_NAMED}
    ),
    ("GET", "/metrics/{name}/values"): Operation(
        "What a metric comes to by day, group or entity",
        {200: totals.ValueList, 409: Problem, 404: Problem, **_QUERIED},
        ValuesQuery,
        headers=("Accept",),
        answer_headers={CURSOR_HEADER: _CSV_CURSOR},
        also={CSV: {"type": "string", "description": "The values, with a header line."}},
    ),
    ("PUT", "/metrics/{name}"): Operation(
        "Define a metric",
        {200: metrics.DefinedMetric, 409: Problem, **_QUERIED},
        body={JSON: reference(DefinitionMembers)},
    ),
    ("DELETE", "/metrics/{name}"): Operation(
        "Retire a metric", {200: metrics.DefinedMetric, 400: Problem, 409: Problem, **_NAMED}
    ),
    ("GET", "/health"): Operation("Whether the API answers", {200: Health, **_COMMON}),
    ("GET", "/openapi.json"): Operation("This document", {200: (), **_COMMON}),
}
