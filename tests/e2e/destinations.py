"""The destinations of a deployed stack: where they are, who may consume them, and what comes to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from chalicelib.core.pagination import chunked
from chalicelib.replays.destinations import queue_url
from embedded.admin import user_with
from embedded.connection import Stack
from embedded.deployment import STACK_NAME
from tests.e2e.deployed import Deployed
from tests.e2e.workers.stack import messages_on

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Json = dict[str, Any]


def arn_of(stack: Stack, destination: str) -> str:
    """Where a destination is."""
    arn: str = json.loads(stack.destinations)[destination]["arn"]
    return arn


def url_of(deployed: Deployed, destination: str) -> str:
    """The URL of a destination that is a queue."""
    return queue_url(deployed.admin.sqs.meta.endpoint_url, arn_of(deployed.stack, destination))


def consumer_of(deployed: Deployed, user: str, *outputs: str) -> Stack:
    """The stack as a user sees it who has the consumer policies of these outputs, such as Billing, and nothing else."""
    [found] = deployed.admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    arns = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
    policies = [arns[f"{output}ConsumerPolicyArn"] for output in outputs]
    key = user_with(deployed.admin, user, {}, policies)
    return replace(deployed.stack, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)


def queue_behind(deployed: Deployed, bus: str, pattern: Json, queue: str) -> str:
    """The URL of a queue, which a rule of this pattern on the bus sends to."""
    admin, name = deployed.admin, bus.rpartition("/")[2]
    events: Any = admin.session.client("events", endpoint_url=deployed.stack.aws_endpoint_url)
    url = admin.sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = admin.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=queue, EventBusName=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=queue, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def buses(deployed: Deployed) -> list[str]:
    """The name of every event bus of the account."""
    events: Any = deployed.admin.session.client("events", endpoint_url=deployed.stack.aws_endpoint_url)
    return [each["Name"] for each in events.list_event_buses()["EventBuses"]]


def waiting(deployed: Deployed) -> dict[str, int]:
    """How many messages each queue of the account has that has any, in flight or not, by its name."""
    urls = deployed.admin.sqs.list_queues()["QueueUrls"]
    counts = {url.rpartition("/")[2]: messages_on(deployed.admin, url) for url in urls}
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class Received:
    """A message of a replay that a queue gave out, for the n-th time."""

    message: Json
    receipt: str
    receives: int

    @property
    def event_id(self) -> str:
        """Which event it is of."""
        event_id: str = self.message["event_id"]
        return event_id


@dataclass
class Inbox:
    """A queue, and what came to it: each message of a replay, how often, and which came after later ones of its entity.

    A message that was received again because nobody deleted it came once.
    """

    sqs: SQSClient
    url: str
    opened: Callable[[Json], Json] = lambda body: body
    came: Counter[tuple[str, str]] = field(default_factory=Counter)
    too_late: list[Json] = field(default_factory=list)
    _newest: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _noting: Lock = field(default_factory=Lock)

    def receive(self, most: int = 10) -> list[Received]:
        """At most so many messages."""
        found: list[MessageTypeDef] = []
        while len(found) < most:
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(10, most - len(found)),
                WaitTimeSeconds=0 if found else 1,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
            some = answer.get("Messages", [])
            if not some:
                break
            found += some
        received = [self._received(each) for each in found]
        with self._noting:
            for each in received:
                if each.receives == 1:
                    self._note(each.message)
        return received

    def _received(self, found: MessageTypeDef) -> Received:
        message = self.opened(json.loads(found["Body"]))
        return Received(message, found["ReceiptHandle"], int(found["Attributes"]["ApproximateReceiveCount"]))

    def _note(self, message: Json) -> None:
        self.came[message["replay_id"], message["event_id"]] += 1
        of_entity = message["replay_id"], message["entity_id"]
        now = message["event_time"], message["event_id"]
        if now < self._newest.get(of_entity, now):
            self.too_late.append(message)
        self._newest[of_entity] = max(now, self._newest.get(of_entity, now))

    def delete(self, received: Iterable[Received]) -> None:
        """Take messages off the queue."""
        for some in chunked([each.receipt for each in received], 10):
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=_entries(some))

    def give_back(self, received: Iterable[Received]) -> None:
        """Make messages visible again, as the end of their visibility timeout does."""
        for some in chunked([each.receipt for each in received], 10):
            entries: list[Any] = [{**each, "VisibilityTimeout": 0} for each in _entries(some)]
            self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    @property
    def doubles(self) -> int:
        """How many messages came that said the same as one before."""
        return self.came.total() - len(self.came)


def _entries(receipts: Sequence[str]) -> list[Any]:
    return [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
