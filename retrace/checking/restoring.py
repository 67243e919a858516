"""Writes what tables lack, as ingest and the routes do: rows of raw lines, metrics of records. Deletes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from time import sleep
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.errors import code_of, translated
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_identities import DynamoIdentities
from chalicelib.events.dynamodb_rows import index_row
from chalicelib.events.dynamodb_sources import DynamoSources
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.catalogue import Catalogue, Change, NamedMetric
from chalicelib.metrics.s3_changes import recorded_change
from retrace.checking.claims import apart
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.checking.stores import RawBucket, Tables, place_of
from retrace.concurrency import concurrently, in_order

if TYPE_CHECKING:
    from retrace.checking.deployment import RowSettings

_REQUEST = "restored-"


@dataclass(frozen=True, slots=True)
class Restored:
    """How many events got rows, had them, or lost against another line of their identity.

    `conflicts` are those that lost against other content: the line that has the rows, and the one that lost.
    """

    written: int = 0
    present: int = 0
    repeated: int = 0
    conflicts: tuple[tuple[StoredEvent, StoredEvent], ...] = ()

    def counts(self) -> dict[str, int]:
        """The same in numbers."""
        numbers = {"written": self.written, "present": self.present, "repeated": self.repeated}
        return numbers | {"conflicting": len(self.conflicts)}


@dataclass(frozen=True)
class Restore:
    """Writes rows of events."""

    tables: Tables
    settings: RowSettings

    @cached_property
    def _sources(self) -> DynamoSources:
        return DynamoSources(self.tables.dynamodb, self.tables.events, sleep, concurrently)

    def write(self, events: Iterable[StoredEvent]) -> Restored:
        """Write what is missing of these events; of several with one identity, the first that is given."""
        given = list(events)
        firsts: dict[str, StoredEvent] = {}
        for event in given:
            firsts.setdefault(event.event_id, event)
        beaten = self._admitted(list(firsts.values()))
        own = [event for event in firsts.values() if _same_line(event, beaten.get(event.event_id))]
        completed = self._completed(own)
        holds = firsts | beaten
        others = [event for event in given if not _same_line(event, holds[event.event_id])]
        again = [event for event in others if self._expired(holds[event.event_id], event)]
        repeated = [event for event in others if event not in again]
        pairs = [(holds[event.event_id], event) for event in repeated]
        return Restored(
            len(firsts) - len(beaten) + completed + self._completed(again),
            len(own) - completed,
            len(repeated),
            tuple((first, event) for first, event in pairs if first.content_sha256 != event.content_sha256),
        )

    def _expired(self, first: StoredEvent, event: StoredEvent) -> bool:
        """Whether an identity had expired when it was used again, for an event that had an index row of its own."""
        expired = apart(first.ingest_time, event.ingest_time, self.settings.identity_ttl_s)
        return expired and place_of(first) != place_of(event)

    def _admitted(self, events: Sequence[StoredEvent]) -> dict[str, StoredEvent]:
        """Write rows as ingest does; answers the events that had an identity or index row before."""
        identities = DynamoIdentities(
            self.tables.dynamodb,
            dedupe_table=self.tables.dedupe,
            events_table=self.tables.events,
            shards=self.settings.shards,
            late_after_ms=self.settings.late_after_ms,
            dedupe_ttl_s=self.settings.identity_ttl_s,
            pause=sleep,
            concurrently=concurrently,
        )
        self._sources.record(events)
        # Identity rows name it in place of a request, which tells rows of this call from those of earlier ones.
        name = f"{_REQUEST}{uuid4()}"
        beaten: dict[str, StoredEvent] = {}
        for ingest_time, received in groupby(events, key=self._received):
            beaten |= identities.admit(list(received), name, ingest_time)
        return beaten

    def _received(self, event: StoredEvent) -> Instant:
        """What the expiry of an identity counts from; all the same where there is none, so that more go together."""
        return event.ingest_time if self.settings.identity_ttl_s is not None else Instant("")

    def _completed(self, events: Sequence[StoredEvent]) -> int:
        """Write index rows that are missing of known events, which ingest would take for duplicates."""
        places = {event.event_id: place_of(event) for event in events}
        present = {row["SK"] for row in self.tables.index_rows(places.values())}
        missing = [event for event in events if places[event.event_id]["SK"] not in present]
        return sum(in_order(self._put_if_absent, missing))

    def _put_if_absent(self, event: StoredEvent) -> bool:
        row = index_row(event, self.settings.shards, self.settings.late_after_ms)
        with translated("writing the index"):
            try:
                self.tables.dynamodb.put_item(
                    TableName=self.tables.events, Item=row, ConditionExpression="attribute_not_exists(PK)"
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def is_restored(identity: Mapping[str, object]) -> bool:
    """Whether an identity row was written from a raw line, so that it does not tell which line was acknowledged."""
    return str(identity.get("written_by")).startswith(_REQUEST)


def _same_line(event: StoredEvent, other: StoredEvent | None) -> bool:
    return other is not None and event.location == other.location


@dataclass
class MetricRecords:
    """The records of a bucket."""

    bucket: RawBucket
    restored: int = 0
    """How many metrics were written."""

    def restore(self, catalogue: Catalogue) -> Iterator[Difference]:
        """Write every metric that the catalogue lacks, change by change; answers records that are damaged."""
        every_key = (key for page in self.bucket.keys(keys.METRICS) for key in page)
        for _, of_name in groupby(every_key, key=lambda key: key.rpartition("/")[0]):
            changes = list[Change]()
            for key, content in in_order(lambda key: (key, self.bucket.content(key) or b""), of_name):
                try:
                    changes.append(recorded_change(key, content))
                except IntegrityFailure as error:
                    yield Difference(Kind.RECORD_CHANGED, s3_key=key, detail=str(error))
            self.restored += _written(catalogue, changes)


def _written(catalogue: Catalogue, changes: list[Change]) -> bool:
    """Write the changes of a metric in their order, unless the catalogue has the metric."""
    if not changes or catalogue.named(changes[0].name) is not None:
        return False
    read: NamedMetric | None = None
    for change in changes:
        catalogue.change(change, read)
        read = NamedMetric(change)
    return True
