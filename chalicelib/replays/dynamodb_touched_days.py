"""The days of entities that a replay of whole days has found, in DynamoDB: each once, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import keys, replay_keys
from chalicelib.aws.dynamodb import ITEMS_A_WRITE, Item, from_item, put_items, to_item
from chalicelib.aws.errors import translated
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Day
from chalicelib.replays.ports import TouchedDay, TouchedDaysPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoTouchedDays:
    """A partition of ReplaysTable."""

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

    def page(self, after: str | None, limit: int) -> TouchedDaysPage:
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
        last = answer.get("LastEvaluatedKey")
        return TouchedDaysPage(tuple(map(_touched_day, answer["Items"])), last["SK"]["S"] if last else None)

    def _row(self, entity_id: str, day: Day) -> Item:
        key = {"PK": replay_keys.touched_days(self.replay_id), "SK": replay_keys.touched_day(entity_id, day)}
        return to_item(key | {"entity_id": entity_id, "day": day})


def _touched_day(item: Item) -> TouchedDay:
    row = from_item(item)
    return TouchedDay(row["SK"], row["entity_id"], Day(row["day"]))
