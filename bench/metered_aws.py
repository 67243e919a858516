"""Retrace's adapters on AWS without a network, with a meter on every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from bench.meter import Meter
from bench.stub_transport import StubTransport
from chalicelib.aggregates.dynamodb_ledger import DynamoAggregateStore
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_identities import DynamoIdentities
from chalicelib.events.dynamodb_index import DynamoEventIndex
from chalicelib.events.dynamodb_sources import DynamoSources
from chalicelib.events.s3_raw_store import S3RawStore
from chalicelib.ingest.use_cases import Ingest
from chalicelib.quarantine.s3 import S3Quarantine
from chalicelib.replays.commit_batch import MESSAGES_A_BATCH
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.dynamodb_jobs import DynamoReplayStore
from chalicelib.replays.eventbridge import EventBridgeDestination
from chalicelib.replays.sqs import SqsDestination, SqsReplayQueues
from infra.merge import RESOURCES, load

BUCKET = "retrace-dev-raw"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/retrace-dev-replay"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/retrace-dev-to-bus"
EVENTS, DEDUPE, REPLAYS, AGGREGATES = TABLES = ("EventsTable", "DedupeTable", "ReplaysTable", "AggregatesTable")
SHARDS = 4
NEVER_LATE = 1 << 40
NOW = Instant("2026-11-22T09:30:00.123456789Z")

T = TypeVar("T")
R = TypeVar("R")


def one_by_one(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Calls counted are the same, whether made at once or one after the other."""
    return list(map(function, items))


def never_wait(_: float) -> None:
    """Nothing is contended here."""


class MeteredAws:
    """An AWS that holds nothing yet, as the application sees it. `meter` counts what the adapters ask for."""

    def __init__(self) -> None:
        transport, self.meter = StubTransport(), Meter({name: _index_keys(name) for name in TABLES})
        self.tables = transport.tables
        own = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # stubs lack it
        s3, dynamodb, sqs, events = (
            _session().client(name, config=own) for name in ("s3", "dynamodb", "sqs", "events")
        )
        for client in (s3, dynamodb, sqs, events):
            transport.attach(client)
            self.meter.attach(client)
        self.dynamodb, bucket = dynamodb, WriteOnceBucket(s3, BUCKET, never_wait)
        self.raw, self.index = S3RawStore(bucket), DynamoEventIndex(dynamodb, EVENTS, never_wait, one_by_one)
        self.identities = DynamoIdentities(
            dynamodb, DEDUPE, EVENTS, SHARDS, NEVER_LATE, None, pause=never_wait, concurrently=one_by_one
        )
        self.replays = DynamoReplayStore(dynamodb, REPLAYS, never_wait)
        self.aggregates = DynamoAggregateStore(dynamodb, AGGREGATES, REPLAYS, never_wait)
        self.queues = SqsReplayQueues(sqs, QUEUE, QUEUE)
        self.destination = SqsDestination(
            sqs, QUEUE, never_wait, one_by_one, TO_AGGREGATES, ordered=False, messages_a_batch=MESSAGES_A_BATCH
        )
        self.bus = EventBridgeDestination(events, BUS, never_wait, one_by_one, "bus", MESSAGES_A_BATCH)
        sources, quarantine = DynamoSources(dynamodb, EVENTS, never_wait, one_by_one), S3Quarantine(bucket, one_by_one)
        self.ingest = Ingest(self.raw, sources, self.identities, self.index, quarantine, lambda: NOW, one_by_one)


@lru_cache(maxsize=1)
def _session() -> Any:
    """One session, as it reads the services' models; its clients are of any kind."""
    return boto3.session.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")


@lru_cache
def _index_keys(table: str) -> list[str]:
    """The partition keys of a table's indexes, as the template has them."""
    properties: Any = load(RESOURCES)["Resources"][table]["Properties"]
    return [each["KeySchema"][0]["AttributeName"] for each in properties.get("GlobalSecondaryIndexes", [])]
