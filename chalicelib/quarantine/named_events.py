"""Finds the event with a source and key in a refused body, as far as the body can be read."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

from chalicelib.core import lossless_json
from chalicelib.core.lossless_json import JsonValue
from chalicelib.ingest.rejection import Rejection
from chalicelib.ingest.request import NDJSON

_KEYS = ("idempotency_key", "id")
_A_KEY = re.compile(rb'"(?:idempotency_key|id)"\s*+:\s*+("(?:[^"\\]++|\\.)*+")')


def names(rejected: Rejection, source: str, key: str) -> bool:
    """Whether an event in a refused body has this source, and this key or, as a CloudEvent, this id."""
    if "ce-id" in rejected.headers:
        return [unquote(rejected.headers.get(name, "").strip()) for name in ("ce-source", "ce-id")] == [source, key]
    # A body has up to 10 MB, and its values take many times its bytes, so it is parsed only if it may be the one.
    return _mentions(rejected.body, key) and any(_is_named(value, source, key) for value in _values(rejected))


def _mentions(body: bytes, key: str) -> bool:
    return any(_text_of(found[1]) == key for found in _A_KEY.finditer(body))


def _text_of(literal: bytes) -> str | None:
    try:
        return str(json.loads(literal))
    except ValueError:
        return None


def _is_named(value: JsonValue, source: str, key: str) -> bool:
    return isinstance(value, dict) and value.get("source") == source and key in map(value.get, _KEYS)


def _values(rejected: Rejection) -> Iterator[JsonValue]:
    parts = rejected.body.split(b"\n") if rejected.content_type == NDJSON else [rejected.body]
    for part in parts:
        with suppress(UnicodeDecodeError, lossless_json.JsonSyntaxError):
            yield from _values_in(part.removeprefix(BOM_UTF8).decode())


def _values_in(text: str) -> Iterator[JsonValue]:
    if not text.lstrip().startswith("["):
        yield lossless_json.parse(text).value
        return
    for element in lossless_json.parse_elements(text):
        yield element.value
