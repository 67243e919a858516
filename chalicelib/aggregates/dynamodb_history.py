"""Reads daily aggregates from DynamoDB: their versions, and the inputs of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.aggregates.aggregate import Definitions, Version, definitions_in
from chalicelib.aggregates.dynamodb_rows import aggregate_of_row, input_of, outcome_of, partition_of_inputs, version_key
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import Outcome
from chalicelib.aggregates.ports import AggregateVersion, InputsPage, VersionsPage
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item, get_items, to_item
from chalicelib.aws.errors import translated
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import CALENDAR, Day
from chalicelib.events.raw_objects import StoredEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoAggregateHistory:
    """AggregatesTable, for those who only read it."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    pause: Pause

    def versions(
        self, entity_id: str, day: Day, after: str | None, limit: int, calendar: str = CALENDAR
    ) -> VersionsPage:
        """Versions of replays, newest first, and then those of raw objects: a Query of each, of a megabyte at most."""
        keys.require_position(keys.VERSION_POSITION, after)
        of_replays, of_objects = keys.versions_of_replays(day, calendar), keys.versions_of_objects(day, calendar)
        read = partial(self._versions, Version(entity_id, day, "", calendar=calendar))
        if after is not None and after >= of_objects[0]:
            return read(of_objects, after, limit)
        found = read(of_replays, after, limit)
        if found.read_to is not None or len(found.versions) == limit:
            return found
        rest = read(of_objects, None, limit - len(found.versions))
        return VersionsPage(found.versions + rest.versions, rest.read_to)

    def _versions(self, of_day: Version, bounds: tuple[str, str], after: str | None, limit: int) -> VersionsPage:
        low, high = bounds
        with translated("reading aggregates"):
            answer = self.dynamodb.query(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
                ExpressionAttributeValues=to_item(
                    {
                        ":pk": keys.entity(of_day.entity_id),
                        ":low": low,
                        ":high": keys.just_before(after) if after else high,
                    }
                ),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=limit,
            )
        last = answer.get("LastEvaluatedKey")
        found = tuple(_stored(of_day, item) for item in answer["Items"])
        return VersionsPage(found, last["SK"]["S"] if last else None)

    def named(
        self, entity_id: str, day: Day, replay_ids: Collection[str], calendar: str = CALENDAR
    ) -> list[AggregateVersion]:
        """Those versions of at most 100 replays that there are: a BatchGetItem."""
        wanted = [version_key(Version(entity_id, day, replay_id, calendar=calendar)) for replay_id in set(replay_ids)]
        with translated("reading aggregates"):
            items = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        of_day = Version(entity_id, day, "", calendar=calendar)
        return [_stored(of_day, item) for item in items]

    def of_entities(self, of: Version, entity_ids: Collection[str]) -> list[AggregateVersion]:
        """Those versions that the same replay has of the same day for at most 100 entities: a BatchGetItem."""
        versions = [replace(of, entity_id=entity_id) for entity_id in entity_ids]
        of_partition = {keys.entity(version.entity_id): version for version in versions}
        with translated("reading aggregates"):
            wanted = list(map(version_key, versions))
            items = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        return [_stored(of_partition[item["PK"]["S"]], item) for item in items]

    def inputs(self, version: Version, after: str | None, limit: int, definitions: Definitions = ()) -> InputsPage:
        """The inputs among at most `limit` messages of a version, by time and id: one Query."""
        keys.require_position(keys.MESSAGE_POSITION, after)
        low = keys.FIRST_MESSAGE if after is None else after
        with translated("reading an aggregate's inputs"):
            answer = self.dynamodb.query(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND SK > :low",
                FilterExpression="outcome = :input",
                ExpressionAttributeValues=to_item(
                    {":pk": partition_of_inputs(version), ":low": low, ":input": Outcome.INPUT.value}
                ),
                ConsistentRead=True,
                Limit=limit,
            )
        last = answer.get("LastEvaluatedKey")
        found = tuple(input_of(item, definitions) for item in answer["Items"])
        return InputsPage(found, last["SK"]["S"] if last else None)

    def position_of(self, single: Input) -> str:
        """A bound above the sort keys of all messages of an input's event, and below those of the next one."""
        return keys.just_after(keys.event(single.event_time, single.event_id))

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        """Those of at most 100 candidates whose event went into the version: a BatchGetItem."""
        by_key = {_row_key(version, event): (version, event) for version, event in candidates}
        wanted = [to_item({"PK": partition, "SK": sort_key}) for partition, sort_key in by_key]
        with translated("looking up an aggregate's inputs"):
            found = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        present = {(item["PK"]["S"], item["SK"]["S"]) for item in found if outcome_of(item) is Outcome.INPUT}
        return [candidate for key, candidate in by_key.items() if key in present]


def _stored(of_day: Version, item: Item) -> AggregateVersion:
    row = from_item(item)
    version = replace(of_day, replay_id=row["replay_id"])
    aggregate = aggregate_of_row(row, definitions_in(version.calendar))
    return AggregateVersion(version, aggregate, row["computed_at"], row.get("m"))


def _row_key(version: Version, event: StoredEvent) -> tuple[str, str]:
    return partition_of_inputs(version), keys.event(event.event_time, event.event_id)
