"""A function of the application as Lambda runs it for a queue, in a process that may be killed at any moment.

    python -m tests.e2e.workers.worker FUNCTION DESCRIPTOR QUEUES [--batch 100] [--repeat 20] [--lag 5]

It reads the function's queue at the endpoint QUEUES, runs the handler here, and takes off the queue what did not fail.
What failed comes back after a second, not after the visibility timeout. It tells of each batch over the descriptor. One
message in `--repeat` is put onto the queue a second time, as SQS may deliver it twice. Of slices of replays it is each.
With `--lag` it reads indexes that lag by so many seconds. SIGTERM ends it after the batch that it has begun.
"""

import argparse
import json
import re
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from chalicelib.core.pagination import chunked
from chalicelib.runtime import system
from embedded.poller import MESSAGES_A_RECEIVE, Source, failed_of, sources
from tests.e2e.workers.lagging_index import lag
from tests.e2e.workers.reports import Began, Ended, Over, Ready, Received, Report, Sent

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REPEATED = "Repeated"
"""The attribute of a message that says the same as another."""

_OF_NO_EVENT = "0" * 64
"""A task of a replay, of which each is repeated."""

WAIT_SECONDS = 1
RETURN_SECONDS = 1


@dataclass
class Transactions:
    """What became of the transactions that the application has written."""

    written: int = 0
    cancelled: int = 0

    def count(self) -> None:
        """Count from now on; botocore calls what is registered with each answer."""
        system.dynamodb().meta.events.register("after-call.dynamodb.TransactWriteItems", self._answered)

    def _answered(self, parsed: dict[str, Any], **_: Any) -> None:
        self.written += 1
        self.cancelled += "Error" in parsed


@dataclass(frozen=True)
class Telling:
    """What a worker tells, from any of its threads."""

    connection: Connection
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, report: Report) -> None:
        """Tell a thing, whole."""
        with self.lock:
            self.connection.send(report)

    def sent(self, parsed: dict[str, Any], **_: Any) -> None:
        """Tell of messages that SQS or EventBridge took; botocore calls what is registered with each answer."""
        taken = parsed.get("Successful") or [each for each in parsed.get("Entries", []) if "EventId" in each]
        self.send(Sent(len(taken)))


@dataclass(frozen=True)
class Worker:
    """One function and its queue."""

    source: Source
    sqs: "SQSClient"
    told: Telling
    batch: int
    repeat: int | None
    transactions: Transactions = field(default_factory=Transactions)

    def run(self, ending: threading.Event) -> None:
        """Work until asked to end."""
        self.transactions.count()
        system.sqs().meta.events.register("after-call.sqs.SendMessageBatch", self.told.sent)
        system.events().meta.events.register("after-call.events.PutEvents", self.told.sent)
        self.told.send(Ready())
        while not ending.is_set():
            messages = self._received()
            if messages:
                self._work(messages)

    def _received(self) -> list["MessageTypeDef"]:
        """As many messages as a batch may have; SQS gives out ten at once."""
        messages: list[MessageTypeDef] = []
        while len(messages) < self.batch:
            answer = self.sqs.receive_message(
                QueueUrl=self.source.queue_url,
                MaxNumberOfMessages=min(self.batch - len(messages), MESSAGES_A_RECEIVE),
                WaitTimeSeconds=0 if messages else WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=[REPEATED],
            )
            some = answer.get("Messages", [])
            if not some:
                break
            self.told.send(Received(tuple(message["ReceiptHandle"] for message in some)))
            messages += some
        return messages

    def _work(self, messages: Sequence["MessageTypeDef"]) -> None:
        written, cancelled = self.transactions.written, self.transactions.cancelled
        replay_id = json.loads(messages[0]["Body"]).get("replay_id")
        self.told.send(Began(len(messages), max(map(_receives, messages)), replay_id))
        repeated = self._repeat(messages)
        failures = failed_of(self.source, messages)
        self._delete([message["ReceiptHandle"] for message in messages if message["MessageId"] not in failures])
        self._return([message["ReceiptHandle"] for message in messages if message["MessageId"] in failures])
        now = self.transactions
        self.told.send(Ended(len(messages), len(failures), repeated, now.written - written, now.cancelled - cancelled))

    def _repeat(self, messages: Sequence["MessageTypeDef"]) -> int:
        """Send every n-th message again, those of the same events in every run."""
        if self.repeat is None:
            return 0
        new = (
            message
            for message in messages
            if _receives(message) == 1 and REPEATED not in message.get("MessageAttributes", {})
        )
        bodies = [message["Body"] for message in new if is_repeated(_event_id(message), self.repeat)]
        for some in chunked(bodies, MESSAGES_A_RECEIVE):
            self.sqs.send_message_batch(
                QueueUrl=self.source.queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": body,
                        "MessageAttributes": {REPEATED: {"DataType": "String", "StringValue": "yes"}},
                    }
                    for number, body in enumerate(some)
                ],
            )
        return len(bodies)

    # A batch may take longer than its messages are hidden: another worker has those then. The answers to calls for
    # several say so for each, where a call for one message would end this worker.
    def _delete(self, receipts: Sequence[str]) -> None:
        for some in chunked(receipts, MESSAGES_A_RECEIVE):
            self.sqs.delete_message_batch(
                QueueUrl=self.source.queue_url,
                Entries=[{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)],
            )

    def _return(self, receipts: Sequence[str]) -> None:
        for some in chunked(receipts, MESSAGES_A_RECEIVE):
            self.sqs.change_message_visibility_batch(
                QueueUrl=self.source.queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": RETURN_SECONDS}
                    for number, receipt in enumerate(some)
                ],
            )


def is_repeated(event_id: str, repeat: int) -> bool:
    """Whether an event's message is one of those that are sent twice."""
    return int(event_id[:12], 16) % repeat == 0


def _event_id(message: "MessageTypeDef") -> str:
    event_id: str = json.loads(message["Body"]).get("event_id", _OF_NO_EVENT)
    return event_id


def _receives(message: "MessageTypeDef") -> int:
    return int(message["Attributes"]["ApproximateReceiveCount"])


def _is_repeat(message: "MessageTypeDef") -> bool:
    return REPEATED in message.get("MessageAttributes", {})


def _most_resident() -> int:
    """The most memory of this process; what getrusage says includes that of the one that started it."""
    [kilobytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024


def main() -> None:
    """Work as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("function")
    parser.add_argument("descriptor", type=int)
    parser.add_argument("queues")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--lag", type=float, default=0)
    asked = parser.parse_args()
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    # Lambda reads queues by itself: that goes past whatever the application's own calls are led over.
    sqs: SQSClient = boto3.client("sqs", endpoint_url=asked.queues)
    [source] = [source for source in sources(sqs) if source.function == asked.function]
    if asked.lag:
        lag(system.dynamodb(), asked.lag)
    told = Telling(Connection(asked.descriptor, readable=False))
    worker = Worker(source, sqs, told, asked.batch, asked.repeat)
    worker.run(ending)
    told.send(Over(_most_resident()))


if __name__ == "__main__":
    main()
