"""Retrace's adapters on AWS without a network, with a meter on every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from bench.meter import Meter
from bench.stub_transport import StubTransport, Table
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


@dataclass(frozen=True)
class MeteredAws:
    """An AWS that holds nothing yet, as the application sees it. `meter` counts what the adapters ask for."""

    tables: Mapping[str, Table]
    meter: Meter
    raw: S3RawStore
    index: DynamoEventIndex
    replays: DynamoReplayStore
    aggregates: DynamoAggregateStore
    queues: SqsReplayQueues
    destination: SqsDestination
    bus: EventBridgeDestination
    ingest: Ingest


def one_by_one(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Calls counted are the same, whether made at once or one after the other."""
    return list(map(function, items))


def never_wait(_: float) -> None:
    """Nothing is contended here."""


def metered_aws() -> MeteredAws:
    """An AWS of its own."""
    session, own = _session(), Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # stubs lack it
    s3, dynamodb = session.client("s3", config=own), session.client("dynamodb", config=own)
    sqs, events = session.client("sqs", config=own), session.client("events", config=own)
    transport, meter = StubTransport(), Meter({name: _index_keys(name) for name in TABLES})
    clients: tuple[BaseClient, ...] = (s3, dynamodb, sqs, events)
    for client in clients:
        transport.attach(client)
        meter.attach(client)
    bucket = WriteOnceBucket(s3, BUCKET, never_wait)
    raw, index = S3RawStore(bucket), DynamoEventIndex(dynamodb, EVENTS, never_wait, one_by_one)
    identities = DynamoIdentities(
        dynamodb, DEDUPE, EVENTS, SHARDS, NEVER_LATE, None, pause=never_wait, concurrently=one_by_one
    )
    sources = DynamoSources(dynamodb, EVENTS, never_wait, one_by_one)
    return MeteredAws(
        transport.tables,
        meter,
        raw,
        index,
        DynamoReplayStore(dynamodb, REPLAYS, never_wait),
        DynamoAggregateStore(dynamodb, AGGREGATES, REPLAYS, never_wait),
        SqsReplayQueues(sqs, QUEUE, QUEUE),
        SqsDestination(
            sqs, QUEUE, never_wait, one_by_one, TO_AGGREGATES, ordered=False, messages_a_batch=MESSAGES_A_BATCH
        ),
        EventBridgeDestination(events, BUS, never_wait, one_by_one, "bus", MESSAGES_A_BATCH),
        Ingest(raw, sources, identities, index, S3Quarantine(bucket, one_by_one), lambda: NOW, one_by_one),
    )


@lru_cache(maxsize=1)
def _session() -> boto3.session.Session:
    """One session, as it reads the services' models."""
    return boto3.session.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")


@lru_cache
def _index_keys(table: str) -> list[str]:
    """The partition keys of a table's indexes, as the template has them."""
    properties: Any = load(RESOURCES)["Resources"][table]["Properties"]
    return [each["KeySchema"][0]["AttributeName"] for each in properties.get("GlobalSecondaryIndexes", [])]
