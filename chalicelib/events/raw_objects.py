"""Raw objects: writes their lines and names, reads a line back and verifies it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring as quote
from typing import Any

from chalicelib.core.errors import IntegrityFailure, InvalidRequest
from chalicelib.core.lossless_json import JsonSyntaxError, JsonText, parse
from chalicelib.core.timestamps import CLOCKS_DIFFER_MS, Instant, lag_ms
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native

VERSION = 1
"""Of the form of a line. Lines are write-once, so every version that was ever written stays readable."""

_EVENT_MEMBER = b',"event":'
_INGEST_TIME_AT = len(f'{{"v":{VERSION},"event_id":"') + 64 + len('","ingest_time":"')

MAX_RAW_OBJECT_BYTES = 16 * 1024 * 1024
"""No object is larger, and no more is ever read. The longest event, of 10 MB, fits with its metadata."""

MAX_HEAD_BYTES = 32 * 1024
"""More than the metadata of any line: every name may need six bytes for one in JSON."""

MAX_RECEIPT_BYTES = 8 * 1024
"""More than a request's id and the ARN of its sender take in a line."""

INGEST_TIME_RANGE = (_INGEST_TIME_AT, _INGEST_TIME_AT + len("0000-00-00T00:00:00.000000000Z"))
"""Where in an object, in bytes, the ingest_time of its first line (and so of every line) stands."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """When events were received, in which request, and from which principal. All lines of an object have the same."""

    ingest_time: Instant
    request_id: str
    sent_by: str


_NAMELESS = Receipt(Instant("0000-00-00T00:00:00.000000000Z"), "", "")
"""Stands in for a receipt where an object's name is computed."""


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
    request_id: str
    sent_by: str
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


def line_of(event: Event, receipt: Receipt) -> bytes:
    """The line of an event: its metadata, then its text verbatim as the last member."""
    return (
        f'{{"v":{VERSION},"event_id":"{event.event_id}","ingest_time":"{receipt.ingest_time}"'
        f',"content_sha256":"{event.content_sha256}","entity_id":{quote(event.entity_id)}'
        f',"event_type":{quote(event.event_type)},"event_time":"{event_time_of(event, receipt.ingest_time)}"'
        f',"request_id":{quote(receipt.request_id)},"sent_by":{quote(receipt.sent_by)},"event":{event.text}}}'
    ).encode()


def most_bytes_of(event: Event) -> int:
    """How long the line of an event may be with its line break, whatever its receipt says."""
    return len(line_of(event, _NAMELESS)) + MAX_RECEIPT_BYTES


def object_of(events: Sequence[Event], receipt: Receipt) -> bytes:
    """The raw object of a request's events of one source and day: one line each."""
    return b"".join(line_of(event, receipt) + b"\n" for event in events)


def name_of(events: Iterable[Event]) -> str:
    """The name of that object: a hash of its exact bytes but for the receipt, so that a retry finds its own object."""
    name = sha256()
    for event in events:
        name.update(line_of(event, _NAMELESS) + b"\n")
    return name.hexdigest()


def stored_events(events: Iterable[Event], receipt: Receipt, bucket: str, key: str) -> list[StoredEvent]:
    """What index and identity rows say of the events of one raw object."""
    stored = []
    offset = 0
    for event in events:
        length = len(line_of(event, receipt))
        stored.append(stored_event(event, receipt, RawLocation(bucket, key, offset, length)))
        offset += length + 1
    return stored


def stored_event(event: Event, receipt: Receipt, location: RawLocation) -> StoredEvent:
    """What rows say of an event whose line is there."""
    return StoredEvent(
        event_id=event.event_id,
        source=event.source,
        event_type=event.event_type,
        entity_id=event.entity_id,
        event_time=event_time_of(event, receipt.ingest_time),
        ingest_time=receipt.ingest_time,
        content_sha256=event.content_sha256,
        request_id=receipt.request_id,
        sent_by=receipt.sent_by,
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
    request_id: str
    sent_by: str
    event: bytes

    @property
    def receipt(self) -> Receipt:
        """When, in which request and from whom its event was received."""
        return Receipt(self.ingest_time, self.request_id, self.sent_by)


def parse_line(line: bytes) -> RawLine:
    """Read a line; raises IntegrityFailure if it is none, or of a version that is not known here."""
    metadata, member, event = line.partition(_EVENT_MEMBER)
    try:
        return RawLine(event=_without_closing_brace(member, event), **_members(metadata))
    except (ValueError, TypeError) as error:
        raise IntegrityFailure("The stored line is not a raw line of Retrace.") from error


def receipt_of(head: bytes) -> Receipt:
    """The receipt of an object that begins so, of which `MAX_HEAD_BYTES` are enough; raises IntegrityFailure."""
    metadata, member, _ = head.partition(_EVENT_MEMBER)
    return parse_line(metadata + member + b"{}}").receipt


def _members(metadata: bytes) -> dict[str, Any]:
    """The members before the event. There every quote of a value is escaped, so `,"event":` is not among them."""
    members = json.loads(metadata + b"}")
    version = members.pop("v", None)
    if type(version) is not int or version != VERSION:
        said = "no version" if version is None else f"version {str(version)[:20]}"
        raise IntegrityFailure(f"The stored line has {said}. This Retrace reads raw lines of version {VERSION}.")
    return members  # type: ignore[no-any-return]  # checked by RawLine, which takes these and no others


def _without_closing_brace(member: bytes, event: bytes) -> bytes:
    if not member or not event.endswith(b"}"):
        raise ValueError("no event in the line")
    return event[:-1]


def verify(line: RawLine) -> Event:
    """The event of a line, derived from its own bytes again; raises IntegrityFailure if the line says otherwise."""
    event, _ = verified_with_json(line)
    return event


def verified_with_json(line: RawLine) -> tuple[Event, JsonText]:
    """The same, with the event's text as it was parsed for it: of a large event that takes most of the time."""
    try:
        json = parse(line.event.decode())
        event = _event_of(json)
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
    return event, json


def _event_of(json: JsonText) -> Event:
    """An event in whichever form it is kept: only a CloudEvent says which version of its specification it follows."""
    is_cloudevent = isinstance(json.value, dict) and "specversion" in json.value
    return parse_structured(json) if is_cloudevent else parse_native(json)
