"""An AWS within this process, with Retrace's bucket, tables and queue, and a meter on every call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

from bench.meter import Meter
from bench.tables_in_memory import TableInMemory, TablesInMemory
from chalicelib.aws.aggregate_store import DynamoAggregateStore
from chalicelib.aws.event_index import DynamoEventIndex
from chalicelib.aws.identities import DynamoIdentities
from chalicelib.aws.quarantine import S3Quarantine
from chalicelib.aws.queues import SqsReplayQueues
from chalicelib.aws.raw_store import S3RawStore
from chalicelib.aws.replay_states import DynamoReplayStates
from chalicelib.aws.replay_store import DynamoReplayStore
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.domain.timestamps import Instant
from chalicelib.ingest import Ingest
from infra.merge import RESOURCES, load

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
BUCKET = "retrace-dev-raw"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/retrace-dev-replay"
EVENTS, DEDUPE, REPLAYS, AGGREGATES = TABLES = ("EventsTable", "DedupeTable", "ReplaysTable", "AggregatesTable")
SHARDS = 4
NEVER_LATE = 1 << 40
NOW = Instant("2026-11-22T09:30:00.123456789Z")

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Cloud:
    """The adapters of an AWS that holds nothing yet. `meter` counts what they ask for."""

    s3: S3Client
    dynamodb: DynamoDBClient
    sqs: SQSClient
    meter: Meter

    @property
    def raw(self) -> S3RawStore:
        """The raw bucket."""
        return S3RawStore(WriteOnceBucket(self.s3, BUCKET, never_wait))

    @property
    def index(self) -> DynamoEventIndex:
        """The index of events."""
        return DynamoEventIndex(self.dynamodb, EVENTS, never_wait, one_by_one)

    @property
    def replays(self) -> DynamoReplayStore:
        """Replay jobs."""
        return DynamoReplayStore(self.dynamodb, REPLAYS, never_wait)

    @property
    def states(self) -> DynamoReplayStates:
        """How far replays are."""
        return DynamoReplayStates(self.dynamodb, REPLAYS, never_wait)

    @property
    def aggregates(self) -> DynamoAggregateStore:
        """The ledger."""
        return DynamoAggregateStore(self.dynamodb, AGGREGATES, REPLAYS, never_wait)

    @property
    def identities(self) -> DynamoIdentities:
        """Who was first."""
        return DynamoIdentities(
            self.dynamodb, DEDUPE, EVENTS, SHARDS, NEVER_LATE, None, pause=never_wait, concurrently=one_by_one
        )

    @property
    def ingest(self) -> Ingest:
        """What takes events in."""
        quarantine = S3Quarantine(WriteOnceBucket(self.s3, BUCKET, never_wait))
        return Ingest(self.raw, self.identities, self.index, quarantine, lambda: NOW, one_by_one)

    @property
    def queues(self) -> SqsReplayQueues:
        """The queues of replays, all of them one."""
        return SqsReplayQueues(self.sqs, QUEUE, QUEUE, QUEUE, QUEUE, never_wait, one_by_one)

    def keep_in_memory(self, *names: str) -> Mapping[str, TableInMemory]:
        """Keep some of its tables outside of moto, empty ones."""
        tables = {name: TableInMemory(_keys(name)) for name in names}
        TablesInMemory(tables).attach(self.dynamodb)
        return tables

    def measure(self) -> Meter:
        """Count from now on."""
        for client in (self.s3, self.dynamodb, self.sqs):
            self.meter.attach(client)
        return self.meter


def one_by_one(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Calls counted are the same, whether made at once or one after the other."""
    return list(map(function, items))


def never_wait(_: float) -> None:
    """Nothing is contended here."""


@contextmanager
def aws_in_process() -> Iterator[boto3.session.Session]:
    """Yield a session of an AWS within this process, whichever other one the environment names."""
    with (
        mock_aws(config={"core": {"reset_boto3_session": False}}),
        environment({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}),
    ):
        yield _own_session()


@lru_cache(maxsize=1)
def _own_session() -> boto3.session.Session:
    """A session that others who emulate AWS in this process do not find; it reads the services' models once."""
    return boto3.session.Session(region_name=REGION)


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables, and put all of them back as they were."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def emulated() -> Iterator[Cloud]:
    """An AWS that is gone afterwards. The meter is attached but may have counted nothing yet."""
    with aws_in_process() as session:
        s3, dynamodb, sqs = session.client("s3"), session.client("dynamodb"), session.client("sqs")
        s3.create_bucket(Bucket=BUCKET)
        for name in TABLES:
            _create_table(dynamodb, name)
        events: Any = sqs.meta.events  # the stubs know no handlers that answer
        events.register("before-call", _taken)
        yield Cloud(s3, dynamodb, sqs, Meter({name: [key[0] for key in _keys(name)[1:]] for name in TABLES}))


def _taken(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """A queue that takes every message and keeps none: moto's gets slow when it is full."""
    return AWSResponse(params["url"], 200, HTTPHeaders(), None), {}


def _create_table(dynamodb: DynamoDBClient, name: str) -> None:
    """The table as the template has it."""
    properties = _properties(name)
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        **({"GlobalSecondaryIndexes": found} if (found := properties.get("GlobalSecondaryIndexes")) else {}),
    )


@lru_cache
def _properties(name: str) -> Any:
    """What the template says of a table."""
    return load(RESOURCES)["Resources"][name]["Properties"]


def _keys(name: str) -> list[tuple[str, ...]]:
    """The primary key of a table, and those of its indexes."""
    properties = _properties(name)
    schemas = [properties["KeySchema"], *(each["KeySchema"] for each in properties.get("GlobalSecondaryIndexes", []))]
    return [tuple(part["AttributeName"] for part in schema) for schema in schemas]
