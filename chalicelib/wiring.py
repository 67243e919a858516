"""Where use cases are handed their adapters; nothing is made before it is asked for."""

from __future__ import annotations

from typing import Any

from chalicelib import runtime
from chalicelib.aws.aggregate_store import DynamoAggregateStore
from chalicelib.aws.event_index import DynamoEventIndex
from chalicelib.aws.identities import DynamoIdentities
from chalicelib.aws.quarantine import S3Quarantine
from chalicelib.aws.queues import SqsReplayQueues
from chalicelib.aws.raw_store import S3RawStore
from chalicelib.aws.rejections import S3Rejections
from chalicelib.aws.replay_store import DynamoReplayStore
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.ingest import Ingest
from chalicelib.investigate import InvestigateEvent
from chalicelib.lineage import InvestigateAggregates, TraceVersions
from chalicelib.process import Process
from chalicelib.quarantine import ReviewQuarantine
from chalicelib.replay import FindReplay, PlanReplay, RequestReplay
from chalicelib.search import CheckFreshness, FindGaps, ListLate, SearchEvents
from chalicelib.settle import Settle


def _raw_bucket() -> WriteOnceBucket:
    return WriteOnceBucket(runtime.s3(), runtime.settings().raw_bucket, runtime.pause)


def _raw_store() -> S3RawStore:
    return S3RawStore(_raw_bucket())


def _identities() -> DynamoIdentities:
    chosen = runtime.settings()
    return DynamoIdentities(
        runtime.dynamodb(),
        dedupe_table=chosen.dedupe_table,
        events_table=chosen.events_table,
        shards=chosen.type_day_shards,
        late_after_ms=chosen.late_after_seconds * 1_000,
        dedupe_ttl_s=chosen.dedupe_ttl_s,
        pause=runtime.pause,
        concurrently=runtime.concurrently,
    )


def _event_index() -> DynamoEventIndex:
    return DynamoEventIndex(runtime.dynamodb(), runtime.settings().events_table, runtime.pause, runtime.concurrently)


def _replay_store() -> DynamoReplayStore:
    return DynamoReplayStore(runtime.dynamodb(), runtime.settings().replays_table)


def _queues() -> SqsReplayQueues:
    chosen = runtime.settings()
    return SqsReplayQueues(
        runtime.sqs(), chosen.replay_jobs_queue_url, chosen.replay_queue_url, runtime.pause, runtime.concurrently
    )


def _aggregate_store() -> DynamoAggregateStore:
    chosen = runtime.settings()
    return DynamoAggregateStore(
        runtime.dynamodb(), chosen.aggregates_table, chosen.replays_table, runtime.pause, runtime.concurrently
    )


def ingest() -> Ingest:
    """POST /ingest."""
    return Ingest(
        _raw_store(), _identities(), _event_index(), S3Quarantine(_raw_bucket()), runtime.now, runtime.concurrently
    )


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    return InvestigateEvent(_identities(), _event_index(), _raw_store(), _aggregate_store())


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    return InvestigateAggregates(_aggregate_store(), _event_index(), _replay_store(), runtime.concurrently)


def trace_versions() -> TraceVersions:
    """GET /aggregates/inputs and /aggregates/diff."""
    return TraceVersions(_aggregate_store())


def review_quarantine() -> ReviewQuarantine:
    """GET /rejected and what lies beneath it."""
    return ReviewQuarantine(S3Rejections(_raw_bucket(), runtime.concurrently), ingest(), runtime.now)


def search_events() -> SearchEvents:
    """GET /events."""
    return SearchEvents(_event_index(), runtime.settings().type_day_shards, runtime.concurrently)


def list_late() -> ListLate:
    """GET /late."""
    return ListLate(_event_index())


def find_gaps() -> FindGaps:
    """GET /gaps."""
    return FindGaps(_event_index(), runtime.settings().type_day_shards, runtime.concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    return CheckFreshness(_event_index(), runtime.settings().type_day_shards, runtime.now, runtime.concurrently)


def openapi_document() -> dict[str, Any]:
    """GET /openapi.json."""
    from chalicelib.openapi import document  # noqa: PLC0415  # the models of all answers are needed for nothing else

    return document()


def request_replay() -> RequestReplay:
    """POST /replay."""
    return RequestReplay(_replay_store(), _queues(), runtime.settings().type_day_shards, runtime.now, runtime.new_id)


def find_replay() -> FindReplay:
    """GET /replay/{id}."""
    return FindReplay(_replay_store())


def plan_replay() -> PlanReplay:
    """ReplayJobsQueue."""
    return PlanReplay(_replay_store(), _event_index(), _queues(), runtime.new_id)


def process() -> Process:
    """ReplayQueue."""
    return Process(_raw_store(), _aggregate_store(), runtime.now, runtime.pause, runtime.concurrently)


def settle() -> Settle:
    """How a batch from ReplayQueue ends."""
    return Settle(_queues(), runtime.settings().report_batch_item_failures)
