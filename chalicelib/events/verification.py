"""Checking that a stored line still says what was hashed when it was taken in."""

from __future__ import annotations

from chalicelib.core.errors import IntegrityFailure, InvalidRequest
from chalicelib.core.lossless_json import JsonSyntaxError, JsonText, parse
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import RawLine, event_time_of


def verify(line: RawLine) -> Event:
    """The event of a line, derived anew from its own bytes; raises IntegrityFailure if the line says otherwise."""
    try:
        event = _read(parse(line.event.decode()))
    except (UnicodeDecodeError, JsonSyntaxError, InvalidRequest) as error:
        raise IntegrityFailure("The stored event can no longer be read.") from error
    derived = {
        "event_id": event.event_id,
        "content_sha256": event.content_sha256,
        "entity_id": event.entity_id,
        "event_type": event.event_type,
        "event_time": event_time_of(event, line.ingest_time),
    }
    wrong = [name for name, value in derived.items() if getattr(line, name) != value]
    if wrong:
        raise IntegrityFailure(
            f"The stored event {line.event_id} hashes to {event.content_sha256}; "
            f"its line has a different {', '.join(wrong)}."
        )
    return event


def _read(json: JsonText) -> Event:
    """An event in whichever form it is kept: only a CloudEvent says which version of its specification it follows."""
    is_cloudevent = isinstance(json.value, dict) and "specversion" in json.value
    return parse_structured(json) if is_cloudevent else parse_native(json)
