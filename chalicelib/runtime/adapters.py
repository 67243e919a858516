"""The adapters of this deployment, made from its settings when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.runtime import system
from chalicelib.runtime.caching import once

if TYPE_CHECKING:
    from chalicelib.aggregates.dynamodb_history import DynamoAggregateHistory
    from chalicelib.aggregates.dynamodb_ledger import DynamoAggregateStore
    from chalicelib.aws.write_once import WriteOnceBucket
    from chalicelib.digests.kms import KmsSigner
    from chalicelib.digests.s3_objects import S3WrittenObjects
    from chalicelib.digests.s3_store import S3DigestStore
    from chalicelib.digests.sqs import SqsNotifications
    from chalicelib.events.dynamodb_identities import DynamoIdentities
    from chalicelib.events.dynamodb_index import DynamoEventIndex
    from chalicelib.events.s3_raw_store import S3RawStore
    from chalicelib.ingest.s3_quarantine import S3Quarantine
    from chalicelib.ingest.secretsmanager import StoredWebhookSecrets
    from chalicelib.processing.sqs import SqsDeliveryQueue
    from chalicelib.processing.sqs_dead_letters import SqsDeadLetterQueue
    from chalicelib.quarantine.s3 import S3Rejections
    from chalicelib.replays.dynamodb_jobs import DynamoReplayStore
    from chalicelib.replays.dynamodb_states import DynamoReplayStates
    from chalicelib.replays.sqs import SqsReplayQueues


def _raw_bucket() -> WriteOnceBucket:
    from chalicelib.aws.write_once import WriteOnceBucket

    return WriteOnceBucket(system.s3(), system.settings().named("raw_bucket"), system.pause)


def raw_store() -> S3RawStore:
    """The verbatim events."""
    from chalicelib.events.s3_raw_store import S3RawStore

    return S3RawStore(_raw_bucket())


def identities() -> DynamoIdentities:
    """Which events are known."""
    from chalicelib.events.dynamodb_identities import DynamoIdentities

    chosen = system.settings()
    return DynamoIdentities(
        system.dynamodb(),
        dedupe_table=chosen.named("dedupe_table"),
        events_table=chosen.named("events_table"),
        shards=chosen.type_day_shards,
        late_after_ms=chosen.late_after_seconds * 1_000,
        dedupe_ttl_s=chosen.dedupe_ttl_s,
        pause=system.pause,
        concurrently=system.concurrently,
    )


def event_index() -> DynamoEventIndex:
    """What lies in a window."""
    from chalicelib.events.dynamodb_index import DynamoEventIndex

    return DynamoEventIndex(
        system.dynamodb(), system.settings().named("events_table"), system.pause, system.concurrently
    )


def replay_store() -> DynamoReplayStore:
    """Replay jobs."""
    from chalicelib.replays.dynamodb_jobs import DynamoReplayStore

    return DynamoReplayStore(system.dynamodb(), system.settings().named("replays_table"), system.pause)


def queues() -> SqsReplayQueues:
    """The queues of replays."""
    from chalicelib.replays.sqs import SqsReplayQueues

    chosen = system.settings()
    return SqsReplayQueues(
        system.sqs(),
        jobs_queue_url=chosen.named("replay_jobs_queue_url"),
        halted_jobs_queue_url=chosen.named("replay_jobs_dead_letter_queue_url"),
        replay_queue_url=chosen.named("replay_queue_url"),
        ordered_replay_queue_url=chosen.named("ordered_replay_queue_url"),
        pause=system.pause,
        concurrently=system.concurrently,
    )


def aggregate_history() -> DynamoAggregateHistory:
    """What is kept of daily aggregates."""
    from chalicelib.aggregates.dynamodb_history import DynamoAggregateHistory

    return DynamoAggregateHistory(system.dynamodb(), system.settings().named("aggregates_table"), system.pause)


def aggregate_store() -> DynamoAggregateStore:
    """Versions of daily aggregates and the ledger of their messages."""
    from chalicelib.aggregates.dynamodb_ledger import DynamoAggregateStore

    chosen = system.settings()
    return DynamoAggregateStore(
        system.dynamodb(), chosen.named("aggregates_table"), chosen.named("replays_table"), system.pause
    )


def replay_states() -> DynamoReplayStates:
    """The states of replay jobs."""
    from chalicelib.replays.dynamodb_states import DynamoReplayStates

    return DynamoReplayStates(system.dynamodb(), system.settings().named("replays_table"), system.pause)


def dead_letter_queue() -> SqsDeadLetterQueue:
    """Where messages rest that could not be processed."""
    from chalicelib.processing.sqs_dead_letters import SqsDeadLetterQueue

    chosen = system.settings()
    return SqsDeadLetterQueue(
        system.sqs(), chosen.named("dead_letter_queue_url"), chosen.named("replay_queue_url"), system.pause
    )


def delivery_queue(queue_url: str) -> SqsDeliveryQueue:
    """A queue that deliveries come from."""
    from chalicelib.processing.sqs import SqsDeliveryQueue

    return SqsDeliveryQueue(system.sqs(), queue_url)


def quarantine() -> S3Quarantine:
    """Where refused events are kept."""
    from chalicelib.ingest.s3_quarantine import S3Quarantine

    return S3Quarantine(_raw_bucket())


def rejections() -> S3Rejections:
    """What is in quarantine."""
    from chalicelib.quarantine.s3 import S3Rejections

    return S3Rejections(_raw_bucket(), system.concurrently)


def notifications() -> SqsNotifications:
    """What S3 tells of raw objects."""
    from chalicelib.digests.sqs import SqsNotifications

    return SqsNotifications(system.sqs(), system.settings().named("digest_queue_url"), system.concurrently)


def written_objects() -> S3WrittenObjects:
    """Versions of raw objects."""
    from chalicelib.digests.s3_objects import S3WrittenObjects

    return S3WrittenObjects(system.s3(), system.settings().named("raw_bucket"))


def digest_store() -> S3DigestStore:
    """Digests."""
    from chalicelib.digests.s3_store import S3DigestStore

    return S3DigestStore(_raw_bucket())


def signer() -> KmsSigner:
    """The key that digests are signed with."""
    from chalicelib.digests.kms import KmsSigner

    return KmsSigner(system.kms(), system.settings().named("digest_key_arn"))


@once
def webhook_secrets() -> StoredWebhookSecrets:
    """What webhooks are signed with; one for all requests, as it remembers the secrets for a while."""
    from chalicelib.ingest.secretsmanager import StoredWebhookSecrets

    return StoredWebhookSecrets(system.secretsmanager(), system.settings().webhook_secret_arn, system.now)
