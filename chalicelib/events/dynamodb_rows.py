"""Rows of EventsTable and DedupeTable, and what they say in domain terms."""

from __future__ import annotations

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item, to_item
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.raw_objects import RawLocation, StoredEvent

EventValues = dict[str, str | int]


def event_values(event: StoredEvent) -> EventValues:
    """What both the index row and the identity row say of an event."""
    return {
        "event_id": event.event_id,
        "source": event.source,
        "event_type": event.event_type,
        "entity_id": event.entity_id,
        "event_time": event.event_time,
        "ingest_time": event.ingest_time,
        "content_sha256": event.content_sha256,
        "request_id": event.request_id,
        "sent_by": event.sent_by,
        "s3_bucket": event.location.bucket,
        "s3_key": event.location.key,
        "s3_offset": event.location.offset,
        "s3_length": event.location.length,
    }


def event_item(event: StoredEvent) -> Item:
    """The same, as DynamoDB has it. A writer of both rows makes it once."""
    return to_item(event_values(event))


def identity_row(event: StoredEvent, written_by: str, expires_at: int | None, said: Item | None = None) -> Item:
    """The row of DedupeTable; `expires_at` is in seconds since 1970, None where identities never expire.

    A retry can write the rows of the raw line that an earlier request left, so it signs them as its own.
    """
    return (said or event_item(event)) | to_item({"written_by": written_by, "expires_at": expires_at})


def index_row(event: StoredEvent, shards: int, late_after_ms: int, said: Item | None = None) -> Item:
    """The row of EventsTable; only late events are in the index of late arrivals."""
    shard = keys.shard_of(event.event_id, shards)
    lag_ms = event.ingest_lag_ms
    members: EventValues = {
        "PK": keys.entity(event.entity_id),
        "SK": keys.event(event.event_time, event.event_id),
        "type_day": keys.type_and_day(event.source, event.event_type, day_of(event.event_time), shard),
        "ingest_lag_ms": lag_ms,
    }
    if lag_ms >= late_after_ms:
        members["late_day"] = keys.late_day(event.source, event.event_type, day_of(event.ingest_time), shard)
        members["lag"] = keys.lag(lag_ms, event.event_id)
    return (said or event_item(event)) | to_item(members)


def stored_event(item: Item) -> StoredEvent:
    """The event of an index or identity row; pages and replays read a thousand of them at once, and keys not at all."""
    return StoredEvent(
        event_id=item["event_id"]["S"],
        source=item["source"]["S"],
        event_type=item["event_type"]["S"],
        entity_id=item["entity_id"]["S"],
        event_time=Instant(item["event_time"]["S"]),
        ingest_time=Instant(item["ingest_time"]["S"]),
        content_sha256=item["content_sha256"]["S"],
        request_id=item["request_id"]["S"],
        sent_by=item["sent_by"]["S"],
        location=RawLocation(
            item["s3_bucket"]["S"], item["s3_key"]["S"], int(item["s3_offset"]["N"]), int(item["s3_length"]["N"])
        ),
    )


def written_by(identity: Item) -> str:
    """The request that wrote an identity row."""
    return str(from_item(identity)["written_by"])


def arrival_row(arrival: Arrival) -> Item:
    """The row of an arrival."""
    conflict = arrival.kind is ArrivalKind.CONFLICT
    return to_item(
        {
            "PK": keys.arrivals(arrival.event_id),
            "SK": keys.arrival(arrival.ingest_time, arrival.request_id, arrival.position, conflict=conflict),
            "kind": arrival.kind.value,
            "event_id": arrival.event_id,
            "ingest_time": arrival.ingest_time,
            "request_id": arrival.request_id,
            "position": arrival.position,
            "content_sha256": arrival.content_sha256,
            "rejected_id": arrival.rejected_id,
        }
    )


def arrival_of(item: Item) -> Arrival:
    """The arrival of such a row."""
    row = from_item(item)
    return Arrival(
        kind=ArrivalKind(row["kind"]),
        event_id=row["event_id"],
        ingest_time=Instant(row["ingest_time"]),
        request_id=row["request_id"],
        position=row["position"],
        content_sha256=row["content_sha256"],
        rejected_id=row.get("rejected_id"),
    )
