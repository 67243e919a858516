"""Requests that carry CloudEvents: one for each rule of the specification, and what a decoder has to get from it.

https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents: spec.md, its JSON format and its HTTP binding

RETRACE_CLOUDEVENTS names a folder with more of them: cases.json, a list of objects with name, headers, body_base64 and
valid, and expected.json, which has under the name of each valid one a list of what is decoded.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.events import DAY, Json, as_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@dataclass(frozen=True)
class Case:
    """A request, and the events that a decoder gets from it; None where it is invalid, with the fields at fault."""

    name: str
    headers: dict[str, str]
    body: bytes
    decoded: tuple[Json, ...] | None
    faults: tuple[str, ...] = ()


def paid_event(**changes: Any) -> Json:
    """A CloudEvent in the JSON format; None leaves an attribute out."""
    event = {
        "specversion": "1.0",
        "id": "payment-1",
        "source": "/shop/checkout",
        "type": "order.paid",
        "subject": "order-1",
        "time": f"{DAY}T10:00:00Z",
        "datacontenttype": "application/json",
        "data": {"amount": 5},
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


def in_binary_mode(event: Json, body: bytes) -> Case:
    """The request that carries an event with plain attributes in its headers."""
    headers = {f"ce-{name}": str(value) for name, value in event.items() if name not in ("data", "datacontenttype")}
    return Case("binary", {**headers, "content-type": event["datacontenttype"]}, body, None)


_REQUIRED = paid_event(subject=None, time=None, datacontenttype=None, data=None)
_HEADERS = {f"ce-{name}": value for name, value in _REQUIRED.items()}
_TRACE = "00-5e0c63257de34c92bfa1bfc1c3e4c8d6-6a1c0f5f3c7b4a29-01"
_GREETING = "Grüße 😀"


def _structured(name: str, members: Json, decoded: Json, media_type: str = STRUCTURED) -> Case:
    """A valid event whose attributes are those required and those decoded."""
    expected = decoded | {"attributes": _REQUIRED | decoded.get("attributes", {})}
    return Case(f"structured: {name}", {"Content-Type": media_type}, as_json(_REQUIRED | members), (expected,))


def _binary(name: str, headers: Json, body: bytes, attributes: Json) -> Case:
    """A valid event in binary mode, whose data is the bytes of its body."""
    data = {"data_bytes_base64": base64.b64encode(body).decode()} if body else {}
    return Case(f"binary: {name}", _HEADERS | headers, body, ({"attributes": _REQUIRED | attributes, **data},))


def _typed(content_type: str, body: bytes) -> Case:
    return _binary(content_type, {"Content-Type": content_type}, body, {"datacontenttype": content_type})


def _subject(name: str, header: str, subject: str) -> Case:
    return _binary(name, {"ce-subject": header}, b"", {"subject": subject})


def _in_structured_mode() -> list[Case]:
    a_type = {"datacontenttype": "application/json"}
    xml, thrift = {"datacontenttype": "application/xml"}, {"datacontenttype": "application/vnd.apache.thrift.binary"}
    extensions = {"retries": -2147483648, "urgent": True, "note": _GREETING, "unset": None}
    return [
        _structured("nothing but what is required", {}, {}),
        _structured("a charset", {"data": 5}, {"data_json": 5}, f"{STRUCTURED}; charset=UTF-8"),
        _structured("capitals in the media type", {"data": 5}, {"data_json": 5}, "Application/CloudEvents+JSON"),
        _structured(
            "extensions of every type, and one that is null",
            extensions,
            {"attributes": {"retries": "-2147483648", "urgent": "true", "note": _GREETING}},
        ),
        _structured("an object", {**a_type, "data": {"amount": 5}}, {"attributes": a_type, "data_json": {"amount": 5}}),
        _structured("a decimal", {**a_type, "data": [150.0]}, {"attributes": a_type, "data_json": [150.0]}),
        _structured("a string without a type", {"data": "paid"}, {"data_json": "paid"}),
        _structured("JSON in a string", {**a_type, "data": '{"a":5}'}, {"attributes": a_type, "data_json": '{"a":5}'}),
        _structured("XML in a string", {**xml, "data": "<paid/>"}, {"attributes": xml, "data_text": "<paid/>"}),
        _structured("null", {**a_type, "data": None}, {"attributes": a_type, "data_json": None}),
        _structured("bytes", {**thrift, "data_base64": "CwAB/w=="}, {"attributes": thrift, **_bytes("CwAB/w==")}),
        _structured("bytes without a type", {"data_base64": "CwAB/w=="}, _bytes("CwAB/w==")),
        Case(
            "structured: a pair of surrogates",
            {"Content-Type": STRUCTURED},
            as_json(_REQUIRED | {"subject": "?"}).replace(b"?", b"\\ud83d\\ude00"),
            ({"attributes": _REQUIRED | {"subject": "😀"}},),
        ),
    ]


def _bytes(encoded: str) -> Json:
    return {"data_bytes_base64": encoded}


def _in_binary_mode() -> list[Case]:
    extensions = {"ce-retries": "7", "ce-order": "%7B%22n%22:%207}"}
    capitals = {name.upper(): value for name, value in _HEADERS.items()}
    return [
        _typed("application/json", b'{"amount": 5}'),
        _typed("application/json; charset=utf-8", b'"paid"'),
        _typed("text/plain; charset=us-ascii", b"paid\n"),
        _typed("text/plain; charset=utf-8", _GREETING.encode()),
        _typed("application/xml; charset=utf-8", "<paid>Grüße</paid>".encode()),
        _typed("image/png", b"\x89PNG\r\n"),
        _binary("bytes without a type", {}, b"\x80\x00\xff", {}),
        _binary("extensions", extensions, b"", {"retries": "7", "order": '{"n": 7}'}),
        _binary(
            "a trace, as attribute and as header", {"ce-traceparent": _TRACE, "traceparent": _TRACE}, b"", _traced()
        ),
        _subject("percent-encoded", "Gr%C3%BC%C3%9Fe%20%F0%9F%98%80", _GREETING),
        _subject("percent-encoded in lower case", "Gr%c3%bc%c3%9fe%20%f0%9f%98%80", _GREETING),
        _subject("quoted", '"said \\"Gr%C3%BC%C3%9Fe\\""', 'said "Grüße"'),
        Case("binary: capitals in names of headers", capitals, b"", ({"attributes": _REQUIRED},)),
    ]


def _traced() -> Json:
    return {"traceparent": _TRACE}


def _batches() -> list[Case]:
    headers, second = {"Content-Type": f"{BATCH}; charset=utf-8"}, _REQUIRED | {"id": "payment-2"}
    decoded = ({"attributes": _REQUIRED, "data_json": 5}, {"attributes": second})
    return [
        Case("a batch of two", headers, as_json([_REQUIRED | {"data": 5}, second]), decoded),
        Case("a batch of none", headers, b"[]", ()),
        Case("a batch of two versions", headers, as_json([_REQUIRED, second | _OLD]), None, ("specversion",)),
        Case("a batch whose second has no id", headers, as_json([_REQUIRED, _without("id")]), None, ("id",)),
        Case("a batch that is an object", headers, as_json(_REQUIRED), None, ("body",)),
        Case("an array that is no batch", {"Content-Type": STRUCTURED}, as_json([_REQUIRED]), None, ("",)),
    ]


_OLD = {"specversion": "0.3"}


def _without(name: str) -> Json:
    return {other: value for other, value in _REQUIRED.items() if other != name}


def _wrong(name: str, event: Json, *faults: str) -> Case:
    return Case(f"structured: {name}", {"Content-Type": STRUCTURED}, as_json(event), None, faults)


def _wrong_binary(name: str, headers: dict[str, str], body: bytes, *faults: str) -> Case:
    return Case(f"binary: {name}", headers, body, None, faults)


def _wrong_in_structured_mode() -> list[Case]:
    text = as_json(_REQUIRED)
    return [
        *(_wrong(f"without {name}", _without(name), name) for name in _REQUIRED),
        *(_wrong(f"{name} of null", _REQUIRED | {name: None}, name) for name in _REQUIRED),
        *(_wrong(f"{name} of nothing", _REQUIRED | {name: ""}, name) for name in _REQUIRED),
        *(_wrong(f"{name} that is a number", _REQUIRED | {name: 1}, name) for name in _REQUIRED),
        *(
            _wrong(f"version {version}", _REQUIRED | {"specversion": version}, "specversion")
            for version in ("0.3", "2.0")
        ),
        _wrong("a time of another format", _REQUIRED | {"time": "Sat, 21 Nov 2026 10:00:00 GMT"}, "time"),
        _wrong("a capital in a name", _REQUIRED | {"orderNumber": "7"}, "orderNumber"),
        _wrong("an object as extension", _REQUIRED | {"order": {"n": 7}}, "order"),
        _wrong("a decimal as extension", _REQUIRED | {"order": 7.5}, "order"),
        _wrong("an integer beyond 32 bits", _REQUIRED | {"order": 2147483648}, "order"),
        _wrong("data twice", _REQUIRED | {"data": 5, "data_base64": "NQ=="}, "data_base64"),
        _wrong("data that is not Base64", _REQUIRED | {"data_base64": "paid!"}, "data_base64"),
        _wrong("a lone surrogate", _REQUIRED | {"subject": "\ude00"}, "subject"),
        Case("structured: an id twice", {"Content-Type": STRUCTURED}, text[:-1] + b',"id":"7"}', None, ("id",)),
        Case("structured: cut off", {"Content-Type": STRUCTURED}, text[:-9], None, ("body",)),
        _wrong(
            "everything at once",
            {"specversion": 1, "id": "", "type": "a\tb", "Big": 1.5, "dataschema": "x", "data_base64": "!"},
            *("Big", "data_base64", "dataschema", "id", "source", "specversion", "type"),
        ),
    ]


def _wrong_in_binary_mode() -> list[Case]:
    of_json = {"Content-Type": "application/json"}
    everything = {"specversion": "0.3", "source": "two words", "subject": "100%", "time": "noon", "a_b": "1"}
    return [
        *(_wrong_binary(f"without {name}", _headers(_without(name)), b"", name) for name in _REQUIRED),
        _wrong_binary("a string without quotes", _HEADERS | of_json, b"paid", "data"),
        _wrong_binary("a type of data in its own header", _HEADERS | of_json | _TYPE, b"5", "datacontenttype"),
        _wrong_binary("an overlong encoding", _HEADERS | {"ce-subject": "%C0%A0"}, b"", "subject"),
        _wrong_binary(
            "everything at once",
            _headers(everything),
            b"",
            *("a_b", "id", "source", "specversion", "subject", "time", "type"),
        ),
        Case("a CloudEvent as plain JSON", of_json, as_json(_REQUIRED), None),
    ]


_TYPE = {"ce-datacontenttype": "application/json"}


def _headers(attributes: Json) -> dict[str, str]:
    return {f"ce-{name}": value for name, value in attributes.items()}


def _cases_of(directory: Path) -> list[Case]:
    expected = json.loads((directory / "expected.json").read_text())
    return [
        Case(
            case["name"],
            case["headers"],
            base64.b64decode(case["body_base64"]),
            tuple(expected[case["name"]]) if case["valid"] else None,
        )
        for case in json.loads((directory / "cases.json").read_text())
    ]


def cases() -> list[Case]:
    """The project's own, and those of RETRACE_CLOUDEVENTS."""
    chosen = os.environ.get("RETRACE_CLOUDEVENTS")
    return [
        *_in_structured_mode(),
        *_in_binary_mode(),
        *_batches(),
        *_wrong_in_structured_mode(),
        *_wrong_in_binary_mode(),
        *(_cases_of(Path(chosen)) if chosen else []),
    ]
