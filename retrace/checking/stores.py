"""Reads the raw bucket and the tables with the caller's rights, and copes with any content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.dynamodb_rows import partition_of_inputs, version_key
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import KEYS_A_GET, Item, from_item, get_items, to_item
from chalicelib.aws.errors import code_of
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.calendars import UTC
from chalicelib.core.pagination import chunks
from chalicelib.core.replay_ids import version_name
from chalicelib.core.timestamps import PERIOD, Day, Instant, Window
from chalicelib.events.raw_objects import INGEST_TIME_RANGE, StoredEvent
from retrace.checking.claims import Marker
from retrace.checking.raw_objects import RAW, ReadObject, read_object
from retrace.checking.versions import version_of_partition
from retrace.concurrency import AT_ONCE, in_order, walked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


_MISSING = frozenset({"NoSuchKey", "InvalidRange"})

_LAST_DAY = Day("9999-12-31")


@dataclass(frozen=True)
class RawBucket:
    """The raw bucket."""

    s3: S3Client
    name: str

    def keys(self, prefix: str, after: str = "") -> Iterator[list[str]]:
        """The keys that begin so, in order, after one, a thousand at a time."""
        wanted: dict[str, Any] = {"StartAfter": after} if after else {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, **wanted):
            yield [found["Key"] for found in page.get("Contents", [])]

    def objects(self, prefix: str) -> Iterator[ReadObject]:
        """Every object whose key begins so, each fetched once and checked."""
        every_key = (key for page in self.keys(prefix) for key in page)
        return (found for found in in_order(self.read, every_key) if found is not None)

    def read(self, key: str) -> ReadObject | None:
        """An object, checked; None if there is none, or none among raw objects."""
        content = self.content(key) if key.startswith(RAW) else None
        return None if content is None else read_object(self.name, key, content)

    def keep(self, marker: Marker) -> None:
        """Keep a marker, unless one of its line is there."""
        bucket = WriteOnceBucket(self.s3, self.name, pause=sleep)
        bucket.put_if_absent(marker.key, marker.to_json(), "application/json")

    def ingest_time(self, key: str) -> str:
        """When an object's events were taken in, as it says; empty if it is too short to say so."""
        start, end = INGEST_TIME_RANGE
        return (self.content(key, Range=f"bytes={start}-{end - 1}") or b"").decode(errors="replace")

    def content(self, key: str, **part: Any) -> bytes | None:
        """The bytes of an object, or a part of them; None if there is none."""
        try:
            return self.s3.get_object(Bucket=self.name, Key=key, **part)["Body"].read()
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise


Row = dict[str, Any]
Key = dict[str, str]


def place_of(event: StoredEvent) -> Key:
    """The key of an event's index row."""
    return place(event.entity_id, event.event_time, event.event_id)


def place(entity_id: str, event_time: Instant, event_id: str) -> Key:
    """The key of the index row of an event that is said to be so."""
    return {"PK": keys.entity(entity_id), "SK": keys.event(event_time, event_id)}


_Reached = tuple[int, dict[str, Any]]
_POINTS_THERE = "attribute_not_exists(s3_key) OR begins_with(s3_key, :p)"


@dataclass(frozen=True)
class Tables:
    """The tables of a deployment, read consistently."""

    dynamodb: DynamoDBClient
    events: str
    dedupe: str
    aggregates: str

    def index_rows_of_day(self, entity_id: str, day: Window) -> Iterator[Row]:
        """The index rows of an entity's day, by time and id."""
        low, high = keys.from_instant(day.start), keys.from_instant(day.end)
        values = {":pk": keys.entity(entity_id), ":low": low, ":high": high}
        return self._query(self.events, "PK = :pk AND SK BETWEEN :low AND :high", values)

    def identities(self, event_ids: Iterable[str]) -> Iterator[Row]:
        """The identity rows that there are of these ids."""
        return self._get(self.dedupe, ({"event_id": event_id} for event_id in event_ids))

    def index_rows(self, places: Iterable[Key]) -> Iterator[Row]:
        """The index rows that there are under these keys."""
        return self._get(self.events, places)

    def versions(self, entity_id: str, day: Day, calendar: str = UTC) -> list[Version]:
        """The versions of a daily aggregate."""
        values = {":pk": keys.entity(entity_id), ":versions": keys.aggregate_versions(day, calendar)}
        rows = self._query(self.aggregates, "PK = :pk AND begins_with(SK, :versions)", values)
        found = (version_of_partition(f"{row['PK']}#{row['SK']}") for row in rows)
        return [version for version in found if version is not None]

    def calendars_of(self, entity_id: str) -> Iterator[str]:
        """The calendars that an entity has versions of: a Query for each, which skips the rest of it."""
        partition, after = keys.entity(entity_id), PERIOD
        condition = "PK = :pk AND SK BETWEEN :after AND :last"
        while True:
            values = {":pk": partition, ":after": after, ":last": keys.just_after(PERIOD)}
            row = next(self._query(self.aggregates, condition, values), None)
            version = None if row is None else version_of_partition(f"{row['PK']}#{row['SK']}")
            if version is None:
                return
            yield version.calendar
            after = keys.just_after(keys.aggregate_versions(_LAST_DAY, version.calendar))

    def version_row(self, version: Version) -> Row | None:
        """A version of a daily aggregate."""
        return next(self._get(self.aggregates, [from_item(version_key(version))]), None)

    def entries(self, version: Version) -> Iterator[Row]:
        """What became of each message of a version, by time and id."""
        return self._query(self.aggregates, "PK = :pk", {":pk": partition_of_inputs(version)})

    def values(self, version: Version) -> Iterator[Row]:
        """The values of metrics that are kept of a version, of whichever inputs."""
        return self._query(self.aggregates, "PK = :pk", {":pk": keys.values(partition_of_inputs(version), "", "")[0]})

    def outcomes(self, places: Iterable[Key]) -> Iterator[Row]:
        """What became of the messages under these keys, of those of which anything is known."""
        return self._get(self.aggregates, places)

    def totals(self, replay_id: str) -> Iterator[Row]:
        """The totals of a replay that are kept."""
        return self._query(self.aggregates, "PK = :pk", {":pk": keys.totals(replay_id)})

    def versions_of_replay(self, replay_id: str) -> Iterator[list[Version]]:
        """Versions of a replay, some of them more than once, page by page of a Scan of the whole table."""
        mine = f"#VER#{version_name(replay_id)}"
        condition = {
            "FilterExpression": "contains(PK, :mine) OR contains(SK, :mine)",
            "ExpressionAttributeValues": to_item({":mine": mine}),
            "ProjectionExpression": "PK, SK",
        }
        for rows in self._scan(self.aggregates, condition):
            found = (version_of_partition(_partition_of_messages(row)) for row in rows)
            yield [version for version in found if version is not None and version.replay_id == replay_id]

    def every_index_row(self, prefix: str) -> Iterator[list[Row]]:
        """Every index row that points into a prefix, page by page of a Scan."""
        condition = {
            "FilterExpression": f"begins_with(PK, :entity) AND ({_POINTS_THERE})",
            "ExpressionAttributeValues": to_item({":entity": keys.entity(""), ":p": prefix}),
        }
        return self._scan(self.events, condition)

    def every_identity(self, prefix: str) -> Iterator[list[Row]]:
        """Every identity row that points into a prefix, page by page of a Scan."""
        condition = {
            "FilterExpression": _POINTS_THERE,
            "ExpressionAttributeValues": to_item({":p": prefix}),
        }
        return self._scan(self.dedupe, condition)

    def _query(self, table: str, condition: str, values: Row) -> Iterator[Row]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
        )
        return (_plain(item) for page in pages for item in page["Items"])

    def _get(self, table: str, wanted: Iterable[Key]) -> Iterator[Row]:
        def look_up(some: Sequence[Key]) -> list[Item]:
            return get_items(self.dynamodb, table, [to_item(key) for key in some], sleep, consistent=True)

        for found in in_order(look_up, chunks(wanted, KEYS_A_GET)):
            yield from map(_plain, found)

    def _scan(self, table: str, condition: Row) -> Iterator[list[Row]]:
        def step(reached: _Reached) -> tuple[list[Row], _Reached | None]:
            segment, begin = reached
            answer = self.dynamodb.scan(
                TableName=table, Segment=segment, TotalSegments=AT_ONCE, ConsistentRead=True, **begin, **condition
            )
            last = answer.get("LastEvaluatedKey")
            return [_plain(item) for item in answer["Items"]], (segment, {"ExclusiveStartKey": last}) if last else None

        starts: list[_Reached] = [(segment, {}) for segment in range(AT_ONCE)]
        return walked(step, starts)


def _plain(item: Item) -> Row:
    """Plain values, where they are of the kinds that Retrace writes."""
    row: Row = {}
    for name, value in item.items():
        try:
            row |= from_item({name: value})
        except (TypeError, ValueError):
            row[name] = value
    return row


def _partition_of_messages(row: Row) -> str:
    partition, sort_key = str(row["PK"]), str(row["SK"])
    return f"{partition}#{sort_key}" if "#VER#" in sort_key else partition


@dataclass(frozen=True)
class Stores:
    """The raw bucket and the tables."""

    bucket: RawBucket
    tables: Tables
