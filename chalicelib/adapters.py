"""The adapters of this deployment, made from its settings when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import runtime
from chalicelib.caching import once

if TYPE_CHECKING:
    from chalicelib.aws.aggregate_history import DynamoAggregateHistory
    from chalicelib.aws.aggregate_store import DynamoAggregateStore
    from chalicelib.aws.dead_letter_queue import SqsDeadLetterQueue
    from chalicelib.aws.delivery_queue import SqsDeliveryQueue
    from chalicelib.aws.digest_store import S3DigestStore
    from chalicelib.aws.event_index import DynamoEventIndex
    from chalicelib.aws.identities import DynamoIdentities
    from chalicelib.aws.notification_queue import SqsNotifications
    from chalicelib.aws.quarantine import S3Quarantine
    from chalicelib.aws.queues import SqsReplayQueues
    from chalicelib.aws.raw_store import S3RawStore
    from chalicelib.aws.rejections import S3Rejections
    from chalicelib.aws.replay_states import DynamoReplayStates
    from chalicelib.aws.replay_store import DynamoReplayStore
    from chalicelib.aws.signing_key import KmsSigner
    from chalicelib.aws.webhook_secrets import StoredWebhookSecrets
    from chalicelib.aws.write_once import WriteOnceBucket
    from chalicelib.aws.written_objects import S3WrittenObjects


def _raw_bucket() -> WriteOnceBucket:
    from chalicelib.aws.write_once import WriteOnceBucket

    return WriteOnceBucket(runtime.s3(), runtime.settings().named("raw_bucket"), runtime.pause)


def raw_store() -> S3RawStore:
    """The verbatim events."""
    from chalicelib.aws.raw_store import S3RawStore

    return S3RawStore(_raw_bucket())


def identities() -> DynamoIdentities:
    """Which events are known."""
    from chalicelib.aws.identities import DynamoIdentities

    chosen = runtime.settings()
    return DynamoIdentities(
        runtime.dynamodb(),
        dedupe_table=chosen.named("dedupe_table"),
        events_table=chosen.named("events_table"),
        shards=chosen.type_day_shards,
        late_after_ms=chosen.late_after_seconds * 1_000,
        dedupe_ttl_s=chosen.dedupe_ttl_s,
        pause=runtime.pause,
        concurrently=runtime.concurrently,
    )


def event_index() -> DynamoEventIndex:
    """What lies in a window."""
    from chalicelib.aws.event_index import DynamoEventIndex

    return DynamoEventIndex(
        runtime.dynamodb(), runtime.settings().named("events_table"), runtime.pause, runtime.concurrently
    )


def replay_store() -> DynamoReplayStore:
    """Replay jobs."""
    from chalicelib.aws.replay_store import DynamoReplayStore

    return DynamoReplayStore(runtime.dynamodb(), runtime.settings().named("replays_table"), runtime.pause)


def queues() -> SqsReplayQueues:
    """The queues of replays."""
    from chalicelib.aws.queues import SqsReplayQueues

    chosen = runtime.settings()
    return SqsReplayQueues(
        runtime.sqs(),
        jobs_queue_url=chosen.named("replay_jobs_queue_url"),
        halted_jobs_queue_url=chosen.named("replay_jobs_dead_letter_queue_url"),
        replay_queue_url=chosen.named("replay_queue_url"),
        ordered_replay_queue_url=chosen.named("ordered_replay_queue_url"),
        pause=runtime.pause,
        concurrently=runtime.concurrently,
    )


def aggregate_history() -> DynamoAggregateHistory:
    """What is kept of daily aggregates."""
    from chalicelib.aws.aggregate_history import DynamoAggregateHistory

    return DynamoAggregateHistory(runtime.dynamodb(), runtime.settings().named("aggregates_table"), runtime.pause)


def aggregate_store() -> DynamoAggregateStore:
    """Versions of daily aggregates and the ledger of their messages."""
    from chalicelib.aws.aggregate_store import DynamoAggregateStore

    chosen = runtime.settings()
    return DynamoAggregateStore(
        runtime.dynamodb(), chosen.named("aggregates_table"), chosen.named("replays_table"), runtime.pause
    )


def replay_states() -> DynamoReplayStates:
    """The states of replay jobs."""
    from chalicelib.aws.replay_states import DynamoReplayStates

    return DynamoReplayStates(runtime.dynamodb(), runtime.settings().named("replays_table"), runtime.pause)


def dead_letter_queue() -> SqsDeadLetterQueue:
    """Where messages rest that could not be processed."""
    from chalicelib.aws.dead_letter_queue import SqsDeadLetterQueue

    chosen = runtime.settings()
    return SqsDeadLetterQueue(
        runtime.sqs(), chosen.named("dead_letter_queue_url"), chosen.named("replay_queue_url"), runtime.pause
    )


def delivery_queue(queue_url: str) -> SqsDeliveryQueue:
    """A queue that deliveries come from."""
    from chalicelib.aws.delivery_queue import SqsDeliveryQueue

    return SqsDeliveryQueue(runtime.sqs(), queue_url)


def quarantine() -> S3Quarantine:
    """Where refused events are kept."""
    from chalicelib.aws.quarantine import S3Quarantine

    return S3Quarantine(_raw_bucket())


def rejections() -> S3Rejections:
    """What is in quarantine."""
    from chalicelib.aws.rejections import S3Rejections

    return S3Rejections(_raw_bucket(), runtime.concurrently)


def notifications() -> SqsNotifications:
    """What S3 tells of raw objects."""
    from chalicelib.aws.notification_queue import SqsNotifications

    return SqsNotifications(runtime.sqs(), runtime.settings().named("digest_queue_url"), runtime.concurrently)


def written_objects() -> S3WrittenObjects:
    """Versions of raw objects."""
    from chalicelib.aws.written_objects import S3WrittenObjects

    return S3WrittenObjects(runtime.s3(), runtime.settings().named("raw_bucket"))


def digest_store() -> S3DigestStore:
    """Digests."""
    from chalicelib.aws.digest_store import S3DigestStore

    return S3DigestStore(_raw_bucket())


def signer() -> KmsSigner:
    """The key that digests are signed with."""
    from chalicelib.aws.signing_key import KmsSigner

    return KmsSigner(runtime.kms(), runtime.settings().named("digest_key_arn"))


@once
def webhook_secrets() -> StoredWebhookSecrets:
    """What webhooks are signed with; one for all requests, as it remembers the secrets for a while."""
    from chalicelib.aws.webhook_secrets import StoredWebhookSecrets

    return StoredWebhookSecrets(runtime.secretsmanager(), runtime.settings().webhook_secret_arn, runtime.now)
