"""The index of events in DynamoDB: what lies in a window, and what arrived again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws import keys
from chalicelib.aws.batches import ITEMS_A_WRITE, put_items
from chalicelib.aws.event_rows import arrival_of, arrival_row, stored_event
from chalicelib.aws.items import Item, to_item
from chalicelib.aws.seam import translated
from chalicelib.domain.chunks import chunked
from chalicelib.domain.ingest_report import Arrival
from chalicelib.domain.ports import Concurrently, Page, Pause
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.replay_request import EntityPartition, Partition
from chalicelib.domain.timestamps import Day, Instant, end_of, start_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoEventIndex:
    """EventsTable and its indexes."""

    dynamodb: DynamoDBClient
    events_table: str
    pause: Pause
    concurrently: Concurrently

    def record(self, arrivals: Sequence[Arrival]) -> None:
        """Record later sends of known identities, without touching what is known of the first."""
        with translated("recording duplicate arrivals"):
            self.concurrently(
                lambda chunk: put_items(self.dynamodb, self.events_table, list(map(arrival_row, chunk)), self.pause),
                chunked(arrivals, ITEMS_A_WRITE),
            )

    def arrivals(self, event_id: str) -> list[Arrival]:
        """All later sends of an identity, oldest first."""
        items = self._all_items(
            {
                "KeyConditionExpression": "PK = :pk",
                "ExpressionAttributeValues": to_item({":pk": keys.arrivals(event_id)}),
            }
        )
        return sorted(map(arrival_of, items), key=lambda arrival: (arrival.ingest_time, arrival.position))

    def page(self, partition: Partition, after: str | None, limit: int) -> Page:
        """Rows of a partition in time order. Entities are read consistently, types and days as their index has it."""
        window = partition.window
        low = keys.from_instant(window.start) if after is None else keys.just_after(after)
        query = self._partition_query(partition)
        values = {**query.pop("values"), ":low": low, ":high": keys.from_instant(window.end)}
        with translated("reading the index"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                ExpressionAttributeValues=to_item(values),
                Limit=limit,
                **query,
            )
        items = answer["Items"]
        more = "LastEvaluatedKey" in answer
        return Page(tuple(map(stored_event, items)), answer["LastEvaluatedKey"]["SK"]["S"] if more else None)

    def _partition_query(self, partition: Partition) -> dict[str, Any]:
        if isinstance(partition, EntityPartition):
            return {
                "KeyConditionExpression": "PK = :partition AND SK BETWEEN :low AND :high",
                "ConsistentRead": True,
                "values": {":partition": keys.entity(partition.entity_id)},
            }
        name = keys.type_and_day(partition.source, partition.event_type, partition.day, partition.shard)
        return {
            "IndexName": keys.TYPE_AND_DAY_INDEX,
            "KeyConditionExpression": "type_day = :partition AND SK BETWEEN :low AND :high",
            "values": {":partition": name},
        }

    def arrived_since(self, entity_id: str, day: Day, since: Instant) -> list[StoredEvent]:
        """Events of an entity and day that were ingested after an instant. Reads the whole entity-day."""
        items = self._all_items(
            {
                "KeyConditionExpression": "PK = :pk AND SK BETWEEN :low AND :high",
                "FilterExpression": "ingest_time > :since",
                "ExpressionAttributeValues": to_item(
                    {
                        ":pk": keys.entity(entity_id),
                        ":low": keys.from_instant(start_of(day)),
                        ":high": keys.from_instant(end_of(day)),
                        ":since": since,
                    }
                ),
            }
        )
        return list(map(stored_event, items))

    def _all_items(self, query: Mapping[str, Any]) -> list[Item]:
        with translated("reading the index"):
            pages = self.dynamodb.get_paginator("query").paginate(TableName=self.events_table, **query)
            return [item for page in pages for item in page["Items"]]
