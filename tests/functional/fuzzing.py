"""Requests to POST /ingest that nobody would send on purpose: almost right, broken, or hostile."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.functional.events import DAY, Json
from tests.unit.json_trees import Num, trees, write

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Sent:
    """A request: what its body is once unpacked, the body as it is sent, and its headers."""

    plain: bytes
    body: bytes
    headers: Headers
    query: str = ""

    def lambda_event(self, route: str = "/ingest", **parameters: str) -> Json:
        """The request as API Gateway hands it to the function: every body in Base64, each header with all values."""
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name, []).append(value)
        query = dict(pair.partition("=")[::2] for pair in self.query.split("&") if pair)
        return {
            "httpMethod": "POST",
            "path": route.format(**parameters),
            "resource": route,
            "pathParameters": parameters or None,
            "stageVariables": None,
            "headers": {name: given[-1] for name, given in values.items()},
            "multiValueHeaders": values,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "queryStringParameters": query or None,
            "requestContext": {"resourcePath": route, "httpMethod": "POST", "requestId": f"fuzz-{next(_numbers)}"},
            "isBase64Encoded": True,
            "body": base64.b64encode(self.body).decode(),
        }


_numbers = count()

# What has broken parsers before. Each may stand anywhere in a body.
MORSELS = [
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    "\U0001f9ff".encode(),
    b"\n",
    b"\r",
    b"\r\n\n",
    b"\t",
    b"\x0b",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\ud83d\\ude00",
    b"\\u",
    b"\\",
    b'"',
    b",",
    b"}",
    b"[]",
    b"{}",
    b"[",
    b"[" * 300 + b"]" * 300,
    b"[" * 3_000,
    b'{"a":' * 300,
    b'{"a":1,"a":2}',
    b'"source":"x",',
    b"null",
    b"NaN",
    b"-Infinity",
    b"Infinity",
    b"1e999999",
    b"-0",
    b"-0.0e-0",
    b"1" * 5_000,
    b"0." + b"0" * 5_000 + b"1",
    b"1E+2",
    b"01",
    b"+1",
    b".5",
    b"0x1",
    b"1_0",
    b"/**/",
    b'{"event_time":"2026-02-30T00:00:00Z"}',
    b"\x1f\x8b\x08\x00",
]

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        " ",
        "x",
        1,
        True,
        [],
        {},
        "e" * 2_000,
        "\ud800",
        "\x00",
        "ü/%#?&=",
        "2023-06-30T10:00:00",
        "0000-01-01",
    ]
)
FIELDS = ["source", "event_type", "entity_id", "event_time", "payload", "idempotency_key", "specversion", "id", "type"]
INSTANTS = [
    f"{DAY}T10:00:00Z",
    f"{DAY}T10:00:00.123456789+05:30",
    f"{DAY}t10:00:00z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999999-23:59",
]


def one_in(many: int) -> st.SearchStrategy[bool]:
    """True once in so many times; Hypothesis prefers the ends of a range of numbers."""
    return st.sampled_from([False] * (many - 1) + [True])


@st.composite
def native(draw: st.DrawFn) -> str:
    """The text of an event as it should be, or with some field of it wrong."""
    event: dict[str, Any] = {
        "source": draw(st.sampled_from(["shop", "shop/ü", "a b#%"])),
        "event_type": "order.paid",
        "entity_id": draw(st.sampled_from(["order-1", "\u2028", "#", "😀"])),
        "event_time": draw(st.sampled_from(INSTANTS)),
        "payload": draw(trees(max_leaves=4)),
    }
    if draw(st.booleans()):
        event["idempotency_key"] = draw(st.sampled_from(["k", "k2", "ü"]))
    return _spoilt(draw, event)


@st.composite
def cloudevent(draw: st.DrawFn) -> str:
    """The text of a CloudEvent in the JSON format, or of one with something wrong."""
    event: dict[str, Any] = {
        "specversion": draw(st.sampled_from(["1.0", "1.0", "1.0", "0.3", "1"])),
        "id": draw(st.sampled_from(["1", "2"])),
        "source": draw(st.sampled_from(["/shop", "urn:x", "a/b", "a b"])),
        "type": "order.paid",
    }
    event |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "subject": st.sampled_from(["order-1", ""]),
                "time": st.sampled_from(INSTANTS),
                "datacontenttype": st.sampled_from(["application/json", "text/plain", "a/b+json", "x", ""]),
                "dataschema": st.sampled_from(["http://x/#y", "%"]),
                "data": trees(max_leaves=4),
                "data_base64": st.sampled_from(["", "AA==", "AA", "e30=", "\n", "="]),
                "traceparent": st.sampled_from(["00-1", 1, True, 2**31, "\x00"]),
            },
        )
    )
    return _spoilt(draw, event)


def _spoilt(draw: st.DrawFn, event: dict[str, Any]) -> str:
    if draw(one_in(8)):
        event[draw(st.sampled_from(FIELDS))] = draw(VALUES)
    if draw(one_in(16)):
        event.pop(draw(st.sampled_from(sorted(event))))
    rng = draw(st.randoms(use_true_random=False))
    try:
        return write({name: _tree(value) for name, value in event.items()}, rng)
    except UnicodeEncodeError:
        return json.dumps(event, default=lambda number: 1)


def _tree(value: Any) -> Any:
    return Num(str(value)) if type(value) is int else value


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """A body with pieces taken out, put in, doubled or swapped."""
    body = draw(texts)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2, 4]))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.sampled_from([0, 0, 1, 3, 20])))
        piece = draw(st.sampled_from(MORSELS) | st.binary(max_size=4) | st.just(body[start:end] * 2))
        body = body[:start] + piece + body[end:]
    return body


def _surrogates_pass(text: str) -> bytes:
    """UTF-8, and what is none where the text holds what UTF-8 cannot."""
    return text.encode("utf-8", "surrogatepass")


@st.composite
def plain_bodies(draw: st.DrawFn) -> tuple[str | None, bytes]:
    """A content type and a body that goes with it, more or less."""
    kind = draw(st.sampled_from(["native", "array", "lines", "cloudevent", "batch", "bytes"]))
    event = cloudevent() if kind in ("cloudevent", "batch") else native()
    texts = draw(st.lists(mutated(event.map(_surrogates_pass)), min_size=0, max_size=4))
    match kind:
        case "native":
            return "application/json", draw(mutated(native().map(_surrogates_pass)))
        case "cloudevent":
            return "application/cloudevents+json", draw(mutated(cloudevent().map(_surrogates_pass)))
        case "array":
            return "application/json", draw(mutated(st.just(b"[" + b",".join(texts) + b"]")))
        case "batch":
            return "application/cloudevents-batch+json", draw(mutated(st.just(b"[" + b",".join(texts) + b"]")))
        case "lines":
            ends = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\n", b"\r"]))
            lines = [text.replace(b"\n", b" ").replace(b"\r", b" ") for text in texts]
            return "application/x-ndjson", draw(mutated(st.just(ends.join(lines) + ends)))
        case _:
            return draw(st.sampled_from(CONTENT_TYPES)), draw(st.binary(max_size=200))


CONTENT_TYPES = [
    None,
    "",
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "Application/JSON ; charset=UTF-8",
    "application/json;charset=utf-16",
    "application/json;charset=utf-16;charset=utf-8",
    "application/json;charset",
    'application/json;charset="',
    "application/json;=;;",
    "application/cloudevents",
    "application/cloudevents-batch",
    "application/x-ndjson;charset=latin-1",
    "text/plain",
    "multipart/form-data",
    "application/json, application/x-ndjson",
    ";",
    "ü/ü",
    "\ud800",
    "a/\ud800",
    "application/json;charset=\ud800",
    "x" * 5_000,
]

CHARSETS: list[Callable[[str], bytes]] = [
    lambda text: text.encode("utf-16", "surrogatepass"),
    lambda text: text.encode("utf-32-le", "surrogatepass"),
    lambda text: text.encode("utf-8-sig", "surrogatepass"),
    lambda text: text.encode("latin-1", "replace"),
    lambda text: text.encode("cp1252", "ignore"),
    lambda text: text.encode("utf-7", "ignore"),
]

CE_HEADERS = [
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-specversion",
    "ce-time",
    "ce-subject",
    "CE-Trace",
    "ce-",
    "ce-data",
    "ce-\ud800",
]
CE_VALUES = [
    "1",
    "/shop",
    "order.paid",
    "1.0",
    f"{DAY}T10:00:00Z",
    "%",
    "%ff",
    "%ED%A0%80",
    "\ud800",
    '"a\\"b"',
    '"',
    "ü",
    "",
    " x\t",
]


@st.composite
def odd_headers(draw: st.DrawFn, content_type: str | None) -> Headers:
    """Headers of a request: mostly its content type, with what does not belong there, and some of it twice."""
    if draw(one_in(6)):
        content_type = draw(st.sampled_from(CONTENT_TYPES))
    headers: Headers = [] if content_type is None else [("content-type", content_type)]
    if draw(one_in(6)):
        whole = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "order.paid")]
        headers += draw(st.sampled_from([[], whole]))
        headers += draw(st.lists(st.tuples(st.sampled_from(CE_HEADERS), st.sampled_from(CE_VALUES)), max_size=4))
    return headers


def _unpacked(body: bytes) -> bytes:
    """What is in a gzip body, if it is whole: not every bit of its head counts."""
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return b""


@st.composite
def packed(draw: st.DrawFn, plain: bytes) -> tuple[bytes, bytes, str | None]:
    """A body unpacked, as it is sent, and the encoding that it is said to have."""
    gzipped = gzip.compress(plain, mtime=0)
    cut = draw(st.integers(0, len(gzipped)))
    flipped = gzipped[:cut] + bytes([gzipped[cut] ^ 1 << cut % 8]) + gzipped[cut + 1 :] if cut < len(gzipped) else b""
    return draw(
        st.sampled_from(
            [
                (plain, plain, None),
                (plain, plain, None),
                (plain, plain, None),
                (plain, plain, "identity"),
                (plain, gzipped, "gzip"),
                (plain, gzipped[: len(gzipped) // 2] and gzip.compress(plain[:9]) + gzip.compress(plain[9:]), "x-gzip"),
                (_unpacked(gzipped[:cut]), gzipped[:cut], "gzip"),
                (_unpacked(flipped), flipped, "gzip"),
                (plain, gzipped + b"\x00" * 9, "gzip"),
                (b"", gzipped + plain, "gzip"),
                (b"", plain, "gzip"),
                (b"", zlib.compress(plain), "gzip"),
                (plain, gzipped, None),
                (b"", plain, "br"),
                (b"", gzipped, "gzip, gzip"),
                (plain, plain, ""),
                (b"", plain, "ü"),
                (b"", plain, "\udc00"),
            ]
        )
    )


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A request to POST /ingest."""
    content_type, plain = draw(plain_bodies())
    if draw(one_in(16)):
        plain = draw(st.sampled_from(CHARSETS))(draw(native() | cloudevent()))
    if draw(one_in(16)):
        plain = draw(st.sampled_from([b"", b"\n", b"\n\r\n \n", b" ", b"[]", b"{}", b"null", b"\xef\xbb\xbf"]))
    headers = draw(odd_headers(content_type))
    unpacked, body, encoding = draw(packed(plain)) if draw(one_in(4)) else (plain, plain, None)
    if encoding is not None:
        headers.append(("content-encoding", encoding))
    query = draw(
        st.sampled_from(
            [*4 * ["results=all"], *2 * ["results=all&dry_run=true"], "dry_run=", "results=some", "strict=1", "x=1"]
        )
    )
    return Sent(unpacked, body, headers, query)


@st.composite
def replays(draw: st.DrawFn) -> Sent:
    """A request to POST /replay, or what is almost one."""
    window = {"start_time": f"{DAY}T00:00:00Z", "end_time": f"{DAY}T12:00:00Z"}
    right: list[Json] = [
        {"entity_id": "order-1", **window},
        {"source": "shop", "event_type": "order.paid", "day": DAY, "exclude": {"entity_id": ["x"]}, "max_messages": 3},
        {"source": "shop", "event_type": "order.paid", "start_day": DAY, "end_day": DAY, "whole_days": True},
        {"entity_id": "order-1", **window, "include_duplicates": True, "destination": "ordered"},
    ]
    asked = dict(draw(st.sampled_from(right)))
    if draw(st.booleans()):
        names = [
            *FIELDS,
            "start_time",
            "end_time",
            "day",
            "max_messages",
            "rate",
            "include",
            "exclude",
            "confirm",
            "destination",
        ]
        asked[draw(st.sampled_from(names))] = draw(VALUES | st.integers() | trees(max_leaves=3).map(str))
    text = json.dumps(asked, ensure_ascii=draw(st.booleans()))
    body = draw(mutated(st.just(_surrogates_pass(text))))
    headers: Headers = [("content-type", draw(st.sampled_from(["application/json", "text/plain", "ü"])))]
    if draw(one_in(4)):
        headers.append(("idempotency-key", draw(st.sampled_from(["k", "", "ü", "k" * 300, "a b"]))))
    return Sent(body, body, headers, draw(st.sampled_from(["", "", "", "dry_run=true", "dry_run=yes", "x=1"])))
