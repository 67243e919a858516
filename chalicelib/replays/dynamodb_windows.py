"""Stores what replays to one destination share in DynamoDB: when its rate has a turn, and what is in flight there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import Item, from_item, to_item
from chalicelib.aws.errors import attempts_of, code_of, translated
from chalicelib.core.errors import WriteConflict
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.replays.in_flight import InFlight, Share
from chalicelib.replays.rate_limit import MOST_BEHIND_S

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NANOSECONDS = 1_000_000_000

_RACE_S = 0.01
"""Until the next attempt, if another planner took the turn that was due."""


@dataclass(frozen=True)
class DynamoTurns:
    """The row of a destination with a rate: the nanosecond at which the next messages are due, of any replay."""

    dynamodb: DynamoDBClient
    replays_table: str
    destination: str

    def take(self, messages: int, rate: float, now: Instant) -> float:
        """Move the row on by what the messages take; if they are not due yet, answer in how many seconds they are.

        What was not sent for longer than MOST_BEHIND_S is not made up for. Another planner may move the row between the
        two attempts, and has taken the turn.
        """
        clock, cost = nanoseconds(now), int(messages / rate * _NANOSECONDS)
        behind = clock - int(MOST_BEHIND_S * _NANOSECONDS)
        due = self._moved("SET due = due + :by", "due BETWEEN :behind AND :now", by=cost, behind=behind, now=clock)
        if due is not None and due < behind:
            new = "attribute_not_exists(due) OR due < :behind"
            due = self._moved("SET due = :by", new, by=behind + cost, behind=behind)
        return 0.0 if due is None else max((due - clock) / _NANOSECONDS, _RACE_S)

    def _moved(self, update: str, condition: str, **values: int) -> int | None:
        """None once the row is moved, else what it says: 0 if there is none."""
        key = {"PK": replay_keys.destination(self.destination), "SK": replay_keys.TURN}
        with translated("taking a turn at a destination"):
            try:
                self.dynamodb.update_item(
                    TableName=self.replays_table,
                    Key=to_item(key),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=to_item({f":{name}": value for name, value in values.items()}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                item: Item = error.response.get("Item", {})  # type: ignore[assignment]  # with what the row says
                return int(from_item(item).get("due", 0))
        return None


@dataclass(frozen=True)
class DynamoInFlight:
    """The row of a destination with a window: what each replay has in flight there, as planners know it."""

    dynamodb: DynamoDBClient
    replays_table: str
    destination: str

    def get(self) -> InFlight:
        """The row; that of nothing if there is none."""
        with translated("reading what is in flight at a destination"):
            answer = self.dynamodb.get_item(TableName=self.replays_table, Key=to_item(self._key), ConsistentRead=True)
        row = from_item(answer.get("Item", {}))
        shares = tuple(Share(*each) for each in row.get("shares", ()))
        return InFlight(shares, row.get("looked_at"), row.get("revision", 0))

    def put(self, now: InFlight) -> None:
        """Write the next revision; raises WriteConflict if another planner wrote one."""
        shares = [[each.replay_id, each.sent, each.settled, each.planning, each.forgotten] for each in now.shares]
        row = self._key | {"shares": shares, "looked_at": now.looked_at, "revision": now.revision}
        with translated("keeping what is in flight at a destination"):
            try:
                self.dynamodb.put_item(
                    TableName=self.replays_table,
                    Item=to_item(row),
                    ConditionExpression="attribute_not_exists(PK) OR revision = :read",
                    ExpressionAttributeValues=to_item({":read": now.revision - 1}),
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                message = f"Another planner took room at {self.destination}."
                raise WriteConflict(message, attempts_of(error.response)) from error

    @property
    def _key(self) -> dict[str, str]:
        return {"PK": replay_keys.destination(self.destination), "SK": replay_keys.IN_FLIGHT}
