"""DynamoDB write transactions, and why they were cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.errors import attempts_of, code_of
from chalicelib.aws.items import Item
from chalicelib.core.errors import StorageRefused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
