"""The calls to SQS: a queue's messages are received, kept invisible, made visible again and deleted."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import RetraceError
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Delivery
from chalicelib.replays.messages import ReplayMessage
from retrace.consumer.message import ConsumerError, Message

log = logging.getLogger("retrace.consumer")

MESSAGES_A_CALL = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

AWS_ERRORS = (BotoCoreError, ClientError)

_DEFAULT_VISIBILITY_S = 30
"""Of a queue whose own is 0: SQS's default."""

_THROTTLED = ("Throttl", "RequestThrottled", "TooManyRequests", "OverLimit", "KmsThrottled")


@dataclass(eq=False, slots=True)
class Held:
    """A delivery that this consumer has: invisible to others until a time of the monotonic clock, in seconds."""

    delivery: Delivery
    group: str
    """Its message group, or its own id if the queue has none."""
    attempt: int
    until: float
    sent: ReplayMessage | None = None
    """What its body says, if that can be read."""
    content: Message | RetraceError | None = None
    """What is handed over, or why nothing is."""


class Queue:
    """The queue of a destination. Threads share it."""

    def __init__(self, sqs: Any, url: str, visibility_s: int | None) -> None:
        """Read the queue's own attributes; raises ConsumerError if it is not there or may not be read."""
        self.sqs = sqs
        self.url = url
        try:
            names = ["VisibilityTimeout", "RedrivePolicy"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names).get("Attributes", {})
        except AWS_ERRORS as error:
            raise self.unusable(error) from error
        self.visibility_s = visibility_s or int(attributes["VisibilityTimeout"]) or _DEFAULT_VISIBILITY_S
        most = json.loads(attributes.get("RedrivePolicy", "{}")).get("maxReceiveCount")
        self.attempts = None if most is None else int(most)
        """After how many deliveries SQS moves a message to the dead letters."""

    def is_last(self, held: Held) -> bool:
        """Whether SQS delivers the message no more."""
        return self.attempts is not None and held.attempt >= self.attempts

    def receive(self, most: int, wait_s: int) -> list[Held]:
        """Wait for messages, and take at most so many; raises ConsumerError if AWS refuses, or what botocore raises."""
        try:
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=self.visibility_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
            )
        except ClientError as error:
            if _is_final(error):
                raise self.unusable(error) from error
            raise
        until = time.monotonic() + self.visibility_s  # from the answer on: the poll may have waited for long
        return [_held(found, until) for found in answer.get("Messages", [])]

    def extend(self, held: Sequence[Held]) -> list[tuple[Held, str]]:
        """Keep messages invisible; returns those that are not in flight any more, with what SQS says."""
        lost: list[tuple[Held, str]] = []
        for some in chunked(held, MESSAGES_A_CALL):
            asked = time.monotonic()
            failures = dict(self._change(some, self.visibility_s))
            for each in some:
                if each not in failures:
                    each.until = asked + self.visibility_s
            lost += failures.items()
        return lost

    def make_visible(self, held: Sequence[Held], after_s: int) -> None:
        """Give messages back, the last of a group first. What AWS does not take becomes visible by itself."""
        for some in chunked(held[::-1], MESSAGES_A_CALL):
            try:
                list(self._change(some, after_s))
            except AWS_ERRORS as error:
                log.info("Messages become visible again only after %d s: %s", self.visibility_s, error)

    def _change(self, some: Sequence[Held], seconds: int) -> Iterator[tuple[Held, str]]:
        entries = [_entry(number, each) | {"VisibilityTimeout": seconds} for number, each in enumerate(some)]
        answer = self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
        for failed in answer.get("Failed", []):
            if failed.get("SenderFault"):
                yield some[int(failed["Id"])], failed.get("Message") or failed["Code"]

    def delete(self, held: Sequence[Held]) -> list[Held]:
        """Delete messages, in order; returns those to delete again. One with an expired receipt comes again."""
        left: list[Held] = []
        for some in chunked(held, MESSAGES_A_CALL):
            try:
                entries = [_entry(number, each) for number, each in enumerate(some)]
                answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            except AWS_ERRORS as error:
                log.warning("%d messages are not deleted yet: %s", len(some), error)
                left += some
                continue
            for failed in answer.get("Failed", []):
                log.warning("Message %s is not deleted: %s", some[int(failed["Id"])].delivery.message_id, failed)
                left += [] if failed.get("SenderFault") else [some[int(failed["Id"])]]
        return left

    def unusable(self, error: Exception) -> ConsumerError:
        """What to say if AWS does not let this consumer use the queue."""
        remedy = "Check the destination, the region and the credentials, and attach the destination's ConsumerPolicy."
        return ConsumerError(f"The queue {self.url} cannot be used: {error} {remedy}")


def _held(found: Any, until: float) -> Held:
    attributes = found.get("Attributes", {})
    delivery = Delivery(found["MessageId"], found["ReceiptHandle"], found["Body"])
    group = attributes.get("MessageGroupId") or delivery.message_id
    return Held(delivery, group, int(attributes.get("ApproximateReceiveCount", 1)), until)


def _entry(number: int, held: Held) -> dict[str, Any]:
    return {"Id": str(number), "ReceiptHandle": held.delivery.receipt_handle}


def _is_final(error: ClientError) -> bool:
    """Whether a call need not be repeated: AWS refuses it, and not because there are too many."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", HTTPStatus.BAD_REQUEST)
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and not any(name in code for name in _THROTTLED)
