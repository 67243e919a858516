"""Stores what planners keep beside a job in DynamoDB: outboxes, touched days, and what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import keys, replay_keys
from chalicelib.aws.dynamodb import ITEMS_A_WRITE, KEYS_A_GET, Item, from_item, get_items, page_of, put_items, to_item
from chalicelib.aws.errors import translated
from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import PageOf, chunked
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Day, Instant, nanoseconds
from chalicelib.replays.job import OUTBOXES_KEPT_DAYS, Outbox, unpacked
from chalicelib.replays.messages import MessageIdentity, ReplayMessage
from chalicelib.replays.ports import TouchedDay

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PART_BYTES = 390_000
"""An item has at most 400 KB, its keys included."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class DynamoOutboxes:
    """The partition of a replay's outboxes: written before the commit that names them, never changed. Rows expire."""

    dynamodb: DynamoDBClient
    replays_table: str
    replay_id: str

    def put(self, commit_id: str, outbox: Outbox, now: Instant) -> None:
        """Write what a commit is going to name."""
        with translated("keeping what a replay is about to send"):
            for number, part in enumerate(chunked(outbox.packed, PART_BYTES)):
                self._put(replay_keys.outbox_part(commit_id, number), now, content=bytes(part))

    def enlist(self, first: int, commit_id: str, now: Instant) -> None:
        """Write which outbox has the messages from the `first` on. Only outboxes of commits that held are listed."""
        with translated("listing what a replay sends"):
            self._put(replay_keys.listed_outbox(first), now, commit_id=commit_id)

    def _put(self, sort_key: str, now: Instant, **members: str | bytes) -> None:
        expires_at = nanoseconds(now) // _NANOSECONDS + OUTBOXES_KEPT_DAYS * 86_400
        row = {"PK": replay_keys.outbox(self.replay_id), "SK": sort_key, "expires_at": expires_at, **members}
        self.dynamodb.put_item(TableName=self.replays_table, Item=to_item(row))

    def get(self, commit_id: str) -> Outbox:
        """Read it; raises NotFound once it has expired."""
        with translated("reading what a replay is about to send"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :commit)",
                ExpressionAttributeValues=to_item({":pk": replay_keys.outbox(self.replay_id), ":commit": commit_id}),
                ConsistentRead=True,
            )
            content = b"".join(item["content"]["B"] for page in pages for item in page["Items"])
        if not content:
            raise self._expired()
        return unpacked(content)

    def having(self, number: int) -> tuple[int, Outbox]:
        """The outbox with the message of this number, and the number of its first: two Queries.

        Raises NotFound unless it is sure that the outbox has it: its row or that of the listed one may have expired.
        """
        between = {":low": replay_keys.listed_outbox(0), ":high": replay_keys.listed_outbox(number)}
        with translated("finding what a replay sent"):
            answer = self.dynamodb.query(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
                ExpressionAttributeValues=to_item({":pk": replay_keys.outbox(self.replay_id), **between}),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        for row in map(from_item, answer["Items"]):
            first, outbox = replay_keys.first_listed(row["SK"]), self.get(row["commit_id"])
            if number < first + len(outbox.messages):
                return first, outbox
        raise self._expired()

    def _expired(self) -> NotFound:
        return NotFound(
            f"The outbox of replay {self.replay_id} expired after {OUTBOXES_KEPT_DAYS} days. Ask for a new replay."
        )


@dataclass(frozen=True)
class DynamoTouchedDays:
    """The partition of the days of entities that a replay of whole days sends: each once, in a fixed order."""

    dynamodb: DynamoDBClient
    replays_table: str
    replay_id: str
    pause: Pause

    def add(self, days: Iterable[tuple[str, Day]]) -> None:
        """Keep days of entities. A row says nothing but its key, so writing it again changes nothing."""
        rows = [self._row(entity_id, day) for entity_id, day in dict.fromkeys(days)]
        with translated("keeping the days of a replay"):
            for some in chunked(rows, ITEMS_A_WRITE):
                put_items(self.dynamodb, self.replays_table, some, self.pause)

    def page(self, after: str | None, limit: int) -> PageOf[TouchedDay]:
        """Days in order, day by day: one Query."""
        low = replay_keys.before_touched_days() if after is None else keys.just_after(after)
        with translated("reading the days of a replay"):
            answer = self.dynamodb.query(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk AND SK > :low",
                ExpressionAttributeValues=to_item({":pk": replay_keys.touched_days(self.replay_id), ":low": low}),
                ConsistentRead=True,
                Limit=limit,
            )
        return page_of(answer, _touched_day)

    def _row(self, entity_id: str, day: Day) -> Item:
        key = {"PK": replay_keys.touched_days(self.replay_id), "SK": replay_keys.touched_day(entity_id, day)}
        return to_item(key | {"entity_id": entity_id, "day": day})


@dataclass(frozen=True)
class DynamoSentMessages:
    """The partitions of what a replay sent to a consumer that reports outcomes. Rows stay, as outcomes do."""

    dynamodb: DynamoDBClient
    replays_table: str
    replay_id: str
    pause: Pause

    def add(self, messages: Iterable[ReplayMessage]) -> None:
        """Keep messages. A row says what its message does, so writing it again changes nothing."""
        rows = [self._key(message.identity) | to_item({"message": message.body}) for message in messages]
        with translated("keeping what a replay sends"):
            for some in chunked(rows, ITEMS_A_WRITE):
                put_items(self.dynamodb, self.replays_table, some, self.pause)

    def find(self, identities: Iterable[MessageIdentity]) -> dict[MessageIdentity, ReplayMessage]:
        """Those that were sent: a BatchGetItem for each hundred."""
        found: dict[MessageIdentity, ReplayMessage] = {}
        with translated("reading what a replay sent"):
            for some in chunked([self._key(each) for each in dict.fromkeys(identities)], KEYS_A_GET):
                items = get_items(self.dynamodb, self.replays_table, some, self.pause, consistent=True)
                messages = (ReplayMessage.model_validate_json(item["message"]["S"]) for item in items)
                found |= {message.identity: message for message in messages}
        return found

    def _key(self, identity: MessageIdentity) -> Item:
        event_id, duplicate = identity
        arrival = None
        if duplicate is not None:
            ingest_time = Instant(duplicate.ingest_time)
            arrival = keys.arrival(ingest_time, duplicate.request_id, duplicate.position, conflict=False)
        partition = replay_keys.sent_messages(self.replay_id, event_id)
        return to_item({"PK": partition, "SK": replay_keys.sent_message(event_id, arrival)})


@dataclass(frozen=True)
class DynamoSentEvents:
    """The partitions of the events that were sent to a destination. A row says nothing but its key, and stays."""

    dynamodb: DynamoDBClient
    replays_table: str
    destination: str
    pause: Pause

    def add(self, event_ids: Iterable[str]) -> None:
        """Keep events: a write unit for each, whichever replay sent it, and however often."""
        with translated("keeping which events were sent to a destination"):
            for some in chunked(self._keys(event_ids), ITEMS_A_WRITE):
                put_items(self.dynamodb, self.replays_table, some, self.pause)

    def among(self, event_ids: Sequence[str]) -> list[str]:
        """Those of at most 100 events that were sent: one BatchGetItem."""
        with translated("reading which events were sent to a destination"):
            items = get_items(self.dynamodb, self.replays_table, self._keys(event_ids), self.pause, consistent=True)
        return [item["SK"]["S"] for item in items]

    def _keys(self, event_ids: Iterable[str]) -> list[Item]:
        ids = dict.fromkeys(event_ids)
        return [to_item({"PK": replay_keys.sent_events(self.destination, each), "SK": each}) for each in ids]


def _touched_day(item: Item) -> TouchedDay:
    row = from_item(item)
    return TouchedDay(row["SK"], row["entity_id"], Day(row["day"]))
