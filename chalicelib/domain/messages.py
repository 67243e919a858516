"""The messages on ReplayQueue: a public contract that other consumers read too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.domain.errors import InvalidRequest
from chalicelib.domain.fields import faults_of
from chalicelib.domain.raw_line import RawLocation, StoredEvent

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(min_length=1)]

_OBJECT_VERSION = "object-"


class ReplayMessage(BaseModel):
    """One event of a replay: what it is, and where its raw line stands."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)

    replay_id: _Name
    event_id: _Hash
    entity_id: _Name
    event_time: _Name
    source: _Name
    event_type: _Name
    content_sha256: _Hash
    s3_bucket: _Name
    s3_key: _Name
    s3_offset: Annotated[int, Field(ge=0)]
    s3_length: Annotated[int, Field(gt=0)]

    @property
    def location(self) -> RawLocation:
        """Where the event's line is."""
        return RawLocation(self.s3_bucket, self.s3_key, self.s3_offset, self.s3_length)


class ObjectReference(BaseModel):
    """A whole raw object: every event in it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    s3_bucket: _Name
    s3_key: _Name

    @property
    def replay_id(self) -> str:
        """The version its aggregates get: derived from the content, so that a redelivery is the same version."""
        content = json.dumps([self.s3_bucket, self.s3_key], ensure_ascii=False)
        return f"{_OBJECT_VERSION}{sha256(content.encode()).hexdigest()[:32]}"


def is_object_version(replay_id: str) -> bool:
    """Whether a version was computed from a whole raw object and not by a replay."""
    return replay_id.startswith(_OBJECT_VERSION)


def message_of(replay_id: str, stored: StoredEvent) -> ReplayMessage:
    """The message that replays one event."""
    return ReplayMessage(
        replay_id=replay_id,
        event_id=stored.event_id,
        entity_id=stored.entity_id,
        event_time=stored.event_time,
        source=stored.source,
        event_type=stored.event_type,
        content_sha256=stored.content_sha256,
        s3_bucket=stored.location.bucket,
        s3_key=stored.location.key,
        s3_offset=stored.location.offset,
        s3_length=stored.location.length,
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the queue delivered it: its body, and the id and receipt by which it is settled."""

    message_id: str
    receipt_handle: str
    body: str


def parse_message(body: str) -> ReplayMessage | ObjectReference:
    """Read a message; raises InvalidRequest with what is wrong."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The message is not JSON.") from error
    model = ReplayMessage if not isinstance(members, dict) or "replay_id" in members else ObjectReference
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise InvalidRequest("The message is not a replay message.", faults_of(error)) from error
