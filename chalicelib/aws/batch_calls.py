"""DynamoDB's batch calls, each repeated until nothing is left unprocessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chalicelib.aws.errors import attempts_of
from chalicelib.aws.items import Item
from chalicelib.core.errors import TryAgain
from chalicelib.core.ports import Pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestOutputTypeDef

KEYS_A_GET = 100
ITEMS_A_WRITE = 25
_ATTEMPTS = 8


def get_items(
    dynamodb: DynamoDBClient, table: str, keys: Sequence[Item], pause: Pause, *, consistent: bool = False
) -> list[Item]:
    """The items there are among at most 100 keys, in no order."""
    found: list[Item] = []
    wanted = list(keys)
    attempts = 0
    while attempts < _ATTEMPTS:
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": wanted, "ConsistentRead": consistent}})
        attempts += attempts_of(answer)
        found += answer["Responses"].get(table, [])
        unread = answer.get("UnprocessedKeys", {})
        wanted = list(unread[table]["Keys"]) if table in unread else []
        if not wanted:
            return found
        pause(attempts)
    raise TryAgain("DynamoDB left keys of a batch unread.")


def put_items(dynamodb: DynamoDBClient, table: str, items: Sequence[Item], pause: Pause) -> None:
    """Put at most 25 items, without conditions."""
    *_, left = putting(dynamodb, table, items, pause, _ATTEMPTS)
    if left:
        raise TryAgain("DynamoDB left items of a batch unwritten.")


def putting(
    dynamodb: DynamoDBClient, table: str, items: Sequence[Item], pause: Pause, attempts: int
) -> Iterator[list[Item]]:
    """Put at most 25 items, without conditions, in so many attempts; yields what is unwritten after each call."""
    left, made = list(items), 0
    while left and made < attempts:
        if made:
            pause(made)
        wanted: Sequence[WriteRequestOutputTypeDef] = [{"PutRequest": {"Item": item}} for item in left]
        answer = dynamodb.batch_write_item(RequestItems={table: wanted})
        made += attempts_of(answer)
        left = [request["PutRequest"]["Item"] for request in answer.get("UnprocessedItems", {}).get(table, [])]
        yield left
