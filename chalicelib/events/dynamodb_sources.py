"""Sources and types in DynamoDB: a row for each, which a process writes or reads only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import KEYS_A_GET, Item, from_item, get_items, page_of, to_item
from chalicelib.aws.errors import code_of, translated
from chalicelib.core.pagination import PageOf, chunked
from chalicelib.core.ports import Concurrently, Pause
from chalicelib.core.timestamps import Instant
from chalicelib.events.ports import SourceAndType
from chalicelib.events.raw_objects import StoredEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST_REMEMBERED = 10_000
"""A producer that makes up types would fill the memory of a process."""

FirstSeen = dict[tuple[str, str], Instant]


@dataclass(frozen=True)
class DynamoSources:
    """One partition of EventsTable. It remembers what it knows to be recorded, so keep one for each process."""

    dynamodb: DynamoDBClient
    events_table: str
    pause: Pause
    concurrently: Concurrently
    _remembered: FirstSeen = field(default_factory=dict)

    def record(self, events: Sequence[StoredEvent]) -> None:
        """Write a row for each source and type without one, or with a later `first_seen`."""
        unknown = _earlier(_first_seen(events), self._remembered)
        if not unknown:
            return
        with translated("recording sources and types"):
            missing = _earlier(unknown, self._recorded(list(unknown)))
            self.concurrently(self._put, [SourceAndType(*pair, seen) for pair, seen in missing.items()])
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered.update(unknown)

    def page(self, after: str | None, limit: int, source: str | None = None) -> PageOf[SourceAndType]:
        """Sources and types in order, or the types of one source, as of now: one consistent Query."""
        keys.require_position(keys.SOURCE_POSITION, after)
        low, high = keys.sources_and_types(source, after)
        with translated("reading sources and types"):
            answer = self.dynamodb.query(
                TableName=self.events_table,
                KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
                ExpressionAttributeValues=to_item({":pk": keys.SOURCES, ":low": low, ":high": high}),
                ConsistentRead=True,
                Limit=limit,
            )
        return page_of(answer, _source_and_type)

    def _recorded(self, pairs: Sequence[tuple[str, str]]) -> FirstSeen:
        def look_up(some: Sequence[tuple[str, str]]) -> list[Item]:
            return get_items(self.dynamodb, self.events_table, [to_item(_key(*pair)) for pair in some], self.pause)

        found = self.concurrently(look_up, chunked(pairs, KEYS_A_GET))
        rows = (_source_and_type(item) for items in found for item in items)
        return {(row.source, row.event_type): row.first_seen for row in rows}

    def _put(self, seen: SourceAndType) -> None:
        try:
            self.dynamodb.put_item(
                TableName=self.events_table,
                Item=to_item(
                    {
                        **_key(seen.source, seen.event_type),
                        "source": seen.source,
                        "event_type": seen.event_type,
                        "first_seen": seen.first_seen,
                    }
                ),
                ConditionExpression="attribute_not_exists(PK) OR first_seen > :seen",
                ExpressionAttributeValues=to_item({":seen": seen.first_seen}),
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise


def _first_seen(events: Iterable[StoredEvent]) -> FirstSeen:
    found: FirstSeen = {}
    for event in events:
        pair = event.source, event.event_type
        found[pair] = min(event.ingest_time, found.get(pair, event.ingest_time))
    return found


def _earlier(seen: FirstSeen, known: Mapping[tuple[str, str], Instant]) -> FirstSeen:
    """What is not known to have been seen that early."""
    return {pair: time for pair, time in seen.items() if pair not in known or time < known[pair]}


def _key(source: str, event_type: str) -> dict[str, str]:
    return {"PK": keys.SOURCES, "SK": keys.source_and_type(source, event_type)}


def _source_and_type(item: Item) -> SourceAndType:
    row = from_item(item)
    return SourceAndType(row["source"], row["event_type"], Instant(row["first_seen"]))
