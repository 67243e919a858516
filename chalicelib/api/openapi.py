"""The OpenAPI 3.1 document, generated from the models of queries, requests and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import TypeAdapter
from typing_extensions import get_original_bases

from chalicelib.api.operations import JSON, OPERATIONS, PROBLEM, REFERENCE, Json, Model, Operation, reference
from chalicelib.core.schemas import Problem
from chalicelib.core.version import MAJOR_VERSION, VERSION
from chalicelib.events.event import NativeEvent
from chalicelib.ingest.responses import REFUSED_HEADER, IngestAnswer, RefusedEventProblem
from chalicelib.metrics.members import DefinitionMembers
from chalicelib.processing.reported import OutcomesReport
from chalicelib.replays.request import ReplayRequest

VALIDATION: Literal["validation"] = "validation"


def document() -> Json:
    """The whole document. Every operation also answers 403 where the gateway does not let the caller in."""
    paths: dict[str, Json] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retrace",
            "version": VERSION,
            "description": "Captures events once, keeps them unchanged, replays them, accounts for derived numbers.",
        },
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "headers": {"Retrace-Version": _VERSION},
            "securitySchemes": {"sigv4": _SIGV4},
        },
    }


_VERSION: Json = {
    "description": "The major version. Within it, only additions are made.",
    "required": True,
    "schema": {"const": MAJOR_VERSION},
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
    if operation.answer_headers:
        answers["200"]["headers"] |= operation.answer_headers
    for media_type, schema in operation.also.items():
        answers["200"]["content"][media_type] = {"schema": schema}
    answers["403"] = answers.get("403", {}) | {"description": "The gateway did not let the caller in."}
    described: Json = {"operationId": name, "summary": operation.summary, "responses": answers}
    parameters = _path_parameters(path) + _query_parameters(operation.query) + _headers(operation.headers)
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        content = {media_type: {"schema": schema} for media_type, schema in operation.body.items()}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


_REFUSED = "How many events were refused; absent if none was."
_DESCRIPTIONS = {200: "Done.", 201: "Accepted.", 202: "Begun; it goes on by itself.", 207: "Some were refused."}
_DESCRIPTIONS[410] = "Reserved: the event was erased, and no answer has its text any more."


def _answer(status: int, models: Model | tuple[Model, ...]) -> Json:
    several = models if isinstance(models, tuple) else (models,)
    described: Json = {"description": _DESCRIPTIONS.get(status, "What was wrong.")}
    by_type: dict[str, list[Json]] = {}
    for model in several:
        by_type.setdefault(PROBLEM if _is_problem(model) else JSON, []).append(reference(model))
    if not several:
        by_type[JSON] = [{}]
    described["content"] = {
        media_type: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
        for media_type, schemas in by_type.items()
    }
    described["headers"] = {"Retrace-Version": {"$ref": "#/components/headers/Retrace-Version"}}
    if status == 503:
        described["headers"]["Retry-After"] = {"schema": {"type": "string"}}
    if IngestAnswer in several:
        described["headers"][REFUSED_HEADER] = {"schema": {"type": "integer"}, "description": _REFUSED}
    return described


def _is_problem(model: Model) -> bool:
    return model in (Problem, RefusedEventProblem) or Problem in get_original_bases(model)


def _path_parameters(path: str) -> list[Json]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _headers(names: tuple[str, ...]) -> list[Json]:
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: Model | None) -> list[Json]:
    if query is None:
        return []
    schema = query.model_json_schema(ref_template=REFERENCE)
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
    models: dict[Model, None] = dict.fromkeys(
        [*answered, *queries, NativeEvent, ReplayRequest, DefinitionMembers, OutcomesReport]
    )
    adapters = [(model, VALIDATION, TypeAdapter(model)) for model in models]
    _, generated = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)
    definitions: Json = generated["$defs"]
    return definitions
