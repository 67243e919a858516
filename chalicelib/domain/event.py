"""Events: what a producer may send in the native form, its limits, and what Retrace derives from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.domain import identity, json_text
from chalicelib.domain.errors import Fault, InvalidRequest
from chalicelib.domain.percent_encoding import for_key, for_path
from chalicelib.domain.timestamps import Instant, parse_instant

MAX_SOURCE_BYTES = 384
MAX_EVENT_TYPE_BYTES = 384
MAX_ENTITY_ID_BYTES = 1024
MAX_IDEMPOTENCY_KEY_BYTES = 512


class Form(StrEnum):
    """In which of its forms an event's text is: the media type under which it can be sent again, alone."""

    NATIVE = "application/json"
    CLOUDEVENT = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Event:
    """A valid event: its metadata, its identity, and its text on one line, token for token as it was sent.

    `event_time` is None when the producer gave none; the time of receipt then stands in for it.
    """

    source: str
    event_type: str
    entity_id: str
    event_time: Instant | None
    content_sha256: str
    event_id: str
    text: str
    form: Form = Form.NATIVE


def _at_most(limit: int, encoded: Callable[[str], str], how: str = " once percent-encoded") -> AfterValidator:
    def check(value: str) -> str:
        size = len(encoded(value).encode())
        if size > limit:
            raise ValueError(f"is {size} bytes{how}; at most {limit} are allowed")
        return value

    return AfterValidator(check)


# What every form of an event has to keep to. A source is part of S3 keys; types and entities are of DynamoDB keys only.
Text = Annotated[str, Field(min_length=1)]
Source = Annotated[Text, _at_most(MAX_SOURCE_BYTES, for_path)]
EventType = Annotated[Text, _at_most(MAX_EVENT_TYPE_BYTES, for_key)]
EntityId = Annotated[Text, _at_most(MAX_ENTITY_ID_BYTES, for_key)]
EventTime = Annotated[str, AfterValidator(parse_instant)]
IdempotencyKey = Annotated[Text, _at_most(MAX_IDEMPOTENCY_KEY_BYTES, str, "")]


class NativeEvent(BaseModel):
    """An event in Retrace's own JSON form."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    source: Source
    event_type: EventType
    entity_id: EntityId
    event_time: EventTime
    payload: Any
    idempotency_key: IdempotencyKey | None = None


def parse_native(json: json_text.JsonText) -> Event:
    """Check one native event and derive its identity; raises InvalidRequest with every fault."""
    if not isinstance(json.value, dict):
        raise InvalidRequest("The event is not a JSON object.", (*json.faults, Fault("", "must be a JSON object")))
    try:
        native = NativeEvent.model_validate(json.value)
    except ValidationError as error:
        raise InvalidRequest("The event is not valid.", all_faults(json.faults, faults_of(error))) from error
    if json.faults:
        raise InvalidRequest("The event is not valid.", json.faults)
    event_time = Instant(native.event_time)
    content = identity.content_sha256(
        {
            "source": native.source,
            "event_type": native.event_type,
            "entity_id": native.entity_id,
            "event_time": event_time,
            "payload": native.payload,
        }
    )
    return Event(
        source=native.source,
        event_type=native.event_type,
        entity_id=native.entity_id,
        event_time=event_time,
        content_sha256=content,
        event_id=identity.event_id(native.source, native.idempotency_key, content),
        text=json_text.one_line(json.text),
    )


def all_faults(known: Iterable[Fault], further: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults together with those found after them, which may be their consequences where they name the same field."""
    first = tuple(known)
    named = {fault.field for fault in first}
    return first + tuple(fault for fault in further if fault.field not in named)


_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
}


def faults_of(error: ValidationError) -> list[Fault]:
    """The faults that a pydantic model found, in words for a caller and without the values they concern."""
    details = error.errors(include_url=False, include_input=False)
    return [Fault(".".join(map(str, detail["loc"])), _message(detail)) for detail in details]


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return _MESSAGES.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
