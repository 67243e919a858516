"""Versions of daily aggregates in DynamoDB, with their inputs; version, inputs and progress change together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws import keys
from chalicelib.aws.batches import KEYS_A_GET, get_items
from chalicelib.aws.items import Item, from_item, to_item
from chalicelib.aws.seam import translated
from chalicelib.aws.transactions import write_together
from chalicelib.domain import multiset_hash
from chalicelib.domain.aggregation import METRIC_NAME, Aggregate, Input, Version, aggregate_of, merge
from chalicelib.domain.chunks import chunked
from chalicelib.domain.errors import Contended
from chalicelib.domain.ports import AggregateVersion, Concurrently, InputsPage, Pause, Snapshot
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.timestamps import Day, Instant, end_of, nanoseconds, start_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_NANOSECONDS_A_MS = 1_000_000
# RFC 9562, 5.7: begins with 48 bits of milliseconds since 1970.
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True)
class DynamoAggregateStore:
    """AggregatesTable, and the progress counters in ReplaysTable that change with it."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    replays_table: str
    pause: Pause
    concurrently: Concurrently

    def snapshot(self, version: Version, inputs: Sequence[Input]) -> Snapshot:
        """A version as it is now, and which of at most 99 inputs it already holds."""
        wanted = [_version_key(version), *(_input_key(version, single) for single in inputs)]
        with translated("reading an aggregate"):
            found = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        rows = [from_item(item) for item in found]
        present = frozenset((Instant(row["event_time"]), row["event_id"]) for row in rows if "event_id" in row)
        for row in rows:
            if "revision" in row:
                return Snapshot(_aggregate(row), row["revision"], present)
        return Snapshot(Aggregate(), 0, present)

    def add(self, version: Version, snapshot: Snapshot, inputs: Sequence[Input], now: Instant) -> None:
        """Write at most 98 new inputs, the aggregate with them and the progress they make, all or nothing."""
        merged = merge(snapshot.aggregate, aggregate_of(inputs))
        actions = [_put_input(self.aggregates_table, version, single) for single in inputs]
        actions.append(_put_version(self.aggregates_table, version, merged, snapshot.revision, now))
        if version.of_job:
            actions.append(_count_progress(self.replays_table, version, inputs))
        with translated("writing an aggregate"):
            reasons = write_together(self.dynamodb, actions)
        if reasons:
            raise Contended(f"The aggregate of {version.day} changed while it was being computed.")

    def versions(self, entity_id: str, day: Day) -> list[AggregateVersion]:
        """Every version of a daily aggregate, newest first."""
        with translated("reading aggregates"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :versions)",
                ExpressionAttributeValues=to_item(
                    {":pk": keys.entity(entity_id), ":versions": keys.aggregate_versions(day)}
                ),
                ConsistentRead=True,
            )
            rows = [from_item(item) for page in pages for item in page["Items"]]
        found = [
            AggregateVersion(Version(entity_id, day, row["replay_id"]), _aggregate(row), row["computed_at"])
            for row in rows
        ]
        return sorted(found, key=_newest, reverse=True)

    def inputs(self, version: Version, after: str | None, limit: int) -> InputsPage:
        """At most `limit` inputs of a version, by time and id: one Query."""
        low = keys.after_position(after)
        with translated("reading an aggregate's inputs"):
            answer = self.dynamodb.query(
                TableName=self.aggregates_table,
                KeyConditionExpression="PK = :pk AND SK > :low",
                ExpressionAttributeValues=to_item({":pk": keys.inputs(version), ":low": low}),
                ConsistentRead=True,
                Limit=limit,
            )
        last = answer.get("LastEvaluatedKey")
        return InputsPage(tuple(map(_input, answer["Items"])), last["SK"]["S"] if last else None)

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        """Those of the candidates whose event went into the version: a BatchGetItem for each hundred."""
        by_key = {_place(version, event.event_time, event.event_id): (version, event) for version, event in candidates}

        def look_up(places: Sequence[tuple[str, str]]) -> list[Item]:
            wanted = [to_item({"PK": partition, "SK": sort_key}) for partition, sort_key in places]
            return get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)

        with translated("looking up an aggregate's inputs"):
            found = self.concurrently(look_up, chunked(list(by_key), KEYS_A_GET))
        present = {(item["PK"]["S"], item["SK"]["S"]) for items in found for item in items}
        return [candidate for place, candidate in by_key.items() if place in present]


def _version_key(version: Version) -> Item:
    return to_item({"PK": keys.entity(version.entity_id), "SK": keys.aggregate_version(version)})


def _place(version: Version, event_time: Instant, event_id: str) -> tuple[str, str]:
    return keys.inputs(version), keys.event(event_time, event_id)


def _input_key(version: Version, single: Input) -> Item:
    partition, sort_key = _place(version, single.event_time, single.event_id)
    return to_item({"PK": partition, "SK": sort_key})


def _input(item: Item) -> Input:
    row = from_item(item)
    return Input(Instant(row["event_time"]), row["event_id"], row["event_type"], row["content_sha256"])


def _put_input(table: str, version: Version, single: Input) -> dict[str, Any]:
    values = to_item(
        {
            "event_id": single.event_id,
            "event_time": single.event_time,
            "event_type": single.event_type,
            "content_sha256": single.content_sha256,
        }
    )
    item = _input_key(version, single) | values
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(PK)"}}


def _put_version(table: str, version: Version, merged: Aggregate, revision: int, now: Instant) -> dict[str, Any]:
    put: dict[str, Any] = {"TableName": table, "Item": _version_row(version, merged, revision + 1, now)}
    if revision == 0:
        put["ConditionExpression"] = "attribute_not_exists(PK)"
    else:
        put["ConditionExpression"] = "revision = :read"
        put["ExpressionAttributeValues"] = to_item({":read": revision})
    return {"Put": put}


def _count_progress(table: str, version: Version, inputs: Sequence[Input]) -> dict[str, Any]:
    counter = keys.progress(inputs[0].event_id)
    return {
        "Update": {
            "TableName": table,
            "Key": to_item({"PK": keys.replay(version.replay_id), "SK": counter}),
            "UpdateExpression": "ADD processed_count :count",
            "ExpressionAttributeValues": to_item({":count": len(inputs)}),
        }
    }


def _version_row(version: Version, aggregate: Aggregate, revision: int, now: Instant) -> Item:
    values = {
        "replay_id": version.replay_id,
        "metric_name": METRIC_NAME,
        "value": aggregate.value,
        "input_count": aggregate.input_count,
        "inputs_hash": aggregate.inputs_hash,
        "sample_event_ids": aggregate.sample_event_ids,
        "counts_by_type": dict(aggregate.counts_by_type),
        "window_start": start_of(version.day),
        "window_end": end_of(version.day),
        "computed_at": now,
        "samples": [list(sample) for sample in aggregate.samples],
        "state": multiset_hash.to_bytes(aggregate.state),
        "revision": revision,
    }
    return _version_key(version) | to_item(values)


def _newest(stored: AggregateVersion) -> tuple[int, str]:
    """When a version was asked for, in milliseconds: its id tells, where it is a replay's; else when it was written.

    A message that was long on its way must not bring an old replay to the top.
    """
    replay_id = stored.version.replay_id
    if _UUID7.fullmatch(replay_id):
        return int(replay_id[:13].replace("-", ""), 16), replay_id
    return nanoseconds(stored.computed_at) // _NANOSECONDS_A_MS, replay_id


def _aggregate(row: Mapping[str, Any]) -> Aggregate:
    return Aggregate(
        input_count=row["input_count"],
        counts_by_type=row["counts_by_type"],
        samples=tuple((Instant(event_time), event_id) for event_time, event_id in row["samples"]),
        state=multiset_hash.from_bytes(row["state"]),
    )
