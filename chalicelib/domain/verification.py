"""Checking that a stored line still says what was hashed when it was taken in."""

from __future__ import annotations

from chalicelib.domain.cloudevents import parse_structured
from chalicelib.domain.errors import IntegrityFailure, InvalidRequest
from chalicelib.domain.event import Event, parse_native
from chalicelib.domain.json_text import JsonSyntaxError, JsonText, parse
from chalicelib.domain.raw_line import RawLine, event_time_of


def verify(line: RawLine) -> Event:
    """The event of a line, derived anew from its own bytes; raises IntegrityFailure if the line says otherwise."""
    try:
        event = _read(parse(line.event.decode()))
    except (UnicodeDecodeError, JsonSyntaxError, InvalidRequest) as error:
        raise IntegrityFailure("The stored event can no longer be read.") from error
    derived = (
        event.event_id,
        event.content_sha256,
        event.entity_id,
        event.event_type,
        event_time_of(event, line.ingest_time),
    )
    recorded = (line.event_id, line.content_sha256, line.entity_id, line.event_type, line.event_time)
    if derived != recorded:
        raise IntegrityFailure(
            f"The stored event {line.event_id} hashes to {event.content_sha256}, not to {line.content_sha256}."
        )
    return event


def _read(json: JsonText) -> Event:
    """An event in whichever form it is kept: only a CloudEvent says which version of its specification it follows."""
    is_cloudevent = isinstance(json.value, dict) and "specversion" in json.value
    return parse_structured(json) if is_cloudevent else parse_native(json)
