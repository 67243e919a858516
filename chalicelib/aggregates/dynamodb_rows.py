"""The rows of AggregatesTable: versions of daily aggregates, and outcomes of their messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chalicelib.aggregates import multiset_hash
from chalicelib.aggregates.aggregate import Aggregate, Definitions, States, Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import LedgerKey, MessageKey, NewRevision, Outcome, OutcomeRecord, Snapshot
from chalicelib.aggregates.metric_rows import (
    packed_contributions,
    packed_states,
    unpacked_contributions,
    unpacked_state,
)
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item, from_item, to_item
from chalicelib.core.timestamps import CALENDAR, Instant
from chalicelib.metrics.definition import BUILT_IN
from chalicelib.metrics.metric_state import read_state


def partition_of_inputs(version: Version) -> str:
    """The partition of a version's messages, the inputs among them."""
    return keys.inputs(version.entity_id, version.day, version.replay_id, version.calendar)


def message_sort_key(message_key: MessageKey) -> str:
    """Where a message is in the partition of its version."""
    duplicate = message_key.duplicate
    if duplicate is None:
        return keys.message(message_key.event_time, message_key.event_id)
    ingest_time = Instant(duplicate.ingest_time)
    arrival = keys.arrival(ingest_time, duplicate.request_id, duplicate.position, conflict=False)
    return keys.message(message_key.event_time, message_key.event_id, arrival)


def outcome_key(key: LedgerKey) -> Item:
    """The key of the row that says what became of a message."""
    version, message_key = key
    return to_item({"PK": partition_of_inputs(version), "SK": message_sort_key(message_key)})


def outcome_row(record: OutcomeRecord) -> Item:
    """What became of a message, and of which event."""
    event = record.event
    values = {
        "outcome": record.outcome.value,
        "event_id": event.event_id,
        "event_time": event.event_time,
        "event_type": event.event_type,
        "content_sha256": event.content_sha256,
        "c": packed_contributions(event.contributed) or None,
        "reason": record.reason,
    }
    return outcome_key(record.key) | to_item(values)


def outcome_of(item: Item) -> Outcome:
    """The outcome that a row says."""
    return Outcome(item["outcome"]["S"])


def input_of(item: Item, definitions: Definitions = ()) -> Input:
    """The event of a message's row, with what it contributed to these definitions."""
    row = from_item(item)
    contributed = unpacked_contributions(row.get("c", {}), definitions)
    return Input(Instant(row["event_time"]), row["event_id"], row["event_type"], row["content_sha256"], contributed)


def version_key(version: Version) -> Item:
    """The key of a version of a daily aggregate."""
    sort_key = keys.aggregate_version(version.day, version.replay_id, version.calendar)
    return to_item({"PK": keys.entity(version.entity_id), "SK": sort_key})


def version_row(changed: NewRevision, now: Instant) -> Item:
    """A version of a daily aggregate, one revision further on: what else answers say follows from it and its key.

    Metrics that a replay pins are in it shortly, and those that are built in are then left out: both follow.
    """
    version, aggregate = changed.version, changed.aggregate
    pins = version.calendar != CALENDAR or any(each.definition not in BUILT_IN for each in aggregate.states.values())
    values = aggregate_members(aggregate) | {
        "replay_id": version.replay_id,
        "metrics": None if pins else aggregate.metrics,
        "m": packed_states(aggregate.states.values()) if pins else None,
        "computed_at": now,
        "revision": changed.read_revision + 1,
    }
    return version_key(version) | to_item(values)


def aggregate_members(aggregate: Aggregate) -> dict[str, Any]:
    """What a row has of an aggregate beside its metrics."""
    return {
        "event_count": aggregate.event_count,
        "inputs_hash": aggregate.inputs_hash,
        "counts_by_type": dict(aggregate.counts_by_type),
        "samples": [list(sample) for sample in aggregate.samples],
        "state": multiset_hash.to_bytes(aggregate.state),
    }


def snapshot_of(item: Item, definitions: Definitions = BUILT_IN) -> Snapshot:
    """A version as its row says it is."""
    row = from_item(item)
    return Snapshot(aggregate_of_row(row, definitions), row["revision"])


def aggregate_of_row(row: Mapping[str, Any], definitions: Definitions = BUILT_IN) -> Aggregate:
    """The aggregate of a version's row, with those metrics whose definitions are given."""
    return Aggregate(
        event_count=row["event_count"],
        counts_by_type=row["counts_by_type"],
        samples=tuple((Instant(event_time), event_id) for event_time, event_id in row["samples"]),
        state=multiset_hash.from_bytes(row["state"]),
        states=_states_of_row(row, definitions),
    )


def _states_of_row(row: Mapping[str, Any], definitions: Definitions) -> States:
    if "m" in row:
        return {each.sha256: unpacked_state(each, row["m"], row["event_count"]) for each in definitions}
    said = defaultdict[str, list[Mapping[str, Any]]](list)
    for each in row["metrics"]:
        said[each["definition_sha256"]].append(each)
    return {each.sha256: read_state(each, said[each.sha256]) for each in definitions if each.sha256 in said}
