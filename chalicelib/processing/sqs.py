"""The queues in SQS that functions are called from, dead-letter queues, and the way back from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.sqs_batches import MESSAGES_A_CALL, delete_deliveries, deliveries_of, send_all, string_attributes
from chalicelib.core.pagination import chunked
from chalicelib.core.percent_encoding import entity_digest
from chalicelib.core.ports import Delivery, Pause
from chalicelib.processing.dead_letters import DeadLetter
from chalicelib.replays.messages import ReplayMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )


@dataclass(frozen=True)
class SqsDeliveryQueue:
    """ReplayQueue, or the queue of messages that were received too often."""

    sqs: SQSClient
    queue_url: str

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries off the queue. One that stays is delivered again, which changes nothing."""
        with translated("acknowledging messages"):
            delete_deliveries(self.sqs, self.queue_url, deliveries)


@dataclass(frozen=True)
class SqsDeadLetterQueue:
    """DeadLetterQueue, or that of a consumer: a FIFO queue if `ordered`.

    Its own attributes say to wait a second for messages: an empty answer means that it is empty.
    """

    sqs: SQSClient
    dead_letter_queue_url: str
    back_to_url: str
    pause: Pause
    ordered: bool = False

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Put messages on the queue, each with its reason; returns when every one of them is there."""
        with translated("keeping dead letters"):
            entries = [_entry(number, letter.body, letter.attributes) for number, letter in enumerate(letters)]
            send_all(self.sqs, self.dead_letter_queue_url, entries, self.pause)

    def receive(self, hidden_s: int) -> list[Delivery]:
        """At most ten messages, hidden from all receivers for this long. None only if none is visible.

        SQS gives out nothing either while 120,000 messages are hidden:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
        """
        with translated("receiving dead letters"):
            answer = self.sqs.receive_message(
                QueueUrl=self.dead_letter_queue_url, MaxNumberOfMessages=MESSAGES_A_CALL, VisibilityTimeout=hidden_s
            )
        return deliveries_of(answer)

    def show(self, deliveries: Sequence[Delivery]) -> None:
        """Let messages be received again at once, the last ones first. SQS may leave some hidden for their time."""
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": each.receipt_handle, "VisibilityTimeout": 0}
            for number, each in enumerate(reversed(deliveries))
        ]
        if entries:
            with translated("showing dead letters"):
                self.sqs.change_message_visibility_batch(QueueUrl=self.dead_letter_queue_url, Entries=entries)

    def send_back(self, messages: Sequence[tuple[Delivery, ReplayMessage]]) -> None:
        """Send messages to the queue again that they came from; returns when every one of them is there.

        SQS may take some messages of a call and not others, so each ordered one has a call of its own.
        """
        entries = [self._back(number, *each) for number, each in enumerate(messages)]
        with translated("sending dead letters back"):
            for some in chunked(entries, 1) if self.ordered else [entries]:
                send_all(self.sqs, self.back_to_url, some, self.pause)

    def _back(self, number: int, delivery: Delivery, message: ReplayMessage) -> SendMessageBatchRequestEntryTypeDef:
        """A message as it was sent, but not as a repetition: SQS would leave it out if it was sent just before."""
        entry = _entry(number, delivery.body, message.attributes)
        if not self.ordered:
            return entry
        group, repetition = entity_digest(message.entity_id), sha256(f"{delivery.message_id}{delivery.body}".encode())
        return {**entry, "MessageGroupId": group, "MessageDeduplicationId": repetition.hexdigest()}

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages off the queue for good."""
        with translated("taking dead letters off their queue"):
            delete_deliveries(self.sqs, self.dead_letter_queue_url, deliveries)


def _entry(number: int, body: str, attributes: Mapping[str, str]) -> SendMessageBatchRequestEntryTypeDef:
    return {"Id": str(number), "MessageBody": body, "MessageAttributes": string_attributes(attributes)}
