"""DynamoDB's batch calls: what it leaves undone is asked for again, and given up on in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from chalicelib.aws.dynamodb import get_items, put_items, putting
from chalicelib.core.errors import TryAgain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS = [{"PK": {"S": f"item-{number}"}} for number in range(5)]


@dataclass
class Busy:
    """A DynamoDB that does only so much of each call."""

    at_once: int
    items: list[Any] = field(default_factory=list)
    consistent: list[bool] = field(default_factory=list)

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # as boto3 has it
        [(table, asked)] = RequestItems.items()
        self.consistent.append(asked["ConsistentRead"])
        done, left = asked["Keys"][: self.at_once], asked["Keys"][self.at_once :]
        found = {table: [key for key in done if key in self.items]}
        return {"Responses": found, "UnprocessedKeys": {table: {"Keys": left}} if left else {}}

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # as boto3 has it
        [(table, asked)] = RequestItems.items()
        self.items += [request["PutRequest"]["Item"] for request in asked[: self.at_once]]
        left = asked[self.at_once :]
        return {"UnprocessedItems": {table: left} if left else {}}

    @property
    def client(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self)


def test_keys_left_unread_are_read_in_the_end() -> None:
    pauses: list[int] = []
    busy = Busy(at_once=2, items=ITEMS[:4])

    assert get_items(busy.client, "table", ITEMS, pauses.append, consistent=True) == ITEMS[:4]
    assert pauses == [1, 2]
    assert busy.consistent == [True] * 3


def test_items_left_unwritten_are_written_in_the_end() -> None:
    pauses: list[int] = []
    busy = Busy(at_once=2)

    put_items(busy.client, "table", ITEMS, pauses.append)

    assert busy.items == ITEMS
    assert pauses == [1, 2]


def test_what_dynamodb_never_does_is_to_be_tried_again() -> None:
    pauses: list[int] = []

    with pytest.raises(TryAgain, match="unread"):
        get_items(Busy(at_once=0).client, "table", ITEMS, pauses.append)
    with pytest.raises(TryAgain, match="unwritten"):
        put_items(Busy(at_once=0).client, "table", ITEMS, pauses.append)
    assert pauses == [*range(1, 9), *range(1, 8)]


def test_what_is_unwritten_is_told_after_each_call() -> None:
    pauses: list[int] = []

    left = list(putting(Busy(at_once=2).client, "table", ITEMS, pauses.append, attempts=2))

    assert left == [ITEMS[2:], ITEMS[4:]]
    assert pauses == [1]
