"""Within a major version the contract only gets additions: today's beside that of the last release."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from chalicelib.api.openapi import document
from chalicelib.core.lossless_json import member_texts
from chalicelib.events.raw_objects import line_of, parse_line, verify
from tests import message_schema
from tests.contract import openapi, schemas
from tests.contract.__main__ import EVENTS, MESSAGE, OPENAPI, RAW_LINES, RECEIPT, event_of

Json = dict[str, Any]
Change = Callable[[Json], object]

KEPT: Json = json.loads(OPENAPI.read_text())
KEPT_MESSAGE: Json = json.loads(MESSAGE.read_text())
REMEDY = (
    "make it an addition; before the first release of this major version, python -m tests.contract keeps it as it is"
)


def test_the_api_has_all_that_the_released_one_has() -> None:
    assert openapi.faults(KEPT, document()) == [], REMEDY


def test_messages_have_all_that_the_released_ones_have() -> None:
    assert schemas.faults(KEPT_MESSAGE, message_schema.document(), sent=False) == [], REMEDY


KEPT_LINES = list(zip(RAW_LINES.read_bytes().splitlines(), EVENTS, strict=True))


@pytest.mark.parametrize(("kept", "text"), KEPT_LINES)
def test_a_raw_line_has_all_members_of_the_released_one_in_their_order_and_last_the_event(
    kept: bytes, text: str
) -> None:
    lines = (kept.decode(), line_of(event_of(text), RECEIPT).decode())
    before, now = (list(member_texts(line).items()) for line in lines)

    assert [member for member in now if member in before] == before, REMEDY
    assert now[-1] == ("event", text)


@pytest.mark.parametrize(("kept", "text"), KEPT_LINES)
def test_a_released_raw_line_is_read_and_verified(kept: bytes, text: str) -> None:
    assert verify(parse_line(kept)) == event_of(text)


NUMBER = {"type": "integer", "minimum": 1, "maximum": 10}
API: Json = {
    "openapi": "3.1.0",
    "info": {"title": "An API", "version": "1.2.3"},
    "security": [{"signed": []}],
    "paths": {
        "/orders": {
            "post": {
                "operationId": "post_orders",
                "summary": "Order",
                "parameters": [
                    {"name": "limit", "in": "query", "required": False, "schema": {**NUMBER, "default": 5}},
                    {"name": "unit", "in": "query", "required": True, "schema": {"type": "string", "enum": ["a", "b"]}},
                ],
                "requestBody": {
                    "required": False,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Order"}},
                        "text/plain": {"schema": {"type": "string"}},
                    },
                },
                "responses": {
                    "200": {
                        "headers": {"Version": {"required": True, "schema": {"const": "1"}}},
                        "content": {
                            "application/json": {
                                "schema": {
                                    "anyOf": [
                                        {"$ref": "#/components/schemas/Done"},
                                        {"$ref": "#/components/schemas/Refused"},
                                    ]
                                }
                            }
                        },
                    },
                    "409": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}}},
                },
            },
            "get": {"operationId": "get_orders", "responses": {"200": {}}},
        }
    },
    "components": {
        "securitySchemes": {"signed": {"type": "apiKey"}},
        "schemas": {
            "Order": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 9},
                    "count": {"anyOf": [NUMBER, {"type": "null"}], "default": None},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}, "maxItems": 5},
                    "other": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
            "Done": {
                "type": "object",
                "required": ["status", "count"],
                "properties": {
                    "status": {"type": "string", "enum": ["DONE", "LATER"]},
                    "count": {"type": "integer", "minimum": 0, "description": "How many."},
                    "time": {"type": "string", "format": "date-time"},
                    "list": {"type": "array", "items": {"type": "number"}},
                },
            },
            "Refused": {"type": "object", "required": ["why"], "properties": {"why": {"type": "string"}}},
        },
    },
}


def at(path: str) -> Callable[[Json], Any]:
    """A part of the document."""

    def found(api: Any) -> Any:
        for part in path.split("|"):
            api = api[int(part)] if isinstance(api, list) else api[part]
        return api

    return found


POST = "paths|/orders|post"
ORDER, DONE = "components|schemas|Order", "components|schemas|Done"
ANSWER = f"{POST}|responses|200|content|application/json|schema"


def without(path: str, name: Any) -> Change:
    """Remove a member, or an element."""

    def change(api: Json) -> None:
        part = at(path)(api)
        del part[part.index(name) if isinstance(part, list) and not isinstance(name, int) else name]

    return change


def with_(path: str, **members: Any) -> Change:
    """Set members."""
    return lambda api: at(path)(api).update(members)


def plus(path: str, element: Any) -> Change:
    """Add an element."""
    return lambda api: at(path)(api).append(element)


NULL = {"type": "null"}

REFUSED: dict[str, tuple[Change, str]] = {
    "another major version": (with_("info", version="2.0.0"), "info.version"),
    "a route that is gone": (without("paths", "/orders"), "GET /orders: is gone"),
    "a method that is gone": (without("paths|/orders", "get"), "GET /orders: is gone"),
    "another signature": (with_("components|securitySchemes|signed", type="http"), "securitySchemes"),
    "no signature": (lambda api: api.update(security=[]), "security"),
    "another operationId": (with_(POST, operationId="order"), "POST /orders operationId"),
    "a parameter that is gone": (without(f"{POST}|parameters", 0), "POST /orders query limit: is gone"),
    "a parameter in another place": (with_(f"{POST}|parameters|0", **{"in": "header"}), "query limit: is gone"),
    "a parameter that is now required": (with_(f"{POST}|parameters|0", required=True), "limit: is now required"),
    "a new required parameter": (
        plus(f"{POST}|parameters", {"name": "new", "in": "query", "required": True, "schema": {}}),
        "query new: is new and required",
    ),
    "a lower maximum": (with_(f"{POST}|parameters|0|schema", maximum=9), "query limit: maximum was 10, is 9"),
    "a higher minimum": (with_(f"{POST}|parameters|0|schema", minimum=2), "query limit: minimum was 1, is 2"),
    "another default": (with_(f"{POST}|parameters|0|schema", default=6), "query limit default: was 5, is 6"),
    "a value that is no longer taken": (without(f"{POST}|parameters|1|schema|enum", "b"), "query unit: b is gone"),
    "a body that is gone": (without(POST, "requestBody"), "POST /orders body: is gone"),
    "a body that is now required": (with_(f"{POST}|requestBody", required=True), "body: is now required"),
    "a media type that is gone": (without(f"{POST}|requestBody|content", "text/plain"), "body text/plain: is gone"),
    "a request member that is gone": (without(f"{ORDER}|properties", "parts"), "json.parts: is gone"),
    "a request member that is now required": (plus(f"{ORDER}|required", "parts"), "json.parts: is now required"),
    "a new required request member": (
        lambda api: (plus(f"{ORDER}|required", "new")(api), with_(f"{ORDER}|properties", new={})(api)),
        "json.new: is new and required",
    ),
    "a request member of another type": (with_(f"{ORDER}|properties|name", type="integer"), "json.name: was string"),
    "null that is no longer taken": (without(f"{ORDER}|properties|count|anyOf", 1), "json.count: null is gone"),
    "a shorter text": (with_(f"{ORDER}|properties|name", maxLength=8), "json.name: maxLength was 9, is 8"),
    "a text with a pattern": (with_(f"{ORDER}|properties|name", pattern="a"), "json.name pattern"),
    "fewer elements": (with_(f"{ORDER}|properties|parts", maxItems=4), "json.parts: maxItems was 5, is 4"),
    "elements of another form": (
        with_(f"{ORDER}|properties|parts", items={"type": "string"}),
        "json.parts[]: was object, is string",
    ),
    "other members of another form": (
        with_(f"{ORDER}|properties|other", additionalProperties={"type": "string"}),
        "json.other.*: was integer, is string",
    ),
    "other members that are no longer taken": (
        with_(f"{ORDER}|properties|other", additionalProperties=False),
        "json.other.*: other members were described, are refused",
    ),
    "a status that is gone": (without(f"{POST}|responses", "409"), "POST /orders 409: is gone"),
    "a new success": (with_(f"{POST}|responses", **{"202": {}}), "POST /orders 202: is a new success"),
    "a header that is gone": (without(f"{POST}|responses|200|headers", "Version"), "200 Version: is gone"),
    "a header that may be absent": (
        with_(f"{POST}|responses|200|headers|Version", required=False),
        "may now be absent",
    ),
    "a header with another value": (
        with_(f"{POST}|responses|200|headers|Version|schema", const="2"),
        "POST /orders 200 Version: 1 is gone",
    ),
    "an answer of another media type": (
        with_(f"{POST}|responses|409|content", **{"text/plain": {}}),
        "409 text/plain: is a new form of an answer",
    ),
    "a form of an answer that is gone": (without(f"{ANSWER}|anyOf", 1), "200 application/json: Refused is gone"),
    "a new form of an answer": (plus(f"{ANSWER}|anyOf", NULL), "200 application/json: null is a new form"),
    "an answer's member that is gone": (without(f"{DONE}|properties", "time"), "json.time: is gone"),
    "an answer's member that may be absent": (without(f"{DONE}|required", "count"), "json.count: may now be absent"),
    "an answer's member that may be null": (
        with_(f"{DONE}|properties", count={"anyOf": [{"type": "integer", "minimum": 0}, NULL]}),
        "json.count: null is a new form",
    ),
    "an answer's member of another type": (
        with_(f"{DONE}|properties|count", type="number"),
        "json.count: was integer, is number",
    ),
    "an answer's member of another format": (
        with_(f"{DONE}|properties|time", format="date"),
        "json.time format: was date-time, is date",
    ),
    "an answer's value that is gone": (
        without(f"{DONE}|properties|status|enum", "LATER"),
        "json.status: LATER is gone",
    ),
    "an answer's value that may be any": (
        without(f"{DONE}|properties|status", "enum"),
        "json.status: is no longer one of DONE or LATER",
    ),
    "an answer's number below its minimum": (
        without(f"{DONE}|properties|count", "minimum"),
        "json.count: minimum was 0, is none",
    ),
    "an answer's elements of another type": (
        with_(f"{DONE}|properties|list|items", type="string"),
        "json.list[]: was number, is string",
    ),
    "a member of an error that is gone": (without("components|schemas|Refused|properties", "why"), "json.why: is gone"),
}

LET_THROUGH: dict[str, Change] = {
    "nothing": lambda api: None,
    "a minor version": with_("info", version="1.3.0"),
    "a new route": with_("paths", **{"/new": {"get": {"responses": {"200": {}}}}}),
    "a new method": with_("paths|/orders", put={"responses": {"200": {}}}),
    "other words": with_(f"{DONE}|properties|count", description="Other words.", title="Count"),
    "a new optional parameter": plus(
        f"{POST}|parameters", {"name": "new", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "a parameter that is no longer required": with_(f"{POST}|parameters|1", required=False),
    "a higher maximum": with_(f"{POST}|parameters|0|schema", maximum=11),
    "no minimum": without(f"{POST}|parameters|0|schema", "minimum"),
    "a further value of a parameter": plus(f"{POST}|parameters|1|schema|enum", "c"),
    "a further media type of a request": with_(f"{POST}|requestBody|content", **{"text/csv": {}}),
    "a new optional request member": with_(f"{ORDER}|properties", new={"type": "string"}),
    "a request member that is no longer required": without(f"{ORDER}|required", "name"),
    "null in a request": with_(f"{ORDER}|properties", name={"anyOf": [{"type": "string", "maxLength": 9}, NULL]}),
    "numbers beside integers in a request": with_(f"{ORDER}|properties", count={"anyOf": [{"type": "number"}, NULL]}),
    "other members in a request": without(ORDER, "additionalProperties"),
    "a further error": with_(f"{POST}|responses", **{"410": {}}),
    "a further header": with_(f"{POST}|responses|200|headers", New={"schema": {}}),
    "a further member of an answer": with_(f"{DONE}|properties", new={"type": "string"}),
    "a further value of an answer": plus(f"{DONE}|properties|status|enum", "ERASED"),
    "an answer's member that is now always there": plus(f"{DONE}|required", "time"),
    "an answer's number above a higher minimum": with_(f"{DONE}|properties|count", minimum=1),
    "an answer's integers beside numbers": with_(f"{DONE}|properties|list|items", type="integer"),
}


def changed(change: Change) -> Json:
    api = deepcopy(API)
    change(api)
    return api


@pytest.mark.parametrize("name", REFUSED)
def test_a_change_that_is_not_an_addition_is_refused_by_its_place(name: str) -> None:
    change, told = REFUSED[name]

    assert [fault for fault in openapi.faults(API, changed(change)) if told in fault]


@pytest.mark.parametrize("name", LET_THROUGH)
def test_an_addition_is_let_through(name: str) -> None:
    assert openapi.faults(API, changed(LET_THROUGH[name])) == []
