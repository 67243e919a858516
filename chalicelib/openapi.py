"""The OpenAPI 3.1 document, generated from the models of queries, requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.contract import aggregates, events, ingest, quarantine, replays
from chalicelib.contract.shapes import Health, Problem
from chalicelib.domain.aggregate_query import AggregatesQuery, DiffQuery, InputsQuery
from chalicelib.domain.event import NativeEvent
from chalicelib.domain.event_query import EventsQuery, FreshnessQuery, GapsQuery, IngestQuery, LateQuery
from chalicelib.domain.rejections import RejectedQuery
from chalicelib.domain.replay_request import ReplayRequest

Json = dict[str, Any]
Model = type[BaseModel]

JSON, PROBLEM, NDJSON = "application/json", "application/problem+json", "application/x-ndjson"
_REFERENCE = "#/components/schemas/{model}"

_COMMON = {500: Problem, 503: Problem}
_QUERIED = {400: Problem, **_COMMON}
_NAMED = {404: Problem, **_COMMON}
_INGESTED: dict[int, tuple[Model, ...]] = {
    200: (ingest.TakenIn, ingest.IngestAnswer),
    201: (ingest.TakenIn,),
    207: (ingest.IngestAnswer,),
    400: (ingest.RefusedEventProblem, ingest.IngestAnswer, Problem),
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


def _ref(model: Model) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


_EVENTS: Json = {"oneOf": [_ref(NativeEvent), {"type": "array", "items": _ref(NativeEvent), "maxItems": 1_000}]}
_CLOUDEVENT: Json = {"type": "object", "description": "A CloudEvent 1.0 in the JSON format."}
_EVENT_BODIES: dict[str, Json] = {
    JSON: _EVENTS,
    NDJSON: {"type": "string", "description": "One event a line."},
    "application/cloudevents+json": _CLOUDEVENT,
    "application/cloudevents-batch+json": {"type": "array", "items": _CLOUDEVENT, "maxItems": 1_000},
}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/ingest"): Operation("Take events in", _INGESTED, IngestQuery, _EVENT_BODIES),
    ("GET", "/events"): Operation("Events in a window", {200: events.EventList, **_QUERIED}, EventsQuery),
    ("GET", "/events/{event_id}"): Operation(
        "An event, its later arrivals and its aggregates", {200: events.EventHistoryAnswer, **_NAMED}
    ),
    ("GET", "/events/{event_id}/raw"): Operation("An event as it was sent", {200: (), **_NAMED}),
    ("GET", "/late"): Operation("Late arrivals of a day", {200: events.LateList, **_QUERIED}, LateQuery),
    ("GET", "/gaps"): Operation("Hours or days without events", {200: events.GapList, **_QUERIED}, GapsQuery),
    ("GET", "/freshness"): Operation(
        "The newest event of a source and type",
        {200: events.FreshnessAnswer, 400: Problem, 500: Problem, 503: (events.StaleProblem, Problem)},
        FreshnessQuery,
    ),
    ("GET", "/rejected"): Operation(
        "What was refused on a day", {200: quarantine.RejectedList, **_QUERIED}, RejectedQuery
    ),
    ("GET", "/rejected/{rejected_id}"): Operation("A refused event", {200: quarantine.RejectedAnswer, **_NAMED}),
    ("POST", "/rejected/{rejected_id}/retry"): Operation(
        "Send a refused event through ingest again",
        {**_INGESTED, 404: Problem},
        None,
        _EVENT_BODIES,
        body_required=False,
    ),
    ("POST", "/replay"): Operation(
        "Ask for a replay", {202: replays.ReplayAnswer, **_QUERIED}, None, {JSON: _ref(ReplayRequest)}
    ),
    ("GET", "/replay/{replay_id}"): Operation("How far a replay is", {200: replays.ReplayAnswer, **_NAMED}),
    ("GET", "/aggregates"): Operation(
        "Every version of a daily aggregate", {200: aggregates.DailyAggregatesAnswer, **_QUERIED}, AggregatesQuery
    ),
    ("GET", "/aggregates/inputs"): Operation(
        "The events of one version", {200: aggregates.InputList, 404: Problem, **_QUERIED}, InputsQuery
    ),
    ("GET", "/aggregates/diff"): Operation(
        "What two versions do not share", {200: aggregates.DifferenceAnswer, 404: Problem, **_QUERIED}, DiffQuery
    ),
    ("GET", "/health"): Operation("Whether the API answers", {200: Health}),
    ("GET", "/openapi.json"): Operation("This document", {200: ()}),
}


def document() -> Json:
    """The whole document. Every operation also answers 403 where the gateway does not let the caller in."""
    paths: dict[str, Json] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retrace",
            "version": "1",
            "description": "Captures events once, keeps them unchanged, replays them, accounts for derived numbers.",
        },
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"sigv4": _SIGV4}},
    }


_SIGV4: Json = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "AWS Signature Version 4, service execute-api.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def _operation(method: str, path: str, operation: Operation) -> Json:
    name = f"{method.lower()}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '').replace('.', '_')}"
    answers = {str(status): _answer(status, models) for status, models in operation.answers.items()}
    answers["403"] = {"description": "The gateway did not let the caller in."}
    described: Json = {"operationId": name, "summary": operation.summary, "responses": answers}
    parameters = _path_parameters(path) + _query_parameters(operation.query)
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        content = {media_type: {"schema": schema} for media_type, schema in operation.body.items()}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


_DESCRIPTIONS = {200: "Done.", 201: "Accepted.", 202: "Begun; it goes on by itself.", 207: "Some were refused."}


def _answer(status: int, models: Model | tuple[Model, ...]) -> Json:
    several = models if isinstance(models, tuple) else (models,)
    described: Json = {"description": _DESCRIPTIONS.get(status, "What was wrong.")}
    by_type: dict[str, list[Json]] = {}
    for model in several:
        problem = issubclass(model, (Problem, ingest.RefusedEventProblem))
        by_type.setdefault(PROBLEM if problem else JSON, []).append(_ref(model))
    if not several:
        by_type[JSON] = [{}]
    described["content"] = {
        media_type: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
        for media_type, schemas in by_type.items()
    }
    if status == 503:
        described["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return described


def _path_parameters(path: str) -> list[Json]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: Model | None) -> list[Json]:
    if query is None:
        return []
    schema = query.model_json_schema(ref_template=_REFERENCE)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema["properties"].items()
    ]


def _schemas() -> Json:
    answered = [
        model
        for operation in OPERATIONS.values()
        for models in operation.answers.values()
        for model in (models if isinstance(models, tuple) else (models,))
    ]
    queries = [operation.query for operation in OPERATIONS.values() if operation.query is not None]
    models: dict[Model, None] = dict.fromkeys([*answered, *queries, NativeEvent, ReplayRequest])
    _, generated = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    definitions: Json = generated["$defs"]
    return definitions
