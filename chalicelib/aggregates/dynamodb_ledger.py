"""The ledger in DynamoDB: writes outcomes of messages, aggregates and progress together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aggregates.aggregate import Definitions, Version
from chalicelib.aggregates.dynamodb_rows import (
    outcome_key,
    outcome_of,
    outcome_row,
    snapshot_of,
    version_key,
    version_row,
)
from chalicelib.aggregates.ledger import (
    Changes,
    Counts,
    Ledger,
    LedgerKey,
    NewRevision,
    Outcome,
    OutcomeRecord,
    Transition,
    VersionConflict,
    VersionInput,
    count_delta,
    record_of,
)
from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import Cancellation, Item, get_items, to_item, write_together
from chalicelib.aws.errors import translated
from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Pause
from chalicelib.core.timestamps import Instant
from chalicelib.replays.messages import MessageIdentity, ReplayMessage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Action = dict[str, Any]


@dataclass(frozen=True)
class DynamoAggregateStore:
    """AggregatesTable, and the progress counters in ReplaysTable that change with it."""

    dynamodb: DynamoDBClient
    aggregates_table: str
    replays_table: str
    pause: Pause

    def read(self, records: Sequence[OutcomeRecord]) -> Ledger:
        """What is recorded of messages, and the versions that inputs are to be added to: one BatchGetItem."""
        ledger_keys = [each.key for each in records]
        versions = {added.version: added.definitions for each in records for added in each.inputs}
        wanted = [*map(outcome_key, ledger_keys), *map(version_key, versions)]
        with translated("reading what became of messages"):
            items = get_items(self.dynamodb, self.aggregates_table, wanted, self.pause, consistent=True)
        return _ledger(ledger_keys, versions, items)

    def processed(self, messages: Sequence[ReplayMessage]) -> list[MessageIdentity]:
        """Those of at most 100 messages of a replay that were processed, or reported done: one BatchGetItem."""
        records = {message.identity: record_of(message, Outcome.FAILED) for message in messages}
        outcomes = self.read(list(records.values())).outcomes
        return [identity for identity, each in records.items() if count_delta(None, outcomes.get(each.key)).processed]

    def write(self, changes: Changes, now: Instant) -> None:
        """Write outcomes, aggregates and the progress of replays together: one TransactWriteItems.

        Raises WriteConflict if any of it has changed since it was read: VersionConflict if DynamoDB says how it is.
        """
        actions = [
            *map(self._put_outcome, changes.transitions),
            *(self._put_input(each, added) for each in changes.transitions for added in each.record.elsewhere),
            *(self._put_version(revised, now) for revised in changes.revisions),
            *(self._count(replay_id, by, _first_id(changes), now) for replay_id, by in changes.progress.items()),
        ]
        with translated("writing what became of messages"):
            cancelled = write_together(self.dynamodb, actions)
        if cancelled is not None:
            raise _contention(changes, cancelled)

    def _put_outcome(self, transition: Transition) -> Action:
        item = outcome_row(transition.record)
        if transition.before is None:
            return self._put(item, "attribute_not_exists(PK)")
        return self._put(item, "outcome = :read", transition.before.value)

    def _put_input(self, transition: Transition, added: VersionInput) -> Action:
        """An input of another calendar's version. The message's own row has the condition for all of them."""
        elsewhere = OutcomeRecord(added.version, added.event, Outcome.INPUT, transition.record.message_key)
        return {"Put": {"TableName": self.aggregates_table, "Item": outcome_row(elsewhere)}}

    def _put_version(self, revised: NewRevision, now: Instant) -> Action:
        item = version_row(revised, now)
        if revised.read_revision == 0:
            return self._put(item, "attribute_not_exists(PK)")
        return self._put(item, "revision = :read", revised.read_revision)

    def _put(self, item: Item, condition: str, read: str | int | None = None) -> Action:
        put: Action = {
            "TableName": self.aggregates_table,
            "Item": item,
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if read is not None:
            put["ExpressionAttributeValues"] = to_item({":read": read})
        return {"Put": put}

    def _count(self, replay_id: str, by: Counts, seed: str, now: Instant) -> Action:
        """Add to a progress counter, which also says when it was changed, and when the last message failed."""
        named = {"processed_count": by.processed, "failed_count": by.failed, "dropped_count": by.dropped}
        added = {name: value for name, value in named.items() if value}
        times = {"counted_at": now} | ({"failed_at": now} if by.failed > 0 else {})
        return {
            "Update": {
                "TableName": self.replays_table,
                "Key": to_item({"PK": replay_keys.replay(replay_id), "SK": replay_keys.progress(seed)}),
                "UpdateExpression": "ADD "
                + ", ".join(f"{name} :{name}" for name in added)
                + " SET "
                + ", ".join(f"{name} = :{name}" for name in times),
                "ExpressionAttributeValues": to_item({f":{name}": value for name, value in (added | times).items()}),
            }
        }


def _first_id(changes: Changes) -> str:
    return changes.transitions[0].record.message_key.event_id


def _ledger(ledger_keys: Iterable[LedgerKey], versions: Mapping[Version, Definitions], items: Iterable[Item]) -> Ledger:
    """Read those ledger_keys and versions from items."""
    found = {(item["PK"]["S"], item["SK"]["S"]): item for item in items}

    def item_at(key: Item) -> Item | None:
        return found.get((key["PK"]["S"], key["SK"]["S"]))

    of_keys = ((key, item_at(outcome_key(key))) for key in ledger_keys)
    of_versions = ((version, item_at(version_key(version))) for version in versions)
    return Ledger(
        {key: outcome_of(item) for key, item in of_keys if item is not None},
        {version: snapshot_of(item, versions[version]) for version, item in of_versions if item is not None},
    )


def _contention(changes: Changes, cancelled: Cancellation) -> WriteConflict:
    """How others came first: with what they wrote, if each action that did not hold was told the item it met."""
    message = "Aggregates changed while they were being computed."
    untold = any(reason.condition_failed and reason.item is None for reason in cancelled.reasons)
    if untold or cancelled.contention:
        return WriteConflict(message, cancelled.attempts)
    met = [reason.item for reason in cancelled.reasons if reason.item is not None]
    ledger_keys = [transition.record.key for transition in changes.transitions]
    found = _ledger(ledger_keys, {revised.version: revised.definitions for revised in changes.revisions}, met)
    return VersionConflict(message, found, cancelled.attempts)
