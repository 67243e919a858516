"""Identity in DynamoDB: which events are known, and who was first to write a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.aws.dynamodb import ACTIONS_A_TRANSACTION, KEYS_A_GET, Item, Reason, get_items, to_item, write_together
from chalicelib.aws.errors import translated
from chalicelib.core.errors import TryAgain
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Concurrently, Pause
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.events.dynamodb_rows import event_item, identity_row, index_row, stored_event, written_by
from chalicelib.events.raw_objects import StoredEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 8
_EVENTS_A_TRANSACTION = ACTIONS_A_TRANSACTION // 2
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class DynamoIdentities:
    """DedupeTable, whose rows are written together with those of EventsTable or not at all.

    `shards` is that of both indexes of EventsTable; `dedupe_ttl_s` is None where identities never expire.
    """

    dynamodb: DynamoDBClient
    dedupe_table: str
    events_table: str
    shards: int
    late_after_ms: int
    dedupe_ttl_s: int | None
    pause: Pause
    concurrently: Concurrently

    def first_seen(self, event_ids: Sequence[str], *, consistent: bool = False) -> dict[str, StoredEvent]:
        """The events known under these ids. A very recent one may be missed at half the price: `admit` decides."""

        def look_up(ids: Sequence[str]) -> list[Item]:
            wanted = [to_item({"event_id": event_id}) for event_id in ids]
            return get_items(self.dynamodb, self.dedupe_table, wanted, self.pause, consistent=consistent)

        with translated("looking identities up"):
            found = self.concurrently(look_up, chunked(event_ids, KEYS_A_GET))
        return {event.event_id: event for items in found for event in map(stored_event, items)}

    def admit(self, events: Sequence[StoredEvent], written_by: str, received_at: Instant) -> dict[str, StoredEvent]:
        """Write identity and index rows together if there are none; returns the events that were there first."""
        with translated("writing index and identity"):
            writer = _Writer(written_by, self._expiry(received_at))
            beaten = self.concurrently(
                lambda chunk: self._admit_together(chunk, writer), chunked(events, _EVENTS_A_TRANSACTION)
            )
        return {event_id: first for firsts in beaten for event_id, first in firsts.items()}

    def _admit_together(self, events: Sequence[StoredEvent], writer: _Writer) -> dict[str, StoredEvent]:
        beaten: dict[str, StoredEvent] = {}
        pending = list(events)
        stalled = 0
        while pending:
            actions = [action for event in pending for action in self._admission(event, writer)]
            cancelled = write_together(self.dynamodb, actions)
            if cancelled is None:
                break
            reasons = cancelled.reasons
            verdicts = [_Verdict(*row) for row in zip(pending, reasons[::2], reasons[1::2], strict=True)]
            for verdict in verdicts:
                first = self._first_of(verdict, writer)
                if first is not None:
                    beaten[verdict.event.event_id] = first
            remaining = [verdict.event for verdict in verdicts if not verdict.present]
            # Other writers of the same events settle some of them each time. Only attempts without progress count.
            if len(remaining) == len(pending):
                stalled += cancelled.attempts
            if stalled >= _ATTEMPTS:
                raise TryAgain("Other requests kept writing the same events.")
            if cancelled.contention:
                self.pause(stalled + 1)
            pending = remaining
        return beaten

    def _first_of(self, verdict: _Verdict, writer: _Writer) -> StoredEvent | None:
        """The line that had the event before this request, if any."""
        if verdict.identity.item is not None:
            # Our own row means that an earlier try was written though its answer was lost.
            own = written_by(verdict.identity.item) == writer.request_id
            return None if own else stored_event(verdict.identity.item)
        if verdict.index.item is not None:
            first = stored_event(verdict.index.item)
            # The identity had expired, or was lost, while the event is still indexed.
            write_together(self.dynamodb, self._admission(first, writer)[:1])
            return first
        return None

    def _admission(self, event: StoredEvent, writer: _Writer) -> list[dict[str, Any]]:
        said = event_item(event)
        identity = identity_row(event, writer.request_id, writer.expires_at, said)
        index = index_row(event, self.shards, self.late_after_ms, said)
        return [
            _put_if_absent(self.dedupe_table, "event_id", identity),
            _put_if_absent(self.events_table, "PK", index),
        ]

    def _expiry(self, received_at: Instant) -> int | None:
        if self.dedupe_ttl_s is None:
            return None
        return nanoseconds(received_at) // _NANOSECONDS + self.dedupe_ttl_s


@dataclass(frozen=True, slots=True)
class _Writer:
    """The request that writes identities, and until when (in seconds since 1970) they are to last."""

    request_id: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Why the rows of one event were not written."""

    event: StoredEvent
    identity: Reason
    index: Reason

    @property
    def present(self) -> bool:
        return self.identity.condition_failed or self.index.condition_failed


def _put_if_absent(table: str, key: str, item: Item) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table,
            "Item": item,
            "ConditionExpression": f"attribute_not_exists({key})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
