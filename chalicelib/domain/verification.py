"""Checking that a stored line still says what was hashed when it was taken in."""

from __future__ import annotations

from chalicelib.domain.errors import IntegrityFailure, InvalidRequest
from chalicelib.domain.event import Event, parse_native
from chalicelib.domain.json_text import JsonSyntaxError, parse
from chalicelib.domain.raw_line import RawLine, event_time_of


def verify(line: RawLine) -> Event:
    """The event of a line, derived anew from its own bytes; raises IntegrityFailure if the line says otherwise."""
    try:
        event = parse_native(parse(line.event.decode()))
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
