"""SQS's batch calls, ten messages each; sending is repeated until nothing is left unsent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.domain.chunks import chunked
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.messages import Delivery
from chalicelib.domain.ports import Pause

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MESSAGES_A_CALL = 10
_ATTEMPTS = 5


def send_bodies(sqs: SQSClient, queue_url: str, bodies: Sequence[str], pause: Pause) -> None:
    """Send messages in tens; returns when every one of them is on the queue."""
    for some in chunked(bodies, MESSAGES_A_CALL):
        pending: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(some)
        ]
        send_entries(sqs, queue_url, pending, pause)


def send_entries(
    sqs: SQSClient, queue_url: str, entries: Sequence[SendMessageBatchRequestEntryTypeDef], pause: Pause
) -> None:
    """Send at most ten messages; returns when every one of them is on the queue."""
    pending = list(entries)
    for attempt in range(1, _ATTEMPTS + 1):
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=pending)
        failed = {failure["Id"] for failure in answer.get("Failed", [])}
        pending = [entry for entry in pending if entry["Id"] in failed]
        if not pending:
            return
        pause(attempt)
    raise TryAgain("SQS did not take every message of a batch.")


def delete_deliveries(sqs: SQSClient, queue_url: str, deliveries: Sequence[Delivery]) -> None:
    """Take messages off the queue they came from. One that stays is delivered again, which changes nothing."""
    for some in chunked(deliveries, MESSAGES_A_CALL):
        sqs.delete_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": delivery.receipt_handle} for number, delivery in enumerate(some)
            ],
        )
