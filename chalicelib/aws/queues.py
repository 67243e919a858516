"""ReplayJobsQueue and ReplayQueue in SQS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.seam import translated
from chalicelib.domain.chunks import chunked
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.messages import Delivery, ReplayMessage
from chalicelib.domain.ports import Concurrently, Pause

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_MESSAGES_A_SEND = 10
_ATTEMPTS = 5


@dataclass(frozen=True)
class SqsReplayQueues:
    """The queue that planners are called from, and the queue that replayed events go to."""

    sqs: SQSClient
    jobs_queue_url: str
    replay_queue_url: str
    pause: Pause
    concurrently: Concurrently

    def plan(self, replay_id: str) -> None:
        """Ask for (the next slice of) a job to be planned."""
        with translated("queueing a replay job"):
            self.sqs.send_message(QueueUrl=self.jobs_queue_url, MessageBody=json.dumps({"replay_id": replay_id}))

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        """Send messages in tens; returns when every one of them is on the queue."""
        with translated("sending replay messages"):
            self.concurrently(self._send_together, chunked(messages, _MESSAGES_A_SEND))

    def _send_together(self, messages: Sequence[ReplayMessage]) -> None:
        pending: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": message.model_dump_json()} for number, message in enumerate(messages)
        ]
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self.sqs.send_message_batch(QueueUrl=self.replay_queue_url, Entries=pending)
            failed = {failure["Id"] for failure in answer.get("Failed", [])}
            pending = [entry for entry in pending if entry["Id"] in failed]
            if not pending:
                return
            self.pause(attempt)
        raise TryAgain("SQS did not take every message of a batch.")

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take processed messages off ReplayQueue. One that stays is delivered again, which changes nothing."""
        with translated("acknowledging messages"):
            for some in chunked(deliveries, _MESSAGES_A_SEND):
                self.sqs.delete_message_batch(
                    QueueUrl=self.replay_queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": delivery.receipt_handle}
                        for number, delivery in enumerate(some)
                    ],
                )
