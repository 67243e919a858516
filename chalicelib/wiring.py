"""Where use cases get their adapters: the only place of boto3, the clock, randomness and threads. All of it is lazy."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from uuid6 import uuid7

from chalicelib.aws.aggregate_store import DynamoAggregateStore
from chalicelib.aws.event_index import DynamoEventIndex
from chalicelib.aws.identities import DynamoIdentities
from chalicelib.aws.quarantine import S3Quarantine
from chalicelib.aws.queues import SqsReplayQueues
from chalicelib.aws.raw_store import S3RawStore
from chalicelib.aws.replay_store import DynamoReplayStore
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.config import Settings, settings_from
from chalicelib.domain.timestamps import Instant, instant_of
from chalicelib.ingest import Ingest
from chalicelib.investigate import InvestigateAggregates, InvestigateEvent
from chalicelib.process import Process
from chalicelib.replay import FindReplay, PlanReplay, RequestReplay
from chalicelib.search import CheckFreshness, FindGaps, ListLate, SearchEvents
from chalicelib.settle import Settle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")
R = TypeVar("R")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return settings_from(os.environ)


@lru_cache(maxsize=1)
def _client_config() -> Config:
    # One attempt may take as long as connecting and reading may; three of them fit into an API call's 29 seconds.
    return Config(
        connect_timeout=2,
        read_timeout=6,
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=settings().concurrency,
    )


@lru_cache(maxsize=1)
def _s3() -> S3Client:
    return boto3.client("s3", config=_client_config())


@lru_cache(maxsize=1)
def _dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=_client_config())


@lru_cache(maxsize=1)
def _sqs() -> SQSClient:
    return boto3.client("sqs", config=_client_config())


def now() -> Instant:
    """The clock."""
    return instant_of(datetime.now(UTC))


def pause(attempt: int) -> None:
    """Wait before the n-th retry: full jitter below an exponential bound, so that contenders spread out."""
    bound = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    time.sleep(random.uniform(0, bound))  # noqa: S311  # jitter is no secret


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings().concurrency)


def concurrently(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Apply a function to each item, several at once; a single item stays in this thread."""
    todo = list(items)
    if len(todo) < 2 or settings().concurrency == 1:
        return [function(item) for item in todo]
    return list(_pool().map(function, todo))


def _raw_bucket() -> WriteOnceBucket:
    return WriteOnceBucket(_s3(), settings().raw_bucket, pause)


def _raw_store() -> S3RawStore:
    return S3RawStore(_raw_bucket())


def _identities() -> DynamoIdentities:
    chosen = settings()
    return DynamoIdentities(
        _dynamodb(),
        dedupe_table=chosen.dedupe_table,
        events_table=chosen.events_table,
        shards=chosen.type_day_shards,
        late_after_ms=chosen.late_after_seconds * 1_000,
        dedupe_ttl_s=chosen.dedupe_ttl_s,
        pause=pause,
        concurrently=concurrently,
    )


def _event_index() -> DynamoEventIndex:
    return DynamoEventIndex(_dynamodb(), settings().events_table, pause, concurrently)


def _replay_store() -> DynamoReplayStore:
    return DynamoReplayStore(_dynamodb(), settings().replays_table)


def _queues() -> SqsReplayQueues:
    chosen = settings()
    return SqsReplayQueues(_sqs(), chosen.replay_jobs_queue_url, chosen.replay_queue_url, pause, concurrently)


def _aggregate_store() -> DynamoAggregateStore:
    chosen = settings()
    return DynamoAggregateStore(_dynamodb(), chosen.aggregates_table, chosen.replays_table, pause)


def ingest() -> Ingest:
    """POST /ingest."""
    return Ingest(_raw_store(), _identities(), _event_index(), S3Quarantine(_raw_bucket()), now, concurrently)


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    return InvestigateEvent(_identities(), _event_index(), _raw_store())


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    return InvestigateAggregates(_aggregate_store(), _event_index(), _replay_store())


def search_events() -> SearchEvents:
    """GET /events."""
    return SearchEvents(_event_index(), settings().type_day_shards, concurrently)


def list_late() -> ListLate:
    """GET /late."""
    return ListLate(_event_index())


def find_gaps() -> FindGaps:
    """GET /gaps."""
    return FindGaps(_event_index(), settings().type_day_shards, concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    return CheckFreshness(_event_index(), settings().type_day_shards, now, concurrently)


def request_replay() -> RequestReplay:
    """POST /replay. Ids are UUIDv7, so that they sort by time."""
    return RequestReplay(_replay_store(), _queues(), settings().type_day_shards, now, lambda: str(uuid7()))


def find_replay() -> FindReplay:
    """GET /replay/{id}."""
    return FindReplay(_replay_store())


def plan_replay() -> PlanReplay:
    """ReplayJobsQueue."""
    return PlanReplay(_replay_store(), _event_index(), _queues())


def process() -> Process:
    """ReplayQueue."""
    return Process(_raw_store(), _aggregate_store(), now, pause, concurrently)


def settle() -> Settle:
    """How a batch from ReplayQueue ends."""
    return Settle(_queues(), settings().report_batch_item_failures)
