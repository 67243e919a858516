"""The messages of replays: a public contract, the same for the processor and all other consumers."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.core.errors import InvalidRequest, Oversized, UnknownSchema, shown_name
from chalicelib.core.fields import EntityId, ReplayId, RequestId, faults_of
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.raw_objects import RawLocation, StoredEvent

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(min_length=1)]
_FixedWidthTime = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$")]

SCHEMA: Final = "urn:retrace:replay-message:1"
"""The version of the contract. docs/consumer.md says what a version promises."""

_OBJECT_VERSION = "object-"

MAX_POSITION = 999_999
"""In a request: sort keys have six digits for it, and no request has as many events."""

MAX_MESSAGE_BYTES = 64 * 1024
"""Four times what the longest names make of a message. Reading costs many times a message's size in memory."""


class Duplicate(BaseModel):
    """The duplicate of an event that a message represents: its request, and the event's position in it."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    ingest_time: Annotated[_FixedWidthTime, Field(description="When it came: UTC, nine fractional digits.")]
    request_id: Annotated[RequestId, Field(description="The request that brought it.")]
    position: Annotated[int, Field(ge=0, le=MAX_POSITION, description="Where in that request it stood, from 0.")]


MessageIdentity = tuple[str, Duplicate | None]
"""What distinguishes the messages of one replay: the event's id, and which of its later arrivals."""


class ReplayMessage(BaseModel):
    """One event of a replay: what it is, and where its raw line stands."""

    model_config = Duplicate.model_config | ConfigDict(serialize_by_alias=True, validate_by_name=True)

    schema_: Annotated[
        Literal["urn:retrace:replay-message:1"],
        Field(alias="schema", description="The version of this contract, the `$id` of its JSON Schema."),
    ]
    replay_id: Annotated[ReplayId, Field(description="The replay; a UUIDv7. Ids sort in the order of the requests.")]
    destination: Annotated[_Name, Field(description="The destination that it was sent to, as its replay named it.")]
    event_id: Annotated[_Hash, Field(description="The identity of the event.")]
    entity_id: Annotated[EntityId, Field(description="What the event is about, as its producer sent it.")]
    event_time: Annotated[_FixedWidthTime, Field(description="When it happened: UTC, nine fractional digits.")]
    ingest_time: Annotated[
        _FixedWidthTime, Field(description="When Retrace received it first: UTC, nine fractional digits.")
    ]
    source: Annotated[_Name, Field(description="Who produced it, as its producer sent it.")]
    event_type: Annotated[_Name, Field(description="What kind of event it is, as its producer sent it.")]
    content_sha256: Annotated[_Hash, Field(description="SHA-256 of its canonical content; its raw line says the same.")]
    s3_bucket: Annotated[_Name, Field(description="Bucket of the raw object that holds it.")]
    s3_key: Annotated[_Name, Field(description="Key of that raw object.")]
    s3_offset: Annotated[int, Field(ge=0, description="Where in that object its raw line begins, in bytes.")]
    s3_length: Annotated[int, Field(gt=0, description="How long that line is, in bytes, the line break excluded.")]
    duplicate: Annotated[
        Duplicate | None, Field(description="The later arrival that the message repeats; no other message has one.")
    ] = None

    @property
    def body(self) -> str:
        """The message as it is sent: in ASCII, as SQS takes only some of Unicode.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, MessageBody
        """
        return self.model_dump_json(exclude_none=True, ensure_ascii=True)

    @property
    def identity(self) -> MessageIdentity:
        """What distinguishes it from others of its replay."""
        return self.event_id, self.duplicate

    @property
    def event(self) -> StoredEvent:
        """Its event. Messages do not say which request brought it, and from whom."""
        return StoredEvent(
            event_id=self.event_id,
            source=self.source,
            event_type=self.event_type,
            entity_id=self.entity_id,
            event_time=Instant(self.event_time),
            ingest_time=Instant(self.ingest_time),
            content_sha256=self.content_sha256,
            request_id="",
            sent_by="",
            location=self.location,
        )

    @property
    def attributes(self) -> dict[str, str]:
        """What receivers can choose by without parsing the body."""
        return {"source": self.source, "event_type": self.event_type, "replay_id": self.replay_id}

    @property
    def location(self) -> RawLocation:
        """Where the event's line is."""
        return RawLocation(self.s3_bucket, self.s3_key, self.s3_offset, self.s3_length)


class ObjectReference(BaseModel):
    """A whole raw object: every event in it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

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


def message_of(
    replay_id: str, destination: str, stored: StoredEvent, duplicate: Duplicate | None = None
) -> ReplayMessage:
    """The message that replays one event, or a later arrival of it."""
    return ReplayMessage(
        schema_=SCHEMA,
        replay_id=replay_id,
        destination=destination,
        event_id=stored.event_id,
        entity_id=stored.entity_id,
        event_time=stored.event_time,
        ingest_time=stored.ingest_time,
        source=stored.source,
        event_type=stored.event_type,
        content_sha256=stored.content_sha256,
        s3_bucket=stored.location.bucket,
        s3_key=stored.location.key,
        s3_offset=stored.location.offset,
        s3_length=stored.location.length,
        duplicate=duplicate,
    )


def by_entity_and_day(messages: Iterable[ReplayMessage]) -> list[ReplayMessage]:
    """Messages of one entity and day one after the other, in the order that they came in.

    So those that go into one aggregate mostly meet in one batch, and few processors write the same one at once.
    """
    return sorted(messages, key=lambda message: (message.entity_id, day_of(Instant(message.event_time))))


def ordered_calls(messages: Iterable[ReplayMessage], most: int) -> Iterator[list[ReplayMessage]]:
    """Yield messages in as few calls of at most `most` as have no two of one entity, whose messages keep their order.

    Each call takes from the entities that have most left. The others would have to go one by one at the end.
    """
    left: dict[str, deque[ReplayMessage]] = {}
    for message in messages:
        left.setdefault(message.entity_id, deque()).append(message)
    heap = [(-len(of_entity), number, of_entity) for number, of_entity in enumerate(left.values())]
    heapify(heap)
    while heap:
        taken = [heappop(heap) for _ in range(min(most, len(heap)))]
        yield [of_entity.popleft() for _, _, of_entity in taken]
        for count, number, of_entity in taken:
            if of_entity:
                heappush(heap, (count + 1, number, of_entity))


def side_by_side(calls: Iterable[list[ReplayMessage]]) -> Iterator[list[list[ReplayMessage]]]:
    """Yield consecutive calls together that have no entity in common, so that they may be made at once."""
    together: list[list[ReplayMessage]] = []
    entities: set[str] = set()
    for call in calls:
        of_call = {message.entity_id for message in call}
        if entities & of_call:
            yield together
            together, entities = [], set()
        together.append(call)
        entities |= of_call
    if together:
        yield together


def parse_message(body: str) -> ReplayMessage | ObjectReference:
    """Read a message; raises InvalidRequest with what is wrong."""
    if len(body) > MAX_MESSAGE_BYTES:  # the messages of Retrace are ASCII
        raise Oversized(f"The message has {len(body):,} characters. At most {MAX_MESSAGE_BYTES:,} are read.")
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The message is not JSON.") from error
    _require_known_schema(members)
    model = ReplayMessage if not isinstance(members, dict) or "replay_id" in members else ObjectReference
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise InvalidRequest("The message is not a replay message.", faults_of(error)) from error


def _require_known_schema(members: object) -> None:
    schema = members.get("schema", SCHEMA) if isinstance(members, dict) else SCHEMA
    if schema != SCHEMA:
        raise UnknownSchema(f"The message has the schema {shown_name(str(schema))}; this version reads {SCHEMA}.")
