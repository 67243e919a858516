"""Reads what a refused body names, as far as it can be read, and compares it with the first event of its identity."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote

from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import shown_name
from chalicelib.core.lossless_json import JsonValue, parse
from chalicelib.events.cloudevent_attributes import TRANSPORT
from chalicelib.events.cloudevents import HEADER_PREFIX
from chalicelib.events.event import Form
from chalicelib.ingest.rejection import Rejection
from chalicelib.ingest.request import BATCH, MAX_EVENTS, NDJSON

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that differs: its path and both values as JSON, cut if long; None where the member is not there."""

    path: str
    first: str | None
    refused: str | None


def differences(first: str, refused: str) -> Iterator[Difference]:
    """What differs between the texts of two valid events, in the order of their paths."""
    yield from _differences(_content(parse(first).value), _content(parse(refused).value), "")


def _content(event: JsonValue) -> JsonValue:
    """The event without attributes that two copies of it may differ in."""
    return {name: value for name, value in event.items() if name not in TRANSPORT} if isinstance(event, dict) else event


def _differences(first: JsonValue, refused: JsonValue, path: str) -> Iterator[Difference]:
    one, other = _parts(first), _parts(refused)
    if type(first) is not type(refused) or one is None or other is None:
        if canonical(first) != canonical(refused):
            yield Difference(path, _shown(first), _shown(refused))
        return
    for name in sorted(one.keys() | other.keys(), key=_in_order):
        within = f"{path}{name}".removeprefix(".")
        if name in one and name in other:
            yield from _differences(one[name], other[name], within)
        else:
            found = _shown(one[name] if name in one else other[name])
            yield Difference(within, *((found, None) if name in one else (None, found)))


def _parts(value: JsonValue) -> dict[str, JsonValue] | None:
    """The members of an object or the elements of an array, by what leads to them; None of anything else."""
    match value:
        case dict():
            return {f".{shown_name(name)}": member for name, member in value.items()}
        case list():
            return {f"[{number}]": element for number, element in enumerate(value)}
    return None


def _in_order(name: str) -> tuple[int, str]:
    return (len(name) if name.startswith("[") else 0, name)


def _shown(value: JsonValue) -> str:
    text = canonical(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


NATIVE_MEMBERS = {
    "source": ("source",),
    "event_type": ("event_type",),
    "entity_id": ("entity_id",),
    "idempotency_key": ("idempotency_key", "id"),
}
"""The members that say it; of several, the first that is given. An id is a CloudEvent's key, sent in the wrong form."""

CLOUDEVENT_MEMBERS = {
    "source": ("source",),
    "event_type": ("type",),
    "entity_id": ("subject", "source"),
    "idempotency_key": ("id",),
}

_LONGEST = 1_024
_BLANKS = re.compile(r"[ \t\r\n]*+")
# Python refuses to convert integers of thousands of digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True, slots=True)
class Contents:
    """What the events of a refused body say: the value of each member in each of them, None if an event has none."""

    values: Mapping[str, Sequence[str | None]]

    @property
    def events(self) -> int:
        """How many there are."""
        return len(self.values["source"])

    def common(self, name: str) -> str | None:
        """The value that all events share, None if they differ or if it cannot be read."""
        value, *more = set(self.values[name])
        return None if more else value

    def name(self, source: str, key: str) -> bool:
        """Whether one of the events has this source and this key or, as a CloudEvent, this id."""
        return (source, key) in zip(self.values["source"], self.values["idempotency_key"], strict=True)


def contents_of(rejected: Rejection) -> Contents:
    """What a refused body says of its events. One that cannot be read counts as one event.

    Events are read one at a time, and no more than a request may have, as some bodies were refused for being too many.
    """
    members = CLOUDEVENT_MEMBERS if _is_cloudevent(rejected) else NATIVE_MEMBERS
    events = islice(_events(rejected), MAX_EVENTS)
    said = [[_text(event, given) for given in members.values()] for event in events] or [[None] * len(members)]
    return Contents(dict(zip(members, zip(*said, strict=True), strict=True)))


def _is_cloudevent(rejected: Rejection) -> bool:
    return bool(_attributes(rejected)) or rejected.content_type in (Form.CLOUDEVENT, BATCH)


def _attributes(rejected: Rejection) -> dict[str, str]:
    """The attributes in the headers of a CloudEvent in binary mode."""
    headers = rejected.headers.items()
    return {
        name.removeprefix(HEADER_PREFIX): unquote(value.strip())
        for name, value in headers
        if name.startswith(HEADER_PREFIX)
    }


def _events(rejected: Rejection) -> Iterator[Mapping[str, Any]]:
    """Each event, empty if it cannot be read."""
    if attributes := _attributes(rejected):
        return iter([attributes])
    if rejected.content_type == NDJSON:
        return (_object(_value(line)) for line in rejected.body.split(b"\n") if line.strip())
    if rejected.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return map(_object, _elements(rejected.body))
    return iter([_object(_value(rejected.body))])


def _value(text: bytes) -> Any:
    try:
        return _DECODER.decode(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _elements(body: bytes) -> Iterator[Any]:
    """The elements of an array, up to where it ends or breaks."""
    try:
        text = body.decode("utf-8-sig")
        separator = text.index("[")
        while text[separator : separator + 1] in ("[", ","):
            value, end = _DECODER.raw_decode(text, _after_blanks(text, separator + 1))
            yield value
            separator = _after_blanks(text, end)
    except (ValueError, RecursionError):
        return


def _after_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(event: Mapping[str, Any], given: Sequence[str]) -> str | None:
    found = next((event[name] for name in given if event.get(name) is not None), None)
    return found[:_LONGEST].encode("utf-8", "replace").decode() if isinstance(found, str) else None
