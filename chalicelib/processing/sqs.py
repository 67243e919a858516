"""The queues in SQS that functions are called from, the dead-letter queue, and the way back to ReplayQueue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.sqs_batches import MESSAGES_A_CALL, delete_deliveries, deliveries_of, send_all, string_attributes
from chalicelib.core.ports import Delivery, Pause
from chalicelib.processing.dead_letters import DeadLetter
from chalicelib.replays.messages import ReplayMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


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
    """DeadLetterQueue. Its own attributes say to wait a second for messages: an empty answer means that it is empty."""

    sqs: SQSClient
    dead_letter_queue_url: str
    replay_queue_url: str
    pause: Pause

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

    def send_back(self, messages: Sequence[tuple[str, ReplayMessage]]) -> None:
        """Send messages to ReplayQueue again; returns when every one of them is there."""
        with translated("sending dead letters back"):
            entries = [_entry(number, body, message.attributes) for number, (body, message) in enumerate(messages)]
            send_all(self.sqs, self.replay_queue_url, entries, self.pause)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages off the queue for good."""
        with translated("taking dead letters off their queue"):
            delete_deliveries(self.sqs, self.dead_letter_queue_url, deliveries)


def _entry(number: int, body: str, attributes: Mapping[str, str]) -> SendMessageBatchRequestEntryTypeDef:
    return {"Id": str(number), "MessageBody": body, "MessageAttributes": string_attributes(attributes)}
