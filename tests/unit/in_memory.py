"""Storage and queues in memory, as the ports describe them, and trouble that can come between any two calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar, cast

from chalicelib.domain.aggregation import Aggregate, Input, Place, Version, aggregate_of, merge
from chalicelib.domain.errors import Contended, NotFound, TryAgain
from chalicelib.domain.event import Event
from chalicelib.domain.ingest_report import Arrival, ArrivalKind
from chalicelib.domain.merging import Page, Row
from chalicelib.domain.messages import Delivery, ReplayMessage
from chalicelib.domain.partitions import Partition, TypeDayPartition
from chalicelib.domain.ports import EVERY_EVENT, AggregateVersion, EventFilter, InputsPage, Snapshot
from chalicelib.domain.quarantine import RejectedEvent
from chalicelib.domain.raw_line import (
    INGEST_TIME_RANGE,
    RawLocation,
    StoredEvent,
    event_time_of,
    name_of,
    object_of,
    stored_events,
)
from chalicelib.domain.replay_job import ReplayJob
from chalicelib.domain.timestamps import Day, Instant, day_of
from tests.unit.examples import INGESTED

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")

BUCKET = "raw-bucket"


def one_by_one(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Concurrency of one."""
    return [function(item) for item in items]


def at_once(rng: Random) -> Callable[..., list[Any]]:
    """Concurrency as far as one thread can have it: in any order, results in that of the items."""

    def apply(function: Callable[[Any], Any], items: Iterable[Any], /) -> list[Any]:
        todo = list(enumerate(items))
        done = {number: function(item) for number, item in rng.sample(todo, len(todo))}
        return [done[number] for number, _ in todo]

    return apply


def no_pause(attempt: int) -> None:
    """Retries follow at once."""


def at(instant: Instant = INGESTED) -> Callable[[], Instant]:
    """A clock that stands still."""
    return lambda: instant


@dataclass
class Troubles:
    """What goes wrong with the calls to come: "refused" ones are not done; of "lost" ones the answer is lost."""

    ahead: Iterator[str] = field(default_factory=lambda: iter(()))

    def beset(self, port: P) -> P:
        """The port, with trouble in its calls."""
        return cast("P", _Beset(port, self))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        trouble = next(self.ahead, "none")
        if trouble == "refused":
            raise TryAgain("the call was not taken")
        answer = function(*args, **kwargs)
        if trouble == "lost":
            raise TryAgain("the answer was lost")
        return answer


class _Beset:
    def __init__(self, port: Any, troubles: Troubles) -> None:
        self._port, self._troubles = port, troubles

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._troubles.call(found, *args, **kwargs)


@dataclass
class Bucket:
    """Raw objects, each written once."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bucket: str = BUCKET
    reads: int = field(default=0, compare=False)

    def key_of(self, events: Sequence[Event], ingest_time: Instant) -> str:
        event_day = day_of(event_time_of(events[0], ingest_time))
        return f"{events[0].source}/{event_day}/{day_of(ingest_time)}/{name_of(events)}"

    def put_once(self, events: Sequence[Event], ingest_time: Instant) -> list[StoredEvent]:
        key = self.key_of(events, ingest_time)
        start, end = INGEST_TIME_RANGE
        kept = self.objects.setdefault(key, object_of(events, ingest_time))
        return stored_events(events, Instant(kept[start:end].decode()), BUCKET, key)

    def read(self, location: RawLocation) -> bytes:
        self.reads += 1
        content = self.objects.get(location.key, b"")
        if location.bucket != BUCKET or location.offset >= len(content):
            raise NotFound(f"no {location}")
        return content[location.offset : location.offset + location.length]

    def read_lines(self, bucket: str, key: str) -> list[bytes]:
        return self.read(RawLocation(bucket, key, 0, 2**62)).splitlines()


@dataclass
class QuarantineInMemory:
    """Refused events by id; the first record stands."""

    kept: dict[str, RejectedEvent] = field(default_factory=dict)

    def keep(self, rejected: RejectedEvent) -> None:
        self.kept.setdefault(rejected.rejected_id, rejected)


@dataclass
class Rows:
    """Identity and index rows. A look-up may be stale: it forgets what `forgets` says."""

    by_id: dict[str, tuple[StoredEvent, str]] = field(default_factory=dict)
    recorded: list[Arrival] = field(default_factory=list)
    forgets: Callable[[str], bool] = lambda event_id: False
    page_size: Callable[[], int] = lambda: 500

    def first_seen(self, event_ids: Sequence[str], *, consistent: bool = False) -> dict[str, StoredEvent]:
        known = (event_id for event_id in event_ids if event_id in self.by_id and not self.forgets(event_id))
        return {event_id: self.by_id[event_id][0] for event_id in known}

    def admit(self, events: Sequence[StoredEvent], request_id: str, received_at: Instant) -> dict[str, StoredEvent]:
        first = {event.event_id: self.by_id.setdefault(event.event_id, (event, request_id)) for event in events}
        return {event_id: stored for event_id, (stored, written_by) in first.items() if written_by != request_id}

    def record(self, arrivals: Sequence[Arrival]) -> None:
        self.recorded += arrivals

    def arrivals(self, event_id: str, limit: int) -> list[Arrival]:
        return [arrival for arrival in self.recorded if arrival.event_id == event_id][:limit]

    def arrived_again(self, event_id: str, kind: ArrivalKind) -> bool:
        return any(arrival.kind is kind for arrival in self.arrivals(event_id, 1_000))

    def page(
        self,
        partition: Partition,
        after: str | None,
        limit: int,
        wanted: EventFilter = EVERY_EVENT,
        *,
        newest_first: bool = False,
    ) -> Page:
        """As much as was asked for or less, as DynamoDB may end a page early."""
        assert wanted == EVERY_EVENT
        assert not newest_first
        rows = sorted(
            (
                Row(f"{event.event_time}#{event.event_id}", event)
                for event, _ in self.by_id.values()
                if _in(partition, event)
            ),
            key=lambda row: row.sort_key,
        )
        rest = [row for row in rows if after is None or row.sort_key > after]
        size = max(1, min(limit, self.page_size()))
        return Page(tuple(rest[:size]), rest[size - 1].sort_key if len(rest) > size else None)

    def late(self, source: str, event_type: str, ingest_day: Day, after: str | None, limit: int) -> Page:
        raise NotImplementedError


def _in(partition: Partition, event: StoredEvent) -> bool:
    if not partition.window.start <= event.event_time < partition.window.end:
        return False
    if isinstance(partition, TypeDayPartition):
        of_type = (event.source, event.event_type) == (partition.source, partition.event_type)
        return of_type and int(event.event_id[0], 16) % 2 == partition.shard
    return event.entity_id == partition.entity_id


@dataclass
class Jobs:
    """Replay jobs."""

    by_id: dict[str, ReplayJob] = field(default_factory=dict)

    def create(self, job: ReplayJob) -> None:
        self.by_id[job.replay_id] = job

    def get(self, replay_id: str) -> ReplayJob | None:
        return self.by_id.get(replay_id)

    def commit(self, planned_from: ReplayJob, reached: ReplayJob) -> None:
        if self.by_id[reached.replay_id].revision != planned_from.revision:
            raise Contended("moved on by another")
        self.by_id[reached.replay_id] = reached


@dataclass
class Queues:
    """What is to be planned, what was sent, what was acknowledged."""

    to_plan: list[str] = field(default_factory=list)
    sent: list[ReplayMessage] = field(default_factory=list)
    acknowledged: list[Delivery] = field(default_factory=list)

    def plan(self, replay_id: str) -> None:
        self.to_plan.append(replay_id)

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        self.sent += messages

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += deliveries


@dataclass
class Aggregates:
    """Versions and their inputs. Before each write, `meanwhile` may let others get in first."""

    rows: dict[Version, Snapshot] = field(default_factory=dict)
    lineage: dict[Version, dict[Place, Input]] = field(default_factory=lambda: defaultdict(dict))
    progress: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    meanwhile: Callable[[], None] = lambda: None

    def snapshot(self, version: Version, inputs: Sequence[Input]) -> Snapshot:
        asked = {single.place for single in inputs}
        row = self.rows.get(version, Snapshot(Aggregate(), 0, frozenset()))
        return replace(row, present=frozenset(asked & set(self.lineage[version])))

    def add(self, version: Version, snapshot: Snapshot, inputs: Sequence[Input], now: Instant) -> None:
        self.meanwhile()
        assert len(inputs) <= 98, "a transaction holds no more"
        read = self.rows.get(version, Snapshot(Aggregate(), 0, frozenset())).revision
        if read != snapshot.revision or any(single.place in self.lineage[version] for single in inputs):
            raise Contended("changed since it was read")
        merged = merge(snapshot.aggregate, aggregate_of(inputs))
        self.rows[version] = Snapshot(merged, snapshot.revision + 1, frozenset())
        self.lineage[version] |= {single.place: single for single in inputs}
        self.progress[version.replay_id] += len(inputs)

    def versions(self, entity_id: str, day: Day) -> list[AggregateVersion]:
        found = [version for version in self.rows if (version.entity_id, version.day) == (entity_id, day)]
        return [AggregateVersion(version, self.rows[version].aggregate, INGESTED) for version in reversed(found)]

    def inputs(self, version: Version, after: str | None, limit: int) -> InputsPage:
        raise NotImplementedError

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        return [
            (version, event)
            for version, event in candidates
            if (event.event_time, event.event_id) in self.lineage[version]
        ]


def copy_of(port: P) -> P:
    """What a port holds now, to be compared with what it holds later."""
    return deepcopy(port)
