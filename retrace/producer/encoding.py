"""An event that a program hands over, as one line of JSON, and the errors of the producer.

ProducerError
├── InvalidEvent   the event is not one JSON object, or too large: `send` did not take it
├── SpoolFull      there is no room on disk: `send` did not take the event
└── SpoolInUse     another producer has the spool open
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import lossless_json


class ProducerError(Exception):
    """What the producer cannot do, and what to do about it."""


class InvalidEvent(ProducerError, ValueError):
    """The event cannot be sent as it is."""


class SpoolFull(ProducerError):
    """The spool has no room for another event."""


class SpoolInUse(ProducerError):
    """Another producer has the spool open."""


_CLOUDEVENT = "specversion"
"""Every CloudEvent has this attribute. A native event has no member of this name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event on one line. Bytes keep their tokens."""

    text: bytes
    cloudevent: bool


def encoded(event: Mapping[str, Any] | bytes) -> Line:
    """The line of an event; raises InvalidEvent unless it is one JSON object that the API can read."""
    text = _decoded(event) if isinstance(event, bytes) else _dumped(event)
    try:
        found = lossless_json.parse(text)
    except lossless_json.JsonSyntaxError as error:
        raise InvalidEvent(f"The event is not JSON: {error}.") from error
    if not isinstance(found.value, dict):
        raise InvalidEvent("The event is not a JSON object. Send one event at a time.")
    if found.faults:
        named = "; ".join(f"{fault.field or 'it'} {fault.message}" for fault in found.faults)
        raise InvalidEvent(f"The event cannot be stored: {named}.")
    return Line(lossless_json.one_line(found.text).encode(), _CLOUDEVENT in found.value)


def _decoded(event: bytes) -> str:
    try:
        return event.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"The event is not UTF-8 at byte {error.start}.") from error


def _dumped(event: Mapping[str, Any]) -> str:
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"An event is a dict, or bytes of JSON, not {type(event).__name__}.")
    try:
        text = json.dumps(dict(event), ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"The event cannot be written as JSON: {error}.") from error
    return text
