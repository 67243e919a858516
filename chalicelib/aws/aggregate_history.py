"""What is kept of daily aggregates in DynamoDB, read: their versions, and the events that went into each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import keys, positions
from chalicelib.aws.aggregate_rows import aggregate_of_row, input_of, outcome_of
from chalicelib.aws.batches import KEYS_A_GET, get_items
from chalicelib.aws.items import Item, from_item, to_item
from chalicelib.aws.seam import translated
from chalicelib.domain.aggregation import Version
from chalicelib.domain.chunks import chunked
from chalicelib.domain.outcomes import Outcome
from chalicelib.domain.ports import AggregateVersion, Concurrently, InputsPage, Pause
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.timestamps import Day, nanoseconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_NANOSECONDS_A_MS = 1_000_000
# RFC 9562, 5.7: begins with 48 bits of milliseconds since 1970.
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True)
class DynamoAggregateHistory:
    """AggregatesTable, for those who only read it."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    pause: Pause
    concurrently: Concurrently

    def versions(self, entity_id: str, day: Day) -> list[AggregateVersion]:
        """Every version of a daily aggregate, newest first."""
        with translated("reading aggregates"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :versions)",
                ExpressionAttributeValues=to_item(
                    {":pk": keys.entity(entity_id), ":versions": keys.aggregate_versions(day)}
                ),
                ConsistentRead=True,
            )
            rows = [from_item(item) for page in pages for item in page["Items"]]
        found = [
            AggregateVersion(Version(entity_id, day, row["replay_id"]), aggregate_of_row(row), row["computed_at"])
            for row in rows
        ]
        return sorted(found, key=_newest, reverse=True)

    def inputs(self, version: Version, after: str | None, limit: int) -> InputsPage:
        """The inputs among at most `limit` messages of a version, by time and id: one Query."""
        positions.require(positions.MESSAGE, after)
        low = keys.after_position(after)
        with translated("reading an aggregate's inputs"):
            answer = self.dynamodb.query(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND SK > :low",
                FilterExpression="outcome = :input",
                ExpressionAttributeValues=to_item(
                    {":pk": keys.inputs(version), ":low": low, ":input": Outcome.INPUT.value}
                ),
                ConsistentRead=True,
                Limit=limit,
            )
        last = answer.get("LastEvaluatedKey")
        return InputsPage(tuple(map(input_of, answer["Items"])), last["SK"]["S"] if last else None)

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        """Those of the candidates whose event went into the version: a BatchGetItem for each hundred."""
        by_key = {_place(version, event): (version, event) for version, event in candidates}

        def look_up(places: Sequence[tuple[str, str]]) -> list[Item]:
            wanted = [to_item({"PK": partition, "SK": sort_key}) for partition, sort_key in places]
            return get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)

        with translated("looking up an aggregate's inputs"):
            found = self.concurrently(look_up, chunked(list(by_key), KEYS_A_GET))
        inputs = (item for items in found for item in items if outcome_of(item) is Outcome.INPUT)
        present = {(item["PK"]["S"], item["SK"]["S"]) for item in inputs}
        return [candidate for place, candidate in by_key.items() if place in present]


def _place(version: Version, event: StoredEvent) -> tuple[str, str]:
    return keys.inputs(version), keys.event(event.event_time, event.event_id)


def _newest(stored: AggregateVersion) -> tuple[int, str]:
    """When a version was asked for, in milliseconds: its id tells, where it is a replay's; else when it was written.

    A message that was long on its way must not bring an old replay to the top.
    """
    replay_id = stored.version.replay_id
    if _UUID7.fullmatch(replay_id):
        return int(replay_id[:13].replace("-", ""), 16), replay_id
    return nanoseconds(stored.computed_at) // _NANOSECONDS_A_MS, replay_id
