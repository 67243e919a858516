"""Bad input to POST /ingest costs no more than its size allows: memory in bytes, and work by what is counted."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.core import lossless_json
from chalicelib.core.errors import RetraceError
from chalicelib.ingest.request import MAX_BYTES, parse_request
from tests.functional.events import DAY

FIXED_BYTES = 11_000_000
"""Among them room for all that a gzip body may unpack to, which is set apart at once."""
TIMES_ITS_SIZE = 60
"""What a body may cost in memory. At 10 MB that is 600 MB of what the function has."""


def event_with(payload: bytes) -> bytes:
    """An event around a payload."""
    head = {"source": "s", "event_type": "t", "entity_id": "e", "event_time": f"{DAY}T00:00:00Z"}
    return json.dumps(head).encode()[:-1] + b',"payload":' + payload + b"}"


def filled(piece: bytes, size: int, opened: bytes = b"[", closed: bytes = b"]") -> bytes:
    """An event whose payload is one piece over and over, with commas between."""
    return event_with(opened + b",".join([piece] * (size // (len(piece) + 1))) + closed)


Body = Callable[[int], bytes]
DEAR: dict[str, tuple[str, Body]] = {
    "numbers": ("application/json", lambda size: filled(b"12", size)),
    "one number": ("application/json", lambda size: event_with(b"1" * size)),
    "an exponent": ("application/json", lambda size: event_with(b"1e" + b"9" * size)),
    "empty objects": ("application/json", lambda size: filled(b"{}", size)),
    "small objects": ("application/json", lambda size: filled(b'{"":0}', size)),
    "empty arrays": ("application/json", lambda size: filled(b"[]", size)),
    "keys twice": ("application/json", lambda size: filled(b'{"a":0,"a":0}', size)),
    "one key over and over": ("application/json", lambda size: filled(b'"a":0', size, b"{", b"}")),
    "NaN": ("application/json", lambda size: filled(b"NaN", size)),
    "lone surrogates": ("application/json", lambda size: filled(b'"\\ud800"', size)),
    "escapes": ("application/json", lambda size: event_with(b'"' + b"\\u00e4" * (size // 6) + b'"')),
    "opened and never closed": ("application/json", lambda size: event_with(b"[" * size)),
    "deep and closed": ("application/json", lambda size: event_with(b"[" * (size // 2) + b"]" * (size // 2))),
    "deep side by side": ("application/json", lambda size: filled(b"[" * 250 + b"]" * 250, size)),
    "line breaks": ("application/x-ndjson", lambda size: b"\n" * size),
    "too many events": ("application/json", lambda size: b"[" + b",".join([b"{}"] * (size // 3)) + b"]"),
    "too many lines": ("application/x-ndjson", lambda size: b"{}\n" * (size // 3)),
    "broken lines": ("application/x-ndjson", lambda size: (b"{" * (size // 1_000) + b"\n") * 1_000),
    "white space": ("application/json", lambda size: b" " * size),
    "white space between elements": ("application/json", lambda size: b"[" + b" " * size + b"x"),
    "no UTF-8 at the end": ("application/json", lambda size: event_with(b'"' + b"x" * size) + b"\xff"),
    "attributes": (
        "application/cloudevents+json",
        lambda size: b"{" + b",".join(b'"a%d":"b"' % number for number in range(size // 14)) + b"}",
    ),
    "Base64": (
        "application/cloudevents+json",
        lambda size: (
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"' + b"AAAA" * (size // 4) + b'"}'
        ),
    ),
}


def read(content_type: str, body: bytes, encoding: str | None = None) -> Any:
    """What a request submits, or what it was refused with."""
    try:
        return parse_request(body, content_type, encoding)
    except RetraceError as error:
        return error


def peak_of(action: Callable[[], Any]) -> int:
    """The most memory that was in use at once, in bytes."""
    tracemalloc.start()
    try:
        kept = action()
        _, peak = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("kind", DEAR)
def test_a_body_costs_no_more_memory_than_so_many_times_its_size(kind: str) -> None:
    content_type, body = DEAR[kind]
    sent = body(50_000)

    assert peak_of(lambda: read(content_type, sent)) <= FIXED_BYTES + TIMES_ITS_SIZE * len(sent)
    packed = gzip.compress(sent)
    assert peak_of(lambda: read(content_type, packed, "gzip")) <= FIXED_BYTES + TIMES_ITS_SIZE * len(sent)


def lines_run(action: Callable[[], Any]) -> int:
    """How many lines of Python an action takes."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("kind", DEAR)
def test_twice_the_size_is_at_most_twice_the_work(kind: str) -> None:
    content_type, body = DEAR[kind]
    small, large = body(8_000), body(16_000)

    done = lines_run(lambda: read(content_type, small))
    assert lines_run(lambda: read(content_type, large)) <= 2.2 * done + 200  # some pieces do not fit in evenly


@pytest.mark.parametrize("members", [1, 1_000])
def test_a_bomb_is_unpacked_to_the_limit_and_one_byte_and_no_further(
    monkeypatch: pytest.MonkeyPatch, members: int
) -> None:
    produced = 0

    class Counting(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal produced
            plain = super().read(size)
            produced += len(plain)
            return plain

    monkeypatch.setattr("chalicelib.ingest.content_encoding.gzip.GzipFile", Counting)
    bomb = gzip.compress(b"\x00" * (200_000_000 // members)) * members
    assert len(bomb) < 300_000

    peak = peak_of(lambda: read("application/json", bomb, "gzip"))

    assert produced == MAX_BYTES + 1
    assert peak <= 4 * MAX_BYTES


def test_every_limit_holds_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any) -> Any:
        raise AssertionError("a body that is too large was parsed")

    monkeypatch.setattr(lossless_json, "parse", never)
    monkeypatch.setattr(lossless_json, "parse_elements", never)

    for body in (b"[" * (MAX_BYTES + 1), b"{" * (MAX_BYTES + 1)):
        assert isinstance(read("application/json", body), RetraceError)
        assert isinstance(read("application/json", gzip.compress(body), "gzip"), RetraceError)
