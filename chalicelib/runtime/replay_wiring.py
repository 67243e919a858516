"""Wires the routes of replays and of the metrics that they compute, with their stores and queues."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.aggregates.dynamodb_ledger import DynamoAggregateStore
from chalicelib.metrics.dynamodb_definitions import DynamoDefinitions
from chalicelib.metrics.s3_changes import S3ChangeRecords
from chalicelib.metrics.use_cases import DefineMetrics, FindMetrics
from chalicelib.replays.destinations import Destinations, destinations_in
from chalicelib.replays.dynamodb_jobs import DynamoReplayStore
from chalicelib.replays.named_events import NamedEvents
from chalicelib.replays.origins import Origins
from chalicelib.replays.pinning import PinMetrics
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.s3 import S3EventsFiles
from chalicelib.replays.sqs import SqsReplayQueues
from chalicelib.replays.use_cases import ControlReplay, FindReplays, RequestReplay
from chalicelib.runtime import system
from chalicelib.runtime.event_wiring import event_index, identities, raw_bucket


@system.once
def definitions() -> DynamoDefinitions:
    """Definitions and their names; one for all requests, as it remembers definitions."""
    return DynamoDefinitions(system.dynamodb(), system.settings().named("replays_table"), system.pause)


def define_metrics() -> DefineMetrics:
    """PUT and DELETE /metrics/{name}."""
    return DefineMetrics(definitions(), S3ChangeRecords(raw_bucket()), system.now)


def find_metrics() -> FindMetrics:
    """GET /metrics and GET /metrics/{name}."""
    return FindMetrics(definitions())


def request_replay() -> RequestReplay:
    """POST /replay, and with ?dry_run=true."""
    chosen = system.settings()
    return RequestReplay(
        replay_store(),
        queues(),
        preview_replay(),
        confirm_above=chosen.confirm_above,
        shards=chosen.shards_read,
        index_lag_s=chosen.index_lag_seconds,
        now=system.now,
        id_at=system.id_at,
        metrics=PinMetrics(definitions()),
        destinations=destinations(),
    )


def named_events() -> NamedEvents:
    """PUT /events-files/{sha256}, and the events of files."""
    return NamedEvents(events_files(), identities(), system.now)


def events_files() -> S3EventsFiles:
    """Files that name the events of replays."""
    return S3EventsFiles(system.s3(), system.settings().named("raw_bucket"))


def destinations() -> Destinations:
    """What the stage declares."""
    chosen = system.settings()
    return replace(destinations_in(chosen.named("destinations")), window=chosen.max_in_flight)


def preview_replay() -> PreviewReplay:
    """What a request would send."""
    chosen = system.settings()
    return PreviewReplay(
        origins(),
        chosen.shards_read,
        chosen.processor_concurrency,
        chosen.index_lag_seconds,
        system.now,
        system.concurrently,
        destinations(),
        find_replays().sending_to,
    )


def origins() -> Origins:
    """Where the events of replays come from."""
    return Origins(event_index(), replay_store(), aggregate_store(), named_events())


def find_replays() -> FindReplays:
    """GET /replay and GET /replay/{id}."""
    return FindReplays(replay_store(), system.concurrently)


def control_replay() -> ControlReplay:
    """POST /replay/{id}/cancel and POST /replay/{id}/redrive."""
    return ControlReplay(replay_store(), queues(), destinations(), system.now, system.new_id, system.pause)


def aggregate_store() -> DynamoAggregateStore:
    """Versions of daily aggregates and the ledger of their messages."""
    chosen = system.settings()
    return DynamoAggregateStore(
        system.dynamodb(), chosen.named("aggregates_table"), chosen.named("replays_table"), system.pause
    )


def replay_store() -> DynamoReplayStore:
    """Replay jobs."""
    return DynamoReplayStore(system.dynamodb(), system.settings().named("replays_table"), system.pause)


def queues() -> SqsReplayQueues:
    """The queue of planners' tasks."""
    chosen = system.settings()
    return SqsReplayQueues(
        system.sqs(),
        jobs_queue_url=chosen.named("replay_jobs_queue_url"),
        halted_jobs_queue_url=chosen.named("replay_jobs_dead_letter_queue_url"),
    )
