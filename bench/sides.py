"""The two kinds of side that are compared on one embedded AWS: Retrace, and a peer. Each does the same work."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from bench.clients import JSON
from bench.orders import DAY, SOURCE
from bench.peers.deployment import Deployed
from chalicelib.aws import keys
from embedded.admin import Admin
from embedded.api import Api
from embedded.connection import Stack
from embedded.deployment import STACK_NAME

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

PATIENCE_S = 120.0
LOOK_S = 0.02
CONNECTIONS = 32

IN_FLIGHT: Final[Sequence[QueueAttributeNameType]] = ("ApproximateNumberOfMessagesNotVisible",)
IN_ALL: Final[Sequence[QueueAttributeNameType]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    *IN_FLIGHT,
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Side(ABC):
    """A deployed application, called through its API, and looked at past it."""

    name: str
    functions: str
    """How the names of its functions begin."""

    takes_in: str
    """How the name of the one that takes events in begins."""

    stack: Stack
    admin: Admin
    api: Api
    queue_url: str
    events_table: str
    dedupe_table: str
    counts_table: str
    bucket: str

    @abstractmethod
    def replay(self, event_type: str) -> str:
        """Ask for a replay of the events of a type, and return how it is known."""

    @abstractmethod
    def counted(self, replay_id: str) -> int:
        """How many events its aggregates count, once a replay is over; before that none, or what there was before."""

    @abstractmethod
    def partition(self, entity_id: str) -> str:
        """The key that the rows of an entity have."""

    @property
    def rows(self) -> int:
        """How many events are indexed."""
        return count(self.admin, self.events_table)

    @property
    def identities(self) -> int:
        """How many identities are known."""
        return count(self.admin, self.dedupe_table)

    @property
    @abstractmethod
    def stored(self) -> int:
        """How many events are in raw objects."""

    def page(self, entity_id: str, limit: int) -> int:
        """Ask for a page of an entity's events, and return how many there were."""
        return len(self.call("GET", "/events", entity_id=entity_id, limit=str(limit))["items"])

    @property
    def processor(self) -> str:
        """The name of the function that reads its queue."""
        pages = self.admin.functions.get_paginator("list_functions").paginate()
        names = (each["FunctionName"] for page in pages for each in page["Functions"])
        return next(name for name in names if name.startswith(f"{self.functions}Processor"))

    @property
    def waiting(self) -> int:
        """How many messages are on its queue, those in flight included."""
        return messages_on(self.admin.sqs, self.queue_url)

    @property
    def taken(self) -> int:
        """How many messages its processor has taken off its queue and not deleted yet."""
        return messages_on(self.admin.sqs, self.queue_url, IN_FLIGHT)

    def listen(self, *, enabled: bool) -> None:
        """Let its processor read its queue, or leave the queue alone."""
        for mapping in self.admin.functions.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["EventSourceArn"].rpartition(":")[2] == self.queue_url.rpartition("/")[2]:
                self.admin.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def call(self, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """Call the API."""
        sent = json.dumps(body).encode() if body is not None else b""
        answer = self.api.call(method, path, query=query, body=sent, headers=JSON if sent else {})
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {answer.data[:300]!r}")
        answered: Json = json.loads(answer.data)
        return answered


class Retrace(Side):
    """Retrace."""

    def replay(self, event_type: str) -> str:
        """Ask for a job, which a planner works off."""
        replay_id: str = self.call("POST", "/replay", _wanted(event_type))["replay_id"]
        return replay_id

    def counted(self, replay_id: str) -> int:
        """The sum of its version's values."""
        job = self.call("GET", f"/replay/{replay_id}")
        if (job["state"], job["failed"]) != ("COMPLETE", 0):
            return 0
        rows = items(self.admin, self.counts_table)
        return sum(int(row["value"]["N"]) for row in rows if row["SK"]["S"].endswith(f"VER#{replay_id}"))

    def partition(self, entity_id: str) -> str:
        """As the index has it."""
        return keys.entity(entity_id)

    @property
    def stored(self) -> int:
        """The lines of its raw objects."""
        return sum(body.count(b"\n") for body in objects(self.admin, self.bucket))


class Peer(Side):
    """A peer."""

    def replay(self, event_type: str) -> str:
        """Have all messages sent within the request."""
        self.call("POST", "/replay", _wanted(event_type))
        return ""

    def counted(self, replay_id: str) -> int:  # noqa: ARG002  # its counts know of no replays
        """The sum of all counters."""
        return sum(int(row["events"]["N"]) for row in items(self.admin, self.counts_table))

    def partition(self, entity_id: str) -> str:
        """The entity itself."""
        return entity_id

    @property
    def stored(self) -> int:
        """The number of its raw objects."""
        return sum(1 for _ in objects(self.admin, self.bucket))


def retrace(stack: Stack, admin: Admin) -> Retrace:
    """Retrace as a side."""
    tables = (stack.events_table, stack.dedupe_table, stack.aggregates_table)
    names = (f"{STACK_NAME}-", f"{STACK_NAME}-IngestHandler")
    return Retrace("Retrace", *names, stack, admin, _api(stack), stack.replay_queue_url, *tables, stack.raw_bucket)


def peer(name: str, stack: Stack, admin: Admin, deployed: Deployed) -> Peer:
    """A deployed peer as a side, called by the same user."""
    theirs = replace(stack, api_url=deployed.api_url)
    tables = (deployed.events_table, deployed.dedupe_table, deployed.counts_table)
    names = (f"{deployed.stack}-", f"{deployed.stack}-ApiFunction")
    return Peer(name, *names, theirs, admin, _api(theirs), deployed.queue_url, *tables, deployed.bucket)


def until(condition: Callable[[], bool], what: str) -> float:
    """Wait until something holds, and return for how long that was."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() > begun + PATIENCE_S:
            raise RuntimeError(f"Waited {PATIENCE_S:.0f} seconds in vain until {what}.")
        time.sleep(LOOK_S)
    return time.perf_counter() - begun


def messages_on(sqs: SQSClient, queue_url: str, counts: Sequence[QueueAttributeNameType] = IN_ALL) -> int:
    """How many messages are on a queue."""
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    return sum(int(attributes[name]) for name in counts)


def count(admin: Admin, table: str) -> int:
    """How many rows a table has."""
    pages = admin.dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(page["Count"] for page in pages)


def items(admin: Admin, table: str) -> Iterator[Json]:
    """The rows of a table."""
    for page in admin.dynamodb.get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def objects(admin: Admin, bucket: str) -> Iterator[bytes]:
    """The content of all raw objects."""
    for page in admin.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="raw/"):
        for found in page.get("Contents", []):
            yield admin.s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def _api(stack: Stack) -> Api:
    return Api(stack, connections=CONNECTIONS, timeout=PATIENCE_S)


def _wanted(event_type: str) -> Json:
    return {"source": SOURCE, "event_type": event_type, "day": DAY}
