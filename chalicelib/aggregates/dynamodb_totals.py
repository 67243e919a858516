"""Totals in AggregatesTable: a row for each day of a replay, replaced only while its total is not whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aggregates.aggregate import Definitions
from chalicelib.aggregates.dynamodb_rows import aggregate_members, aggregate_of_row
from chalicelib.aggregates.metric_rows import packed_states
from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item, get_items, to_item
from chalicelib.aws.errors import attempts_of, code_of, translated
from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoTotals:
    """The totals in AggregatesTable."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    pause: Pause

    def kept(self, days: Collection[ReplayedDay], definitions: Mapping[str, Definitions]) -> dict[ReplayedDay, Total]:
        """Those of at most 100 totals that there are: a BatchGetItem."""
        by_key = {(key["PK"]["S"], key["SK"]["S"]): day for day in days for key in (total_key(day),)}
        if not by_key:
            return {}
        wanted = [to_item({"PK": partition, "SK": sort_key}) for partition, sort_key in by_key]
        with translated("reading totals"):
            items = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        found = ((by_key[item["PK"]["S"], item["SK"]["S"]], from_item(item)) for item in items)
        return {day: total_of_row(day, row, definitions[day.replay_id]) for day, row in found}

    def keep(self, total: Total, now: Instant) -> Total:
        """Keep a total if the one it was made from is still there: one PutItem."""
        kept = replace(total, computed_at=now, revision=total.revision + 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(PK)"}
        if total.revision:
            values = to_item({":read": total.revision})
            condition = {"ConditionExpression": "revision = :read", "ExpressionAttributeValues": values}
        with translated("keeping a total"):
            try:
                self.dynamodb.put_item(TableName=self.aggregates_table, Item=total_row(kept), **condition)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                message = f"The total of {total.of.day} of replay {total.of.replay_id} was kept by another request."
                raise WriteConflict(message, attempts_of(error.response)) from error
        return kept


def total_key(of: ReplayedDay) -> Item:
    """The key of a total."""
    sort_key = keys.aggregate_version(of.day, of.replay_id, of.calendar)
    return to_item({"PK": keys.totals(of.replay_id), "SK": sort_key})


def total_row(total: Total) -> Item:
    """A total as it is kept. Metrics that are built in follow from its other members."""
    values = aggregate_members(total.aggregate) | {
        "m": packed_states(total.aggregate.states.values()),
        "versions": total.versions,
        "processed": total.processed,
        "folded_to": total.folded_to,
        "computed_at": total.computed_at,
        "revision": total.revision,
    }
    return total_key(total.of) | to_item(values)


def total_of_row(of: ReplayedDay, row: Mapping[str, Any], definitions: Definitions) -> Total:
    """The total that `total_row` wrote."""
    return Total(
        of,
        processed=row["processed"],
        aggregate=aggregate_of_row(row, definitions),
        versions=row["versions"],
        folded_to=row.get("folded_to"),
        computed_at=Instant(row["computed_at"]),
        revision=row["revision"],
    )
