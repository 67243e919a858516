"""DigestQueue in SQS: S3's notifications of objects that were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.sqs_batches import MESSAGES_A_CALL, delete_deliveries, deliveries_of
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Concurrently, Delivery

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_RECEIVES_AT_ONCE = 8


@dataclass(frozen=True)
class SqsNotifications:
    """DigestQueue. Its own attributes say to wait a second for messages, and how long they stay hidden."""

    sqs: SQSClient
    queue_url: str
    concurrently: Concurrently

    def receive(self) -> list[Delivery]:
        """At most eighty messages; empty only if all messages are hidden or deleted."""
        with translated("receiving notifications"):
            received = self.concurrently(lambda _: self._receive(), range(_RECEIVES_AT_ONCE))
        return [delivery for some in received for delivery in some]

    def _receive(self) -> list[Delivery]:
        return deliveries_of(self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=MESSAGES_A_CALL))

    def hidden(self) -> int:
        """How many messages are in flight, as far as SQS knows at the moment."""
        with translated("counting notifications"):
            answer = self.sqs.get_queue_attributes(
                QueueUrl=self.queue_url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"])

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages off the queue for good. One that stays is listed once more, which says nothing else."""
        with translated("forgetting notifications"):
            self.concurrently(
                lambda some: delete_deliveries(self.sqs, self.queue_url, some),
                list(chunked(deliveries, MESSAGES_A_CALL)),
            )
