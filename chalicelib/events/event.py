"""Events: what a producer may send in the native form, and what Retrace derives from it: its hash and its identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from chalicelib.core import lossless_json
from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import Fault, InvalidRequest, first_faults
from chalicelib.core.fields import EntityId, EventType, IdempotencyKey, Source, Time, faults_of
from chalicelib.core.timestamps import Instant
from chalicelib.events.cloudevent_attributes import RESERVED, extension_attributes

# Each kind of identity hashes under its own prefix, so that no key can be made to collide with a content.
_BY_KEY = "retrace:event-id:idempotency-key\n"
_BY_CONTENT = "retrace:event-id:content\n"


def content_hash_of(normalised_event: Mapping[str, lossless_json.JsonValue]) -> str:
    """SHA-256 (64 hex digits) over the canonical JSON of a normalised event."""
    return sha256(canonical(dict(normalised_event)).encode()).hexdigest()


def event_id_of(source: str, idempotency_key: str | None, content_hash: str) -> str:
    """The identity of an event: by source and idempotency key if it has one, else by its content."""
    if idempotency_key is None:
        return sha256(f"{_BY_CONTENT}{content_hash}".encode()).hexdigest()
    return sha256(f"{_BY_KEY}{canonical([source, idempotency_key])}".encode()).hexdigest()


class Form(StrEnum):
    """In which of its forms an event's text is: the media type under which it can be sent again, alone."""

    NATIVE = "application/json"
    CLOUDEVENT = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Event:
    """A valid event: its metadata, its identity, and its text on one line, token for token as it was sent.

    `event_time` is None when the producer gave none; the time of receipt then replaces it.
    """

    source: str
    event_type: str
    entity_id: str
    event_time: Instant | None
    content_sha256: str
    event_id: str
    text: str
    form: Form = Form.NATIVE

    @property
    def has_own_key(self) -> bool:
        """Whether it is identified by a key in its text, and not by its content."""
        return self.event_id != event_id_of(self.source, None, self.content_sha256)


Extensions = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9]+$", "not": {"enum": sorted(RESERVED)}},
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "boolean"},
                    {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
                ]
            },
        }
    ),
]
"""Checked as the extension attributes of a CloudEvent are."""


class NativeEvent(BaseModel):
    """An event in Retrace's own JSON form."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    source: Source
    event_type: EventType
    entity_id: EntityId
    event_time: Time
    payload: Any
    idempotency_key: IdempotencyKey | None = None
    extensions: Extensions | None = None


def parse_native(json: lossless_json.JsonText) -> Event:
    """Check one native event and derive its identity; raises InvalidRequest with every fault."""
    if not isinstance(json.value, dict):
        raise InvalidRequest("The event is not a JSON object.", (*json.faults, Fault("", "must be a JSON object")))
    given = json.value.get("extensions")
    extensions, wrong = extension_attributes(given, "extensions.") if isinstance(given, dict) else ({}, [])
    try:
        native = NativeEvent.model_validate(lossless_json.without_lone_surrogates(json.value))
    except ValidationError as error:
        faults = all_faults(json.faults, (*faults_of(error), *wrong))
        raise InvalidRequest("The event is not valid.", faults) from error
    if json.faults or wrong:
        raise InvalidRequest("The event is not valid.", all_faults(json.faults, wrong))
    event_time = Instant(native.event_time)
    content = content_hash_of(
        {
            "source": native.source,
            "event_type": native.event_type,
            "entity_id": native.entity_id,
            "event_time": event_time,
            "payload": native.payload,
        }
        | ({"extensions": extensions} if extensions else {})
    )
    return Event(
        source=native.source,
        event_type=native.event_type,
        entity_id=native.entity_id,
        event_time=event_time,
        content_sha256=content,
        event_id=event_id_of(native.source, native.idempotency_key, content),
        text=lossless_json.one_line(json.text),
    )


def all_faults(known: Iterable[Fault], further: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults together with those found after them, which may be their consequences where they name the same field."""
    first = tuple(known)
    named = {fault.field for fault in first}
    return first_faults((*first, *(fault for fault in further if fault.field not in named)))
