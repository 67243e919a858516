"""SQS's batch calls, ten messages each; sending is repeated until nothing is left unsent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib.aws.errors import attempts_of
from chalicelib.core.errors import TryAgain
from chalicelib.core.pagination import chunked, chunked_by_size
from chalicelib.core.ports import Delivery, Pause

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueTypeDef,
        ReceiveMessageResultTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

MESSAGES_A_CALL = 10
# A call takes 1 MiB in all with attributes; 256 KiB until 2025, which never splits ten messages that Retrace makes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BYTES_A_CALL = 262_144
_ATTEMPTS = 5


_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def string_attributes(values: Mapping[str, str]) -> dict[str, MessageAttributeValueTypeDef]:
    """Attributes of a message; U+FFFD stands for each character that SQS does not accept. No value may be empty.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html
    """
    return {
        name: {"DataType": "String", "StringValue": _REFUSED.sub("\ufffd", value)} for name, value in values.items()
    }


def send_all(
    sqs: SQSClient, queue_url: str, entries: Sequence[SendMessageBatchRequestEntryTypeDef], pause: Pause
) -> None:
    """Send any number of messages of any size; returns when every one of them is on the queue."""
    for some in chunked_by_size(entries, _size_of, MESSAGES_A_CALL, _BYTES_A_CALL):
        send_entries(sqs, queue_url, some, pause)


def _size_of(entry: SendMessageBatchRequestEntryTypeDef) -> int:
    """What a message counts: its body, and the names, types and values of its attributes."""
    attributes = entry.get("MessageAttributes", {}).items()
    texts = [
        entry["MessageBody"],
        *(text for name, each in attributes for text in (name, each["DataType"], each.get("StringValue", ""))),
    ]
    return sum(len(text.encode()) for text in texts)


def send_entries(
    sqs: SQSClient, queue_url: str, entries: Sequence[SendMessageBatchRequestEntryTypeDef], pause: Pause
) -> None:
    """Send at most ten messages; returns when every one of them is on the queue."""
    pending = list(entries)
    attempts = 0
    while attempts < _ATTEMPTS:
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=pending)
        attempts += attempts_of(answer)
        failed = {failure["Id"] for failure in answer.get("Failed", [])}
        pending = [entry for entry in pending if entry["Id"] in failed]
        if not pending:
            return
        pause(attempts)
    raise TryAgain("SQS did not take every message of a batch.")


def deliveries_of(answer: ReceiveMessageResultTypeDef) -> list[Delivery]:
    """The messages that a call has received."""
    return [
        Delivery(message["MessageId"], message["ReceiptHandle"], message["Body"])
        for message in answer.get("Messages", [])
    ]


def delete_deliveries(sqs: SQSClient, queue_url: str, deliveries: Sequence[Delivery]) -> None:
    """Take messages off the queue they came from. One that stays is delivered again, which changes nothing."""
    for some in chunked(deliveries, MESSAGES_A_CALL):
        sqs.delete_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": delivery.receipt_handle} for number, delivery in enumerate(some)
            ],
        )
