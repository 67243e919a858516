"""Wires what nearly every function needs: authentication, and stores of events."""

from __future__ import annotations

from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.events.dynamodb_identities import DynamoIdentities
from chalicelib.events.dynamodb_index import DynamoEventIndex
from chalicelib.events.dynamodb_sources import DynamoSources
from chalicelib.events.s3_raw_store import S3RawStore
from chalicelib.ingest.authentication import Authenticator
from chalicelib.ingest.secretsmanager import StoredWebhookSecrets
from chalicelib.runtime import system


def authenticator() -> Authenticator:
    """Which requests are read at all."""
    takes_webhooks = bool(system.settings().webhook_secret_arn)
    return Authenticator(webhook_secrets() if takes_webhooks else None, system.now, system.in_lambda())


@system.once
def webhook_secrets() -> StoredWebhookSecrets:
    """What webhooks are signed with; one for all requests, as it remembers the secrets for a while."""
    return StoredWebhookSecrets(system.secretsmanager(), system.settings().webhook_secret_arn, system.now)


def raw_bucket() -> WriteOnceBucket:
    """Raw events, rejections and digests."""
    return WriteOnceBucket(system.s3(), system.settings().named("raw_bucket"), system.pause)


def raw_store() -> S3RawStore:
    """The verbatim events."""
    return S3RawStore(raw_bucket())


def identities() -> DynamoIdentities:
    """Which events are known."""
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


@system.once
def sources() -> DynamoSources:
    """Every source and type; one for all requests, as it remembers those that are recorded."""
    return DynamoSources(system.dynamodb(), system.settings().named("events_table"), system.pause, system.concurrently)


def event_index() -> DynamoEventIndex:
    """The index of events."""
    return DynamoEventIndex(
        system.dynamodb(), system.settings().named("events_table"), system.pause, system.concurrently
    )
