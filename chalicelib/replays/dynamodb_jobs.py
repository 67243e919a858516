"""Replay jobs in DynamoDB: kept once under an idempotency key, moved forward under a condition, listed newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws import keys, replay_keys
from chalicelib.aws.dynamodb import KEYS_A_GET, Item, from_item, get_items, page_of, to_item, write_together
from chalicelib.aws.errors import attempts_of, code_of, translated
from chalicelib.core.errors import WriteConflict
from chalicelib.core.pagination import PageOf, chunked
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.replays.dynamodb_planning import (
    DynamoOutboxes,
    DynamoSentEvents,
    DynamoSentMessages,
    DynamoTouchedDays,
)
from chalicelib.replays.dynamodb_rows import job_of, job_row, request_row, status_of
from chalicelib.replays.dynamodb_windows import DynamoInFlight, DynamoTurns
from chalicelib.replays.in_flight import InFlight
from chalicelib.replays.job import Outbox, ReplayJob
from chalicelib.replays.ports import KeyedReplay, ReplayPlace, ReplayStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_NANOSECONDS_A_MS = 1_000_000


@dataclass(frozen=True)
class DynamoReplayStore:
    """ReplaysTable."""

    dynamodb: DynamoDBClient
    replays_table: str
    pause: Pause

    def next_place(self, now: Instant) -> ReplayPlace:
        """The millisecond of a new replay's id, which no other has, in the order in which DynamoDB takes the requests.

        The same row says whether a metric was ever defined, so that a stage without metrics reads none.

        A function whose clock is behind that of another counts on from the other's. If the answer of a call is lost and
        the SDK sends it again, a millisecond is left out.
        """
        clock = nanoseconds(now) // _NANOSECONDS_A_MS
        with translated("giving a replay its place in the order"):
            try:
                return self._moved(
                    "SET newest = :to", clock, ConditionExpression="attribute_not_exists(newest) OR newest < :to"
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return self._moved("ADD newest :to", 1)

    def _moved(self, expression: str, to: int, **condition: Any) -> ReplayPlace:
        """The place of the newest replay, once it is moved on."""
        answer = self.dynamodb.update_item(
            TableName=self.replays_table,
            Key=to_item({"PK": replay_keys.ORDER, "SK": replay_keys.ORDER}),
            UpdateExpression=expression,
            ExpressionAttributeValues=to_item({":to": to}),
            ReturnValues="ALL_NEW",
            **condition,
        )
        row = from_item(answer["Attributes"])
        return ReplayPlace(row["newest"], row.get("metrics_defined", False))

    def create(self, job: ReplayJob, idempotency_key: str | None, digest: str) -> KeyedReplay | None:
        """Keep a new job with its key, all or nothing; returns the replay that already has the key, if any."""
        actions = [self._put(request_row(job)), self._put(job_row(job))]
        if idempotency_key is not None:
            actions.append(self._put_key(idempotency_key, KeyedReplay(job.replay_id, digest)))
        with translated("keeping a replay job"):
            cancelled = write_together(self.dynamodb, actions)
        if cancelled is None:
            return None
        keyed = _keyed(cancelled.reasons[-1].item) if idempotency_key is not None else None
        if keyed is None:
            raise WriteConflict("Another request with this Idempotency-Key was being kept.")
        # If an answer is lost, the client sends the call again, and that one meets what the first has written.
        return None if keyed.replay_id == job.replay_id else keyed

    def keyed(self, idempotency_key: str) -> KeyedReplay | None:
        """The replay of an idempotency key."""
        key = {"PK": replay_keys.idempotency_key(idempotency_key), "SK": replay_keys.KEYED}
        with translated("reading an idempotency key"):
            answer = self.dynamodb.get_item(TableName=self.replays_table, Key=to_item(key), ConsistentRead=True)
        return _keyed(answer.get("Item"))

    def get(self, replay_id: str) -> ReplayJob | None:
        """A job, with what processors have counted so far."""
        with translated("reading a replay job"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk",
                ExpressionAttributeValues=to_item({":pk": replay_keys.replay(replay_id)}),
                ConsistentRead=True,
            )
            return job_of([from_item(item) for page in pages for item in page["Items"]])

    def newest(self, after: str | None, limit: int) -> PageOf[str]:
        """Ids of jobs, newest first: each begins with the millisecond that was the next when it was requested."""
        keys.require_position(replay_keys.REPLAY_POSITION, after)
        condition, values = "listing = :all", {":all": replay_keys.ALL_REPLAYS}
        if after is not None:
            condition, values = f"{condition} AND PK < :after", {**values, ":after": after}
        with translated("listing replays"):
            answer = self.dynamodb.query(
                TableName=self.replays_table,
                IndexName=replay_keys.NEWEST_FIRST_INDEX,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                ScanIndexForward=False,
                Limit=limit,
            )
        return page_of(answer, lambda item: replay_keys.replay_id_of(item["PK"]["S"]), "PK")

    def commit(self, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
        """Write state, cursor and counts together; raises WriteConflict if another planner, or a cancel, was faster.

        The outbox is written first, under the name of the commit. If the commit fails, no planner reads it.
        """
        if outbox is not None:
            self._outboxes(reached.replay_id).put(reached.committed_by, outbox, reached.updated_at)
        with translated("committing a replay's progress"):
            try:
                self.dynamodb.put_item(
                    TableName=self.replays_table,
                    Item=job_row(reached),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues=to_item({":revision": planned_from.revision}),
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                message = f"Replay {reached.replay_id} was moved on by another."
                raise WriteConflict(message, attempts_of(error.response)) from error

    def outbox(self, replay_id: str, commit_id: str) -> Outbox:
        """The outbox of a job's commit; raises NotFound if it has expired."""
        return self._outboxes(replay_id).get(commit_id)

    def list_outbox(self, replay_id: str, first: int, commit_id: str, now: Instant) -> None:
        """Keep which outbox has the messages of a replay from the `first` on."""
        self._outboxes(replay_id).enlist(first, commit_id, now)

    def outbox_with(self, replay_id: str, number: int) -> tuple[int, Outbox]:
        """The outbox that has a message that a replay sent, and the number of the first in it; raises NotFound."""
        return self._outboxes(replay_id).having(number)

    def sent_events(self, destination: str) -> DynamoSentEvents:
        """What replays have sent to a destination."""
        return DynamoSentEvents(self.dynamodb, self.replays_table, destination, self.pause)

    def _outboxes(self, replay_id: str) -> DynamoOutboxes:
        return DynamoOutboxes(self.dynamodb, self.replays_table, replay_id)

    def touched_days(self, replay_id: str) -> DynamoTouchedDays:
        """The days that a replay of whole days has found."""
        return DynamoTouchedDays(self.dynamodb, self.replays_table, replay_id, self.pause)

    def take_turn(self, destination: str, messages: int, rate: float, now: Instant) -> float:
        """Take a turn to send, in the row of the destination; answers the seconds until there is one."""
        return DynamoTurns(self.dynamodb, self.replays_table, destination).take(messages, rate, now)

    def in_flight(self, destination: str) -> InFlight:
        """What all replays to a destination have in flight."""
        return DynamoInFlight(self.dynamodb, self.replays_table, destination).get()

    def keep_in_flight(self, destination: str, now: InFlight) -> None:
        """Keep it; raises WriteConflict if another planner was faster."""
        DynamoInFlight(self.dynamodb, self.replays_table, destination).put(now)

    def sent_messages(self, replay_id: str) -> DynamoSentMessages:
        """What a replay has sent to a consumer that reports outcomes."""
        return DynamoSentMessages(self.dynamodb, self.replays_table, replay_id, self.pause)

    def _put(self, item: dict[str, Any], **condition: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self.replays_table, "Item": item, **condition}}

    def _put_key(self, idempotency_key: str, keyed: KeyedReplay) -> dict[str, Any]:
        item = {
            "PK": replay_keys.idempotency_key(idempotency_key),
            "SK": replay_keys.KEYED,
            "replay_id": keyed.replay_id,
            "digest": keyed.digest,
        }
        return self._put(
            to_item(item),
            ConditionExpression="attribute_not_exists(PK)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def states(self, replay_ids: Collection[str]) -> Mapping[str, ReplayStatus]:
        """The states of those replays that there are, as they are now: a BatchGetItem for each hundred."""
        partitions = {replay_keys.replay(replay_id): replay_id for replay_id in replay_ids}
        found: dict[str, ReplayStatus] = {}
        with translated("reading the states of replays"):
            for some in chunked(list(partitions), KEYS_A_GET):
                wanted = [to_item({"PK": partition, "SK": replay_keys.JOB}) for partition in some]
                items = get_items(self.dynamodb, self.replays_table, wanted, self.pause, consistent=True)
                found |= {partitions[item["PK"]["S"]]: status_of(from_item(item)) for item in items}
        return found


def _keyed(item: Item | None) -> KeyedReplay | None:
    if item is None:
        return None
    row = from_item(item)
    return KeyedReplay(row["replay_id"], row["digest"])
