"""Definitions and names of metrics in ReplaysTable, whose replays are pinned to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from chalicelib.aws import keys, replay_keys
from chalicelib.aws.dynamodb import Item, from_item, get_items, to_item, write_together
from chalicelib.aws.errors import translated
from chalicelib.core.errors import IntegrityFailure, NotFound, WriteConflict
from chalicelib.core.pagination import every_page
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Instant
from chalicelib.metrics.catalogue import MAX_CHANGES, NAMES_A_PAGE, Change, NamedMetric, NamesPage, State
from chalicelib.metrics.definition import BUILT_IN, Definition, read_definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoDefinitions:
    """Definitions and names. It remembers definitions, which never change, so keep one for each process."""

    dynamodb: DynamoDBClient
    replays_table: str
    pause: Pause
    _remembered: dict[str, Definition] = field(default_factory=lambda: {each.sha256: each for each in BUILT_IN})

    def active(self) -> list[Definition]:
        """Those built in, and the newest of each active name, in order of names."""
        pages = every_page(lambda after: self.page(after, NAMES_A_PAGE))
        named = chain.from_iterable(page.metrics for page in pages)
        return [*BUILT_IN, *(each.last.definition for each in named if each.is_active)]

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Definitions in the order of their hashes, at most 100; raises NotFound if one is unknown."""
        unknown = [each for each in dict.fromkeys(hashes) if each not in self._remembered]
        if unknown:
            self._remembered.update(self._read(unknown))
        missing = [each for each in unknown if each not in self._remembered]
        if missing:
            raise NotFound(f"There is no definition of a metric with the hash {missing[0]}.")
        return [self._remembered[each] for each in hashes]

    def _read(self, hashes: Sequence[str]) -> dict[str, Definition]:
        wanted = [to_item(_definition_key(each)) for each in hashes]
        with translated("reading definitions of metrics"):
            items = get_items(self.dynamodb, self.replays_table, wanted, self.pause, consistent=True)
        rows = map(from_item, items)
        return {each.sha256: each for each in map(_checked, rows)}

    def keep(self, definitions: Sequence[Definition]) -> None:
        """Keep at most 100 definitions that no name has, so that they are found by hash."""
        with translated("keeping definitions of metrics"):
            cancelled = write_together(self.dynamodb, [self._put(_definition_row(each)) for each in definitions])
        if cancelled is not None:
            raise WriteConflict("Another request was keeping the same definitions.")

    def named(self, name: str) -> NamedMetric | None:
        """A name as it is now."""
        key = {"PK": replay_keys.METRIC_NAMES, "SK": replay_keys.metric_name(name)}
        with translated("reading a metric"):
            answer = self.dynamodb.get_item(TableName=self.replays_table, Key=to_item(key), ConsistentRead=True)
        return _named(answer["Item"]) if "Item" in answer else None

    def page(self, after: str | None, limit: int) -> NamesPage:
        """Names in order, as of now: one consistent Query."""
        keys.require_position(replay_keys.METRIC_POSITION, after)
        with translated("listing metrics"):
            answer = self.dynamodb.query(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk AND SK > :after",
                ExpressionAttributeValues=to_item(
                    {":pk": replay_keys.METRIC_NAMES, ":after": after or replay_keys.metric_name("")}
                ),
                ConsistentRead=True,
                Limit=limit,
            )
        last = answer.get("LastEvaluatedKey")
        return NamesPage(tuple(map(_named, answer["Items"])), last["SK"]["S"] if last else None)

    def changes(self, name: str) -> list[Change]:
        """The last changes of a name, newest first: one Query."""
        with translated("reading the changes of a metric"):
            answer = self.dynamodb.query(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk",
                ExpressionAttributeValues=to_item({":pk": replay_keys.metric_changes(name)}),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=MAX_CHANGES,
            )
        return [_change(from_item(item)) for item in answer["Items"]]

    def change(self, change: Change, read: NamedMetric | None) -> None:
        """Write a change; raises WriteConflict if the name has changed since it was read."""
        with translated("changing a metric"):
            if read is None:
                self._say_that_there_are_metrics()
            cancelled = write_together(self.dynamodb, [*self._puts(change, 0 if read is None else read.last.sequence)])
        if cancelled is not None:
            raise WriteConflict("Another request was changing the same metric.")

    def _say_that_there_are_metrics(self) -> None:
        """Say so in the row that each request for a replay moves on: those of a stage without metrics read no names."""
        self.dynamodb.update_item(
            TableName=self.replays_table,
            Key=to_item({"PK": replay_keys.ORDER, "SK": replay_keys.ORDER}),
            UpdateExpression="SET metrics_defined = :true",
            ExpressionAttributeValues=to_item({":true": True}),
        )

    def _puts(self, change: Change, read: int) -> Iterator[dict[str, Any]]:
        said = _row(change)
        yield self._put(_definition_row(change.definition))
        key = {"PK": replay_keys.metric_changes(change.name), "SK": f"{change.sequence:012d}"}
        yield self._put(to_item(key | said), ConditionExpression="attribute_not_exists(PK)")
        key = {"PK": replay_keys.METRIC_NAMES, "SK": replay_keys.metric_name(change.name)}
        yield self._put(
            to_item(key | said),
            ConditionExpression="revision = :read" if read else "attribute_not_exists(PK)",
            **({"ExpressionAttributeValues": to_item({":read": read})} if read else {}),
        )

    def _put(self, item: Item, **condition: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self.replays_table, "Item": item, **condition}}


def _definition_key(sha256: str) -> dict[str, str]:
    return {"PK": replay_keys.metric_definition(sha256), "SK": replay_keys.DEFINITION}


def _definition_row(definition: Definition) -> Item:
    return to_item(_definition_key(definition.sha256) | {"definition": definition.canonical})


def _checked(row: dict[str, Any]) -> Definition:
    """The definition of a row; raises IntegrityFailure if it is not what the row's key says."""
    definition = read_definition(row["definition"])
    if row["PK"] != replay_keys.metric_definition(definition.sha256):
        raise IntegrityFailure(f"The definition kept in {row['PK']} hashes to {definition.sha256}.")
    return definition


def _row(change: Change) -> dict[str, Any]:
    return {
        "state": change.state.value,
        "definition": change.definition.canonical,
        "changed_at": change.at,
        "changed_by": change.by,
        "revision": change.sequence,
    }


def _change(row: dict[str, Any]) -> Change:
    definition = read_definition(row["definition"])
    return Change(State(row["state"]), definition, Instant(row["changed_at"]), row["changed_by"], row["revision"])


def _named(item: Item) -> NamedMetric:
    return NamedMetric(_change(from_item(item)))
