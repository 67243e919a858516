"""DynamoDB: items as plain values, batch calls, and transactions with the reasons why they were cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from botocore.exceptions import ClientError

from chalicelib.aws.errors import attempts_of, code_of
from chalicelib.core.errors import StorageRefused, TryAgain
from chalicelib.core.pagination import PageOf
from chalicelib.core.ports import Pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef, WriteRequestOutputTypeDef

T = TypeVar("T")

Item = dict[str, Any]
"""An item as DynamoDB's API has it: attribute name to a typed value such as {"S": "text"}."""


# boto3's own serializer takes six times as long: it tries every type that a value might be of.
def to_item(values: Mapping[str, Any]) -> Item:
    """An item of plain values; those that are None are left out."""
    return {name: _TYPED[type(value)](value) for name, value in values.items() if value is not None}


def from_item(item: Item) -> dict[str, Any]:
    """Plain values of an item: whole numbers as int, binary as bytes."""
    return {name: _plain(value) for name, value in item.items()}


def page_of(answer: QueryOutputTypeDef, read: Callable[[Item], T], key: str = "SK") -> PageOf[T]:
    """What a query answered, and the sort key up to which it read."""
    last = answer.get("LastEvaluatedKey")
    return PageOf(tuple(map(read, answer["Items"])), last[key]["S"] if last else None)


class _Types(dict[type, Callable[[Any], dict[str, Any]]]):
    def __missing__(self, kind: type) -> NoReturn:
        raise TypeError(f"no value for DynamoDB: {kind.__name__}")


_TYPED: _Types = _Types(
    {
        str: lambda value: {"S": value},
        int: lambda value: {"N": str(value)},
        bool: lambda value: {"BOOL": value},
        bytes: lambda value: {"B": value},
        type(None): lambda _: {"NULL": True},
        list: lambda value: {"L": [_TYPED[type(element)](element) for element in value]},
        dict: lambda value: {"M": {name: _TYPED[type(member)](member) for name, member in value.items()}},
    }
)


def _plain(typed: Mapping[str, Any]) -> Any:
    [(kind, value)] = typed.items()
    match kind:
        case "S" | "BOOL" | "B":
            return value
        case "N":
            return int(value)
        case "M":
            return {name: _plain(member) for name, member in value.items()}
        case "L":
            return [_plain(member) for member in value]
        case "NULL":
            return None
        case _:
            raise TypeError(f"no value of ours in DynamoDB: {kind}")


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
    """Put at most 25 items, without conditions, in this many attempts; yields what is unwritten after each call."""
    left, made = list(items), 0
    while left and made < attempts:
        if made:
            pause(made)
        wanted: Sequence[WriteRequestOutputTypeDef] = [{"PutRequest": {"Item": item}} for item in left]
        answer = dynamodb.batch_write_item(RequestItems={table: wanted})
        made += attempts_of(answer)
        left = [request["PutRequest"]["Item"] for request in answer.get("UnprocessedItems", {}).get(table, [])]
        yield left


ACTIONS_A_TRANSACTION = 100

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html, "Errors"
_CONDITION_FAILED = "ConditionalCheckFailed"
_CONTENTION = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one action of a cancelled transaction did not hold: its code ("None" if it would have) and the old item."""

    code: str
    item: Item | None

    @property
    def condition_failed(self) -> bool:
        """Whether the action's own condition did not hold."""
        return self.code == _CONDITION_FAILED

    @property
    def contention(self) -> bool:
        """Whether the same transaction may hold if it is written again."""
        return self.code in _CONTENTION


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Why a transaction was cancelled: the reason of each action, and how often it was attempted."""

    reasons: Sequence[Reason]
    attempts: int

    @property
    def contention(self) -> bool:
        """Whether it met others that were being written."""
        return any(reason.contention for reason in self.reasons)


def write_together(dynamodb: DynamoDBClient, actions: Sequence[dict[str, Any]]) -> Cancellation | None:
    """Write all or nothing; answers why the transaction was cancelled, if it was."""
    try:
        dynamodb.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]  # built as plain dicts
    except ClientError as error:
        if code_of(error) != "TransactionCanceledException":
            raise
        return Cancellation(_reasons(error), attempts_of(error.response))
    return None


def _reasons(error: ClientError) -> list[Reason]:
    response: dict[str, Any] = dict(error.response)
    reasons = [Reason(reason.get("Code", "None"), reason.get("Item")) for reason in response["CancellationReasons"]]
    for reason in reasons:
        if reason.code != "None" and not reason.condition_failed and not reason.contention:
            raise StorageRefused(f"DynamoDB cancelled a transaction ({reason.code}).") from error
    return reasons
