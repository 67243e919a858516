"""Queues of replays in SQS: ReplayJobsQueue, and the destinations that are queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.sqs_batches import MESSAGES_A_CALL, send_entries, string_attributes
from chalicelib.core.errors import DestinationRefused
from chalicelib.core.pagination import chunked
from chalicelib.core.percent_encoding import entity_digest
from chalicelib.core.ports import Concurrently, Pause
from chalicelib.replays.messages import ReplayMessage, ordered_calls, side_by_side
from chalicelib.replays.tasks import ReplayTask

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


UNLESS_PLANNED_S = 60
"""Longer than the function lives that keeps a job."""


@dataclass(frozen=True)
class SqsReplayQueues:
    """The queue that planners are called from, and that of tasks laid aside."""

    sqs: SQSClient
    jobs_queue_url: str
    halted_jobs_queue_url: str

    def plan(self, replay_id: str, delay_s: int = 0) -> None:
        """Ask for (the next slice of) a job to be planned."""
        with translated("queueing a replay job"):
            body = ReplayTask(replay_id, waited_s=delay_s).body
            self.sqs.send_message(QueueUrl=self.jobs_queue_url, MessageBody=body, DelaySeconds=delay_s)

    def plan_unless_planned(self, replay_id: str) -> None:
        """Ask for a job to be planned in a minute, if there is one then and no planner has had it."""
        with translated("queueing a replay job"):
            body = ReplayTask(replay_id, unless_planned=True, waited_s=UNLESS_PLANNED_S).body
            self.sqs.send_message(QueueUrl=self.jobs_queue_url, MessageBody=body, DelaySeconds=UNLESS_PLANNED_S)

    def redrive(self, task: ReplayTask, delay_s: int = 0) -> None:
        """Ask for (the next slice of) a job's dead letters to be moved back."""
        with translated("queueing a redrive"):
            self.sqs.send_message(QueueUrl=self.jobs_queue_url, MessageBody=task.body, DelaySeconds=delay_s)

    def lay_aside(self, task: ReplayTask) -> None:
        """Set a task aside until an operator has looked at it."""
        with translated("setting a replay job aside"):
            self.sqs.send_message(QueueUrl=self.halted_jobs_queue_url, MessageBody=task.body)


@dataclass(frozen=True)
class SqsDestination:
    """A queue that replayed events go to: a FIFO queue if `ordered`."""

    sqs: SQSClient
    queue_url: str
    pause: Pause
    concurrently: Concurrently
    name: str
    ordered: bool
    messages_a_batch: int
    max_in_flight: int | None = None
    rate: float | None = None

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        """Send messages in tens; returns when every one of them is on the queue.

        SQS may take some messages of a call and not others. So no call has two ordered messages of one entity: the
        later one could be taken first.
        """
        with translated(f"sending replay messages to {self.name}", DestinationRefused):
            for calls in side_by_side(ordered_calls(messages, MESSAGES_A_CALL)) if self.ordered else [_tens(messages)]:
                self.concurrently(self._send, calls)

    def _send(self, messages: Sequence[ReplayMessage]) -> None:
        entry_of = _ordered_entry if self.ordered else _entry
        entries = [entry_of(str(number), message) for number, message in enumerate(messages)]
        send_entries(self.sqs, self.queue_url, entries, self.pause)


def _tens(messages: Sequence[ReplayMessage]) -> list[Sequence[ReplayMessage]]:
    return list(chunked(messages, MESSAGES_A_CALL))


def _entry(entry_id: str, message: ReplayMessage) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": entry_id,
        "MessageBody": message.body,
        "MessageAttributes": string_attributes(message.attributes),
    }


def _ordered_entry(entry_id: str, message: ReplayMessage) -> SendMessageBatchRequestEntryTypeDef:
    """Grouped by entity; hashed, as a group's name is shorter and plainer than an entity's may be.

    What says the same is the same message: sent again within five minutes, after a crash, SQS leaves it out.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    return {
        **_entry(entry_id, message),
        "MessageGroupId": entity_digest(message.entity_id),
        "MessageDeduplicationId": sha256(message.body.encode()).hexdigest(),
    }
