"""What is compared on one embedded AWS: Retrace and its peers, called through their APIs and looked at past them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import urllib3

from bench.orders import DAY, SOURCE, Json
from bench.peers import deployment
from bench.rounds import Load, timed
from embedded.admin import Admin, Administrator
from embedded.client import Api
from embedded.connection import Stack
from embedded.stack import started

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

CALL_MS = 5
"""How far away AWS is for a while: less than any of what `bench.assumptions` takes calls on AWS to need."""

PATIENCE_S = 120.0
LOOK_S = 0.02
CONNECTIONS = 32
JSON = {"Content-Type": "application/json"}
IN_FLIGHT: Final[Sequence[QueueAttributeNameType]] = ("ApproximateNumberOfMessagesNotVisible",)
WAITING: Final[Sequence[QueueAttributeNameType]] = ("ApproximateNumberOfMessages", *IN_FLIGHT)


@dataclass(frozen=True)
class Contender:
    """A deployed application, called through its API: a peer, unless it is Retrace."""

    name: str
    admin: Admin
    api: Api
    queue_url: str
    events_table: str
    dedupe_table: str
    counts_table: str
    bucket: str

    def replay(self, event_type: str) -> str:
        """Ask for a replay of the events of a type, and return how it is known; a peer has sent them by then."""
        asked = {"source": SOURCE, "event_type": event_type, "day": DAY}
        return str(self.call("POST", "/replay", asked).get("replay_id", ""))

    def counted(self, replay_id: str) -> int:  # noqa: ARG002  # the counts of a peer know of no replays
        """How many events its aggregates count, once a replay is over; before that none, or what there was before."""
        return sum(int(row["events"]["N"]) for row in self.rows(self.counts_table))

    @property
    def stored(self) -> int:
        """How many events are in raw objects: lines, or in those of a peer one without an end."""
        return sum(max(1, body.count(b"\n")) for body in self._objects())

    def take_in(self, bodies: Sequence[bytes], events_a_body: int, clients: int) -> Load:
        """Have all bodies sent to POST /ingest; raises unless each event of them is taken as new."""

        def send(body: bytes) -> None:
            answer = self.api.call("POST", "/ingest", query={"results": "all"}, body=body, headers=JSON)
            accepted = answer.data.count(b'ACCEPTED"')
            if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED} or accepted != events_a_body:
                raise RuntimeError(f"{self.name} answered {answer.status}: {answer.data[:300]!r}")

        return timed(send, bodies, events_a_body, clients)

    def call(self, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """Call the API."""
        sent = json.dumps(body).encode() if body is not None else b""
        answer = self.api.call(method, path, query=query, body=sent, headers=JSON if sent else {})
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {answer.data[:300]!r}")
        answered: Json = json.loads(answer.data)
        return answered

    @cached_property
    def listener(self) -> EventSourceMappingConfigurationTypeDef:
        """What has its processor read its queue."""
        found = self.admin.functions.list_event_source_mappings()["EventSourceMappings"]
        queue = self.queue_url.rpartition("/")[2]
        return next(each for each in found if each["EventSourceArn"].rpartition(":")[2] == queue)

    def listen(self, *, enabled: bool) -> None:
        """Let its processor read its queue, or leave the queue alone."""
        self.admin.functions.update_event_source_mapping(UUID=self.listener["UUID"], Enabled=enabled)

    def messages(self, counts: Sequence[QueueAttributeNameType] = WAITING) -> int:
        """How many messages are on its queue, those that its processor has taken and not deleted included."""
        found = self.admin.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])["Attributes"]
        return sum(int(found[name]) for name in counts)

    def index_rows(self) -> Iterator[Json]:
        """The rows of its index of events; Retrace's table holds other rows as well."""
        return (row for row in self.rows(self.events_table) if "event_id" in row)

    def rows(self, table: str) -> Iterator[Json]:
        """The rows of a table."""
        for page in self.admin.dynamodb.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]

    def _objects(self) -> Iterator[bytes]:
        """The content of all raw objects."""
        for page in self.admin.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="raw/"):
            for found in page.get("Contents", []):
                yield self.admin.s3.get_object(Bucket=self.bucket, Key=found["Key"])["Body"].read()


class Retrace(Contender):
    """Retrace."""

    def counted(self, replay_id: str) -> int:
        """How many events its versions count."""
        job = self.call("GET", f"/replay/{replay_id}")
        if (job["state"], job["failed"]) != ("COMPLETE", 0):
            return 0
        rows = self.rows(self.counts_table)
        return sum(int(row["event_count"]["N"]) for row in rows if row["SK"]["S"].endswith(f"VER#{replay_id}"))


@contextmanager
def deployed() -> Iterator[tuple[Stack, Sequence[Contender]]]:
    """Yield Retrace, the plain design and the one of Powertools, on one emulator."""
    with started() as stack:
        admin = Admin.of(stack)
        tables = (stack.events_table, stack.dedupe_table, stack.aggregates_table, stack.raw_bucket)
        retrace = Retrace("Retrace", admin, _api(stack), stack.replay_queue_url, *tables)
        yield stack, (retrace, _peer("plain", stack, admin), _peer("Powertools", stack, admin))


def _peer(name: str, stack: Stack, admin: Admin) -> Contender:
    """A deployed peer, called by the same user."""
    made = deployment.deploy(admin, name.lower())
    api = _api(replace(stack, api_url=f"{stack.aws_endpoint_url}/_aws/execute-api/{made['Api']}/api"))
    tables = (made[output] for output in ("EventsTable", "DedupeTable", "CountsTable", "Bucket"))
    return Contender(name, admin, api, made["Queue"], *tables)


def _api(stack: Stack) -> Api:
    return Api(stack, connections=CONNECTIONS, timeout=PATIENCE_S)


@contextmanager
def far_away(stack: Stack) -> Iterator[None]:
    """Let all calls of functions to DynamoDB, S3 and SQS wait for a while, as a network does."""
    _delay(stack, CALL_MS)
    try:
        yield
    finally:
        _delay(stack, 0)


def _delay(stack: Stack, ms: int) -> None:
    headers = Administrator.load(Path(stack.administrator_file)).control_headers
    url = f"{stack.aws_endpoint_url}/_emulator/delay?ms={ms}"
    answer = urllib3.request("PUT", url, headers=headers, timeout=60)
    if answer.status != HTTPStatus.NO_CONTENT:
        raise RuntimeError(f"The emulator does not let calls wait: {answer.status} {answer.data!r}")


def until(condition: Callable[[], bool], what: str) -> float:
    """Wait until something holds, and return for how long that was."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() > begun + PATIENCE_S:
            raise RuntimeError(f"Waited {PATIENCE_S:.0f} seconds in vain until {what}.")
        time.sleep(LOOK_S)
    return time.perf_counter() - begun
