"""The index of events in DynamoDB: events in a window, and arrivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import ITEMS_A_WRITE, page_of, putting, to_item
from chalicelib.aws.errors import translated
from chalicelib.core.errors import TryAgain
from chalicelib.core.pagination import PageOf, chunked
from chalicelib.core.ports import Concurrently, Pause
from chalicelib.core.timestamps import Window
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.dynamodb_rows import arrival_of, arrival_row, stored_event
from chalicelib.events.index_pages import EntityPartition, LateDayPartition, Page, Partition, Row
from chalicelib.events.ports import EVERY_EVENT, Counted, EventFilter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS_TO_RECORD = 4
"""Half of what other writes have: the producer waits for its answer meanwhile, which does not depend on them."""


@dataclass(frozen=True)
class DynamoEventIndex:
    """EventsTable and its indexes."""

    dynamodb: DynamoDBClient
    events_table: str
    pause: Pause
    concurrently: Concurrently

    def record(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Record duplicates and conflicts as far as DynamoDB takes them. Returns those that it may not have.

        All of one event share a partition key, and with it what DynamoDB writes to a partition in a second.
        """
        left = self.concurrently(self._record_together, chunked(arrivals, ITEMS_A_WRITE))
        return [arrival for some in left for arrival in some]

    def _record_together(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        rows = left = list(map(arrival_row, arrivals))
        with suppress(TryAgain), translated("recording arrivals"):
            for left in putting(self.dynamodb, self.events_table, rows, self.pause, _ATTEMPTS_TO_RECORD):  # noqa: B007  # the last
                continue
        return list(map(arrival_of, left))

    def arrivals(self, event_id: str, limit: int) -> list[Arrival]:
        """Arrivals of an identity, oldest first. Of more than `limit`, the conflicts and the first duplicates."""
        with translated("reading arrivals"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                KeyConditionExpression="PK = :pk",
                ExpressionAttributeValues=to_item({":pk": keys.arrivals(event_id)}),
                Limit=limit,
            )
        return sorted(map(arrival_of, answer["Items"]), key=lambda arrival: (arrival.ingest_time, arrival.position))

    def duplicates(self, event_id: str, after: str | None, limit: int) -> PageOf[Arrival]:
        """Duplicates of an event, oldest first: one Query."""
        low, high = keys.every_duplicate()
        with translated("reading arrivals"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
                ExpressionAttributeValues=to_item(
                    {
                        ":pk": keys.arrivals(event_id),
                        ":low": low if after is None else keys.just_after(after),
                        ":high": high,
                    }
                ),
                Limit=limit,
            )
        return page_of(answer, arrival_of)

    def has_arrival(self, event_id: str, kind: ArrivalKind) -> bool:
        """Whether an identity has an arrival of this kind."""
        with translated("reading arrivals"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :kind)",
                ExpressionAttributeValues=to_item(
                    {
                        ":pk": keys.arrivals(event_id),
                        ":kind": keys.arrivals_of(conflict=kind is ArrivalKind.CONFLICT),
                    }
                ),
                Limit=1,
            )
        return bool(answer["Items"])

    def page(
        self,
        partition: Partition,
        after: str | None,
        limit: int,
        wanted: EventFilter = EVERY_EVENT,
        *,
        newest_first: bool = False,
    ) -> Page:
        """Rows of a partition in time order. Entities are read consistently, types and days as their index has it."""
        keys.require_position(keys.EVENT_POSITION, after)
        low, high = _bounds(partition, after, newest_first=newest_first)
        if low > high:
            return Page((), None)
        query, values = _query(partition, low, high)
        return self._page(query | {"Limit": limit, "ScanIndexForward": not newest_first}, values, wanted, "SK")

    def count(self, partition: Partition, after: str | None, wanted: EventFilter = EVERY_EVENT) -> Counted:
        """How many rows follow a position: one Query, of a megabyte of rows that are not sent here."""
        query, values = _query(partition, *_bounds(partition, after, newest_first=False))
        filtered, filter_values = _filter(wanted)
        with translated("counting the index"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                Select="COUNT",
                ExpressionAttributeValues=to_item({**values, **filter_values}),
                **query,
                **filtered,
            )
        last = answer.get("LastEvaluatedKey")
        return Counted(answer["Count"], last["SK"]["S"] if last else None)

    def late(self, partition: LateDayPartition, after: str | None, limit: int, arrived: Window | None = None) -> Page:
        """Late arrivals of a partition, the latest first, and of these the ones that arrived within a window."""
        keys.require_position(keys.LATE_POSITION, after)
        low, above_all = keys.every_lag()
        high = above_all if after is None else keys.just_before(after)
        late_day = keys.late_day(partition.source, partition.event_type, partition.ingest_day, partition.shard)
        values = {":partition": late_day, ":low": low, ":high": high}
        query: dict[str, Any] = {
            "IndexName": keys.LATE_ARRIVALS_INDEX,
            "KeyConditionExpression": "late_day = :partition AND #lag BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#lag": "lag"},  # a reserved word, which moto does not mind
            "Limit": limit,
            "ScanIndexForward": False,
        }
        if arrived is not None:
            query["FilterExpression"] = "ingest_time >= :start AND ingest_time < :end"
            values |= {":start": arrived.start, ":end": arrived.end}
        return self._page(query, values, EVERY_EVENT, "lag")

    def _page(self, query: Mapping[str, Any], values: Mapping[str, Any], wanted: EventFilter, sort_key: str) -> Page:
        filtered, filter_values = _filter(wanted)
        with translated("reading the index"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                ExpressionAttributeValues=to_item({**values, **filter_values}),
                **query,
                **filtered,
            )
        rows = tuple(Row(item[sort_key]["S"], stored_event(item)) for item in answer["Items"])
        last = answer.get("LastEvaluatedKey")
        return Page(rows, last[sort_key]["S"] if last else None)


def _bounds(partition: Partition, after: str | None, *, newest_first: bool) -> tuple[str, str]:
    """Sort keys around what is left of a partition after a position; reversed if nothing is."""
    low, high = keys.from_instant(partition.window.start), keys.from_instant(partition.window.end)
    if after is None:
        return low, high
    return (low, keys.just_before(after)) if newest_first else (keys.just_after(after), high)


def _query(partition: Partition, low: str, high: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The query for a partition, and the values in it."""
    if isinstance(partition, EntityPartition):
        query: dict[str, Any] = {"ConsistentRead": True}
        name, value = "PK", keys.entity(partition.entity_id)
    else:
        query = {"IndexName": keys.TYPE_AND_DAY_INDEX}
        name = "type_day"
        value = keys.type_and_day(partition.source, partition.event_type, partition.day, partition.shard)
    query["KeyConditionExpression"] = f"{name} = :partition AND SK BETWEEN :low AND :high"
    return query, {":partition": value, ":low": low, ":high": high}


def _filter(wanted: EventFilter) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filter of a query, and the values in it."""
    comparisons = {"source": "=", "event_type": "=", "ingest_lag_ms": ">="}
    values = {"source": wanted.source, "event_type": wanted.event_type, "ingest_lag_ms": wanted.min_lag_ms}
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return {}, {}
    expression = {
        "FilterExpression": " AND ".join(f"#{name} {comparisons[name]} :{name}" for name in given),
        "ExpressionAttributeNames": {f"#{name}": name for name in given},  # "source" is a reserved word
    }
    return expression, {f":{name}": value for name, value in given.items()}
