"""Values that need all inputs of a version, kept once in AggregatesTable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aggregates.dynamodb_rows import partition_of_inputs
from chalicelib.aggregates.ports import Values, ValuesKey
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item, get_items, to_item
from chalicelib.aws.errors import code_of, translated
from chalicelib.core.ports import Pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_EXISTS = "ConditionalCheckFailedException"


@dataclass(frozen=True)
class DynamoKeptValues:
    """Rows of AggregatesTable, in partitions of their own, each with the values of a metric by group."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    pause: Pause

    def find(self, key: ValuesKey) -> Values | None:
        """The values, if they are kept: a BatchGetItem. They never change, so the read need not be consistent."""
        with translated("reading kept values"):
            items = get_items(self.dynamodb, self.aggregates_table, [_key(key)], self.pause)
        return next(({tuple(group): value for value, *group in from_item(item)["values"]} for item in items), None)

    def keep(self, key: ValuesKey, values: Values) -> None:
        """Keep values, unless there are some: a PutItem."""
        item = _key(key) | to_item({"values": packed_values(values)})
        with translated("keeping values"):
            try:
                self.dynamodb.put_item(
                    TableName=self.aggregates_table, Item=item, ConditionExpression="attribute_not_exists(PK)"
                )
            except ClientError as error:
                if code_of(error) != _EXISTS:
                    raise


def packed_values(values: Values) -> list[list[str]]:
    """Values as a row has them: each followed by the texts of its group."""
    return [[value, *group] for group, value in sorted(values.items())]


def _key(key: ValuesKey) -> Item:
    inputs = partition_of_inputs(key.version)
    partition, sort_key = keys.values(inputs, key.definition_sha256, key.inputs_hash)
    return to_item({"PK": partition, "SK": sort_key})
