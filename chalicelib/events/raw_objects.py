"""Raw objects: their lines, the name that their bytes determine, and reading a line back and verifying it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring as quote

from chalicelib.core.errors import IntegrityFailure, InvalidRequest
from chalicelib.core.lossless_json import JsonSyntaxError, JsonText, parse
from chalicelib.core.timestamps import CLOCKS_DIFFER_MS, Instant, lag_ms
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native

# Stands in for ingest_time where an object's name is computed; as wide as any instant, so that offsets stay the same.
_NAMELESS_TIME = Instant("0000-00-00T00:00:00.000000000Z")
_EVENT_MEMBER = b',"event":'
_INGEST_TIME_AT = len('{"event_id":"') + 64 + len('","ingest_time":"')

MAX_RAW_OBJECT_BYTES = 16 * 1024 * 1024
"""More than any request makes of its 5 MB, even of 1,000 events with the longest names. No more is ever read."""

INGEST_TIME_RANGE = (_INGEST_TIME_AT, _INGEST_TIME_AT + len(_NAMELESS_TIME))
"""Where in an object, in bytes, the ingest_time of its first line (and so of every line) stands."""


@dataclass(frozen=True, slots=True)
class RawLocation:
    """Where an event's line is: one ranged GET away. Offset and length are in bytes, the line break excluded."""

    bucket: str
    key: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as index row, identity row and raw line agree on it."""

    event_id: str
    source: str
    event_type: str
    entity_id: str
    event_time: Instant
    ingest_time: Instant
    content_sha256: str
    location: RawLocation

    @property
    def ingest_lag_ms(self) -> int:
        """Milliseconds from event time to ingest time; negative when the producer's clock ran ahead."""
        return lag_ms(self.event_time, self.ingest_time)

    @property
    def is_ahead(self) -> bool:
        """Whether it arrived before its own time by more than clocks may differ."""
        return self.ingest_lag_ms < -CLOCKS_DIFFER_MS


def event_time_of(event: Event, ingest_time: Instant) -> Instant:
    """When the event happened, or when it was received if its producer did not say."""
    return event.event_time or ingest_time


def line_of(event: Event, ingest_time: Instant) -> bytes:
    """The line of an event: its metadata, then its text verbatim as the last member."""
    return (
        f'{{"event_id":"{event.event_id}","ingest_time":"{ingest_time}","content_sha256":"{event.content_sha256}"'
        f',"entity_id":{quote(event.entity_id)},"event_type":{quote(event.event_type)}'
        f',"event_time":"{event_time_of(event, ingest_time)}","event":{event.text}}}'
    ).encode()


def object_of(events: Sequence[Event], ingest_time: Instant) -> bytes:
    """The raw object of a request's events of one source and day: one line each."""
    return b"".join(line_of(event, ingest_time) + b"\n" for event in events)


def name_of(events: Sequence[Event]) -> str:
    """The name of that object: a hash of its exact bytes, ingest_time aside, so that a retry finds its own object."""
    return sha256(object_of(events, _NAMELESS_TIME)).hexdigest()


def stored_events(events: Sequence[Event], ingest_time: Instant, bucket: str, key: str) -> list[StoredEvent]:
    """What index and identity rows say of the events of one raw object."""
    stored = []
    offset = 0
    for event in events:
        length = len(line_of(event, ingest_time))
        stored.append(_stored(event, ingest_time, RawLocation(bucket, key, offset, length)))
        offset += length + 1
    return stored


def _stored(event: Event, ingest_time: Instant, location: RawLocation) -> StoredEvent:
    return StoredEvent(
        event_id=event.event_id,
        source=event.source,
        event_type=event.event_type,
        entity_id=event.entity_id,
        event_time=event_time_of(event, ingest_time),
        ingest_time=ingest_time,
        content_sha256=event.content_sha256,
        location=location,
    )


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line read back: what it says of its event, and the event's own bytes."""

    event_id: str
    ingest_time: Instant
    content_sha256: str
    entity_id: str
    event_type: str
    event_time: Instant
    event: bytes


def parse_line(line: bytes) -> RawLine:
    """Read a line; raises IntegrityFailure if it is none.

    In the metadata every quote of a value is escaped, so the first unescaped `"event":` begins the event.
    """
    metadata, member, event = line.partition(_EVENT_MEMBER)
    try:
        members = json.loads(metadata + b"}")
        return RawLine(event=_without_closing_brace(member, event), **members)
    except (ValueError, TypeError) as error:
        raise IntegrityFailure("The stored line is not a raw line of Retrace.") from error


def _without_closing_brace(member: bytes, event: bytes) -> bytes:
    if not member or not event.endswith(b"}"):
        raise ValueError("no event in the line")
    return event[:-1]


def verify(line: RawLine) -> Event:
    """The event of a line, derived from its own bytes again; raises IntegrityFailure if the line says otherwise."""
    try:
        event = _event_of(parse(line.event.decode()))
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


def _event_of(json: JsonText) -> Event:
    """An event in whichever form it is kept: only a CloudEvent says which version of its specification it follows."""
    is_cloudevent = isinstance(json.value, dict) and "specversion" in json.value
    return parse_structured(json) if is_cloudevent else parse_native(json)
