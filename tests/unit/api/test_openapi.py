"""The OpenAPI document: whole, valid, and of exactly the routes there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app import app
from chalicelib.api.openapi import document
from tests import conformance


def test_it_is_valid_openapi() -> None:
    assert document()["openapi"] == "3.1.0"
    validate(document())


def test_it_describes_every_route_and_no_other() -> None:
    described = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    assert described == {(method, path) for path, methods in app.routes.items() for method in methods}


def test_every_schema_in_it_is_a_json_schema() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_number_of_a_request_has_bounds() -> None:
    requests = [
        (operation.get("parameters", []), operation.get("requestBody", {}))
        for methods in document()["paths"].values()
        for operation in methods.values()
    ]
    numbers = [each for each in _parts(requests) if {"integer", "number"} & {each.get("type")}]

    assert len(numbers) >= 12
    assert [each for each in numbers if not {"minimum", "maximum"} <= each.keys()] == []


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a part of the document, and in the schemas that it refers to."""
    if isinstance(node, dict):
        yield node
        if "$ref" in node:
            yield from _parts(document()["components"]["schemas"][node["$ref"].rpartition("/")[2]])
        node = list(node.values())
    for each in node if isinstance(node, (list, tuple)) else ():
        yield from _parts(each)


_STATES = {"ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED"}


def test_every_answer_that_names_refused_or_later_arrivals_may_say_erased() -> None:
    """Clients of version 1 have to know the state before anything has it."""
    states = {
        name: set(schema["properties"]["status"]["enum"])
        for name, schema in document()["components"]["schemas"].items()
        if _STATES & set(schema.get("properties", {}).get("status", {}).get("enum", []))
    }

    assert len(states) == 7
    assert {name for name, found in states.items() if "ERASED" not in found} == {"TakenIn"}
    assert "erased" in document()["components"]["schemas"]["IngestCounts"]["properties"]


def test_an_erased_event_is_reserved_as_gone_and_its_text_is_answered_with_its_hash() -> None:
    answers = document()["paths"]["/events/{event_id}/raw"]["get"]["responses"]

    assert "erased" in answers["410"]["description"]
    assert answers["200"]["headers"]["X-Content-Sha256"]["required"]


@pytest.mark.parametrize(
    ("path", "status", "content_type", "body"),
    [
        ("/health", 200, "application/json", b'{"status":"tired"}'),
        ("/health", 200, "application/json", b'{"status":"ok","more":1}'),
        ("/health", 418, "application/json", b"{}"),
        ("/health", 200, "text/html", b"{}"),
        ("/nowhere", 200, "application/json", b"{}"),
    ],
)
def test_an_answer_that_is_not_as_described_is_found(path: str, status: int, content_type: str, body: bytes) -> None:
    assert conformance.faults("GET", path, status, content_type, body)


def test_an_answer_that_is_as_described_passes() -> None:
    assert conformance.faults("GET", "/health", 200, "application/json", b'{"status":"ok"}') == []
