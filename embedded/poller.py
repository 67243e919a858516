"""What Lambda does for queues: receive messages, invoke the handler that the code names, delete or return them.

    python -m embedded.poller

Chalice's local mode serves HTTP only. This runs beside it in the same environment, as a process of its own that is
restarted when the code changes. On SIGTERM it finishes the batches that it has begun.

As with Lambda: a handler gets at most as many messages as it asks for; those it names in a partial batch response, or
all of them if it raises, are delivered again, until the queue has delivered them often enough and gives them to its
dead-letter queue. Unlike Lambda: a batch is no more than SQS hands out at once, messages come back after seconds, not
after the visibility timeout, one batch of a queue is handled at a time, and no handler is stopped when its time is up.
"""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from chalice.app import SQSEventConfig
from chalice.cli.factory import CLIFactory
from chalice.local import LambdaContext

from chalicelib.replays.destinations import TO_AGGREGATES, destinations_in
from chalicelib.runtime.event_sources import queue_name
from chalicelib.runtime.settings import settings_from
from embedded.layout import ROOT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

CHALICE_STAGE = "local"
"""A stage that .chalice/config.json says nothing of: names recorded there for a deployment are not for here."""

DEPLOYED_STAGE = "dev"
"""The stage whose timeouts the functions have."""

RECEIVE_SECONDS = 1
MESSAGES_A_RECEIVE = 10
RETURN_SECONDS = 5


@dataclass(frozen=True)
class Source:
    """A queue and the function that its messages go to."""

    function: str
    handler: Callable[[dict[str, Any], LambdaContext], Any]
    queue_url: str
    batch_size: int
    timeout_ms: int

    def invoke(self, messages: Sequence["MessageTypeDef"]) -> Any:
        """Return what the function answers to a batch."""
        event = {"Records": [self._record(message) for message in messages]}
        return self.handler(event, LambdaContext(self.function, 1024, self.timeout_ms))

    def _record(self, message: "MessageTypeDef") -> dict[str, Any]:
        account, name = self.queue_url.rsplit("/", 2)[1:]
        region = os.environ["AWS_DEFAULT_REGION"]
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "md5OfBody": message["MD5OfBody"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{region}:{account}:{name}",
            "awsRegion": region,
        }


def failed(response: Any, message_ids: Sequence[str]) -> set[str]:
    """Return the messages that failed, as Lambda reads a response: if it makes no sense, all of them did."""
    everything = set(message_ids)
    match response:
        case None | {"batchItemFailures": None}:
            return set()
        case {"batchItemFailures": [*failures]}:
            named = {failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures}
            return everything & named if named <= everything else everything
        case dict() if "batchItemFailures" not in response:
            return set()
        case _:
            return everything


def poll_once(source: Source, sqs: "SQSClient") -> None:
    """Receive a batch, if there is one, and see it through."""
    answer = sqs.receive_message(
        QueueUrl=source.queue_url,
        MaxNumberOfMessages=min(source.batch_size, MESSAGES_A_RECEIVE),
        WaitTimeSeconds=RECEIVE_SECONDS,
        MessageSystemAttributeNames=["All"],
    )
    messages = answer.get("Messages", [])
    returned = failed_of(source, messages) if messages else set()
    for message in messages:
        url, receipt = source.queue_url, message["ReceiptHandle"]
        if message["MessageId"] in returned:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=RETURN_SECONDS)
        else:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)


def failed_of(source: Source, messages: Sequence["MessageTypeDef"]) -> set[str]:
    """Invoke the function of a queue, and return the ids of the messages that come back."""
    message_ids = [message["MessageId"] for message in messages]
    try:
        return failed(source.invoke(messages), message_ids)
    except Exception:  # noqa: BLE001  # as with Lambda: whatever the function raises, its messages come back
        traceback.print_exc()
        return set(message_ids)


def sources(sqs: "SQSClient") -> list[Source]:
    """Return the queues that the application of the checkout listens to; ReplayQueue only where the processor does."""
    factory = CLIFactory(str(ROOT), environ=os.environ)
    config = factory.create_config_obj(chalice_stage_name=CHALICE_STAGE)
    app = config.chalice_app
    declared = destinations_in(settings_from(os.environ).named("destinations"))
    unread = set() if TO_AGGREGATES in declared.arns else {queue_name(os.environ, "replay")}
    return [
        Source(
            function=listener.name,
            handler=app.handler_map[listener.name],
            queue_url=sqs.get_queue_url(QueueName=listener.queue)["QueueUrl"],
            batch_size=listener.batch_size,
            timeout_ms=(config.scope(DEPLOYED_STAGE, listener.name).lambda_timeout or 60) * 1000,
        )
        for listener in app.event_sources
        if isinstance(listener, SQSEventConfig) and listener.queue is not None and listener.queue not in unread
    ]


def main() -> None:
    """Poll every queue until asked to end."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    sqs: SQSClient = boto3.client("sqs")

    def poll(source: Source) -> None:
        while not ending.is_set():
            poll_once(source, sqs)

    listening = sources(sqs)
    with ThreadPoolExecutor(len(listening)) as threads:
        polls = [threads.submit(poll, source) for source in listening]
        wait(polls, return_when=FIRST_EXCEPTION)
        ending.set()
    for one in polls:
        one.result()


if __name__ == "__main__":
    main()
