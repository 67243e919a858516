"""Wires the handlers of queues and of the schedule."""

from __future__ import annotations

from chalicelib.digests.kms import KmsSigner
from chalicelib.digests.s3 import S3DigestStore, S3WrittenObjects
from chalicelib.digests.sqs import SqsNotifications
from chalicelib.digests.writer import WriteDigests
from chalicelib.processing.dead_letters import RecordDeadLetters, RedriveDeadLetters
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import AcknowledgeBatch, ProcessBatch
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.processing.reported import RecordReportedOutcomes
from chalicelib.processing.sqs import SqsDeadLetterQueue, SqsDeliveryQueue
from chalicelib.replays import commit_batch, rate_limit
from chalicelib.replays.destinations import DeclaredDestination, DestinationKind, queue_url
from chalicelib.replays.eventbridge import EventBridgeDestination
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.ports import Destination
from chalicelib.replays.sqs import SqsDestination
from chalicelib.replays.worker import WorkOnReplay
from chalicelib.runtime import system
from chalicelib.runtime.event_wiring import raw_bucket, raw_store
from chalicelib.runtime.replay_wiring import (
    aggregate_store,
    definitions,
    destinations,
    origins,
    queues,
    replay_store,
)


def work_on_replay() -> WorkOnReplay:
    """ReplayJobsQueue."""
    return WorkOnReplay(plan_replay(), redrive_dead_letters, queues(), replay_store(), system.now)


def plan_replay() -> PlanReplay:
    """One slice of a replay."""
    return PlanReplay(
        replay_store(),
        origins(),
        queues(),
        destination_of,
        system.now,
        system.sleep,
        system.new_id,
        system.concurrently,
        system.settings().index_lag_seconds,
    )


def destination_of(declared: DeclaredDestination) -> Destination:
    """What sends to a destination. Only a queue whose outcomes are counted has a window in flight."""
    rate = destinations().rates.get(declared.name)
    ordered = declared.is_ordered
    most = commit_batch.ORDERED_MESSAGES_A_BATCH if ordered else commit_batch.MESSAGES_A_BATCH
    at_once = most if rate is None else min(most, rate_limit.burst(rate))
    waiting = system.pause, system.concurrently
    if declared.kind is DestinationKind.EVENTBRIDGE:
        return EventBridgeDestination(system.events(), declared.arn, *waiting, declared.name, at_once, rate)
    return SqsDestination(
        system.sqs(),
        queue_url(system.sqs().meta.endpoint_url, declared.arn),
        *waiting,
        declared.name,
        ordered=ordered,
        messages_a_batch=at_once,
        max_in_flight=destinations().window if declared.has_window else None,
        rate=rate,
    )


def process_batch() -> ProcessBatch:
    """ReplayQueue."""
    return ProcessBatch(fetcher(), replay_store(), record(), definitions())


def acknowledge_batch() -> AcknowledgeBatch:
    """How a batch from ReplayQueue ends."""
    return _acknowledge(system.settings().named("replay_queue_url"))


def record_dead_letters() -> RecordDeadLetters:
    """ReplayFailuresQueue."""
    return RecordDeadLetters(replay_store(), fetcher(), record(), dead_letter_queue(), definitions())


def acknowledge_dead_letters() -> AcknowledgeBatch:
    """How a batch from ReplayFailuresQueue ends."""
    return _acknowledge(system.settings().named("replay_failures_queue_url"))


def redrive_dead_letters(destination: DeclaredDestination) -> RedriveDeadLetters | None:
    """One slice of sending a replay's dead letters back to its destination; None if planners cannot read them."""
    if destination.is_aggregates:
        return RedriveDeadLetters(record(), dead_letter_queue())
    dead_letters = destinations().dead_letters_of(destination)
    if dead_letters is None:
        return None
    sqs, ordered = system.sqs(), destination.kind is DestinationKind.FIFO
    dead_letters_url, url = (queue_url(sqs.meta.endpoint_url, arn) for arn in (dead_letters, destination.arn))
    of_consumer = SqsDeadLetterQueue(sqs, dead_letters_url, url, system.pause, ordered=ordered)
    return RedriveDeadLetters(record() if destination.reports else None, of_consumer)


def record_reported_outcomes() -> RecordReportedOutcomes:
    """POST /replay/{id}/outcomes."""
    return RecordReportedOutcomes(replay_store(), record(), destinations())


def write_digests() -> WriteDigests | None:
    """The hourly schedule; None where the stage has no digests."""
    chosen = system.settings()
    if not chosen.digest_queue_url:
        return None
    return WriteDigests(
        SqsNotifications(system.sqs(), chosen.named("digest_queue_url"), system.concurrently),
        S3WrittenObjects(system.s3(), chosen.named("raw_bucket")),
        S3DigestStore(raw_bucket()),
        KmsSigner(system.kms(), chosen.named("digest_key_arn")),
        system.now,
        system.concurrently,
    )


def fetcher() -> FetchAndVerify:
    """Reads what messages refer to, and checks it."""
    return FetchAndVerify(raw_store(), system.concurrently)


def record() -> RecordInLedger:
    """Records what became of messages."""
    return RecordInLedger(aggregate_store(), system.now, system.pause)


def dead_letter_queue() -> SqsDeadLetterQueue:
    """Where messages rest that could not be processed."""
    chosen = system.settings()
    return SqsDeadLetterQueue(
        system.sqs(), chosen.named("dead_letter_queue_url"), chosen.named("replay_queue_url"), system.pause
    )


def _acknowledge(queue_url: str) -> AcknowledgeBatch:
    return AcknowledgeBatch(SqsDeliveryQueue(system.sqs(), queue_url), system.settings().report_batch_item_failures)
