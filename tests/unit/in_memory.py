"""Storage and queues in memory, as the ports describe them, and trouble that can come between any two calls."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, TypeVar, cast

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure, NotFound, RawObjectMissing, TryAgain, WriteConflict
from chalicelib.core.pagination import PageOf
from chalicelib.core.timestamps import Instant, Window, day_of, nanoseconds
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.event import Event
from chalicelib.events.index_pages import LateDayPartition, Page, Partition, Row, TypeDayPartition
from chalicelib.events.ports import EVERY_EVENT, Counted, EventFilter, SourceAndType
from chalicelib.events.raw_objects import (
    MAX_HEAD_BYTES,
    RawLocation,
    Receipt,
    StoredEvent,
    event_time_of,
    name_of,
    object_of,
    receipt_of,
    stored_events,
)
from chalicelib.ingest.rejection import Rejection
from chalicelib.replays import commit_batch
from chalicelib.replays.destinations import DeclaredDestination
from chalicelib.replays.events_file import EventsFile, Upload, content_of
from chalicelib.replays.in_flight import InFlight
from chalicelib.replays.job import Outbox, ReplayJob, unpacked
from chalicelib.replays.messages import MessageIdentity, ReplayMessage
from chalicelib.replays.named_events import NamedEvents
from chalicelib.replays.origins import Origins
from chalicelib.replays.ports import KeyedReplay, ReplayPlace
from chalicelib.replays.preview import DaysInMemory
from chalicelib.replays.rate_limit import MOST_BEHIND_S
from chalicelib.replays.tasks import ReplayTask
from tests.unit.examples import INGESTED

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")

BUCKET = "raw-bucket"
LATE_MS = 3_600_000


def origins_of(index: Any, jobs: Jobs | None = None, ledger: ProcessedInMemory | None = None) -> Origins:
    """Where the events of replays come from: most tests need no more of it than the index."""
    return Origins(index, jobs or Jobs(), ledger or ProcessedInMemory(), named_in(index))


def named_in(index: Any, files: Any = None) -> NamedEvents:
    """The events that files name, of those that are indexed."""
    return NamedEvents(files or FilesInMemory(), index, at())


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


class Ended(BaseException):
    """The function's process ends in the middle of what it was doing; nobody can catch it."""


@dataclass
class Troubles:
    """What goes wrong with the calls to come.

    "refused" ones are not done; of "lost" ones the answer is lost; after "last" ones the function has ended.
    """

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
        if trouble == "last":
            raise Ended
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

    def put_once(self, events: Sequence[Event], receipt: Receipt) -> list[StoredEvent]:
        key = self.key_of(events, receipt.ingest_time)
        kept = self.objects.setdefault(key, object_of(events, receipt))
        return stored_events(events, receipt_of(kept[:MAX_HEAD_BYTES]), BUCKET, key)

    def read(self, location: RawLocation) -> bytes:
        self.reads += 1
        assert location.bucket == BUCKET
        if location.key not in self.objects:
            raise RawObjectMissing(f"no {location}")
        content = self.objects[location.key]
        if location.offset >= len(content):
            raise IntegrityFailure(f"no {location}")
        return content[location.offset : location.offset + location.length]

    def read_lines(self, bucket: str, key: str) -> list[bytes]:
        return self.read(RawLocation(bucket, key, 0, 2**62)).splitlines()


@dataclass
class QuarantineInMemory:
    """Refused events by id; the first record stands."""

    kept: dict[str, Rejection] = field(default_factory=dict)

    def keep(self, rejected: Rejection) -> None:
        self.kept.setdefault(rejected.rejected_id, rejected)


@dataclass
class SourcesInMemory:
    """Sources and types, and when each was first seen."""

    seen: dict[tuple[str, str], Instant] = field(default_factory=dict)

    def record(self, events: Sequence[StoredEvent]) -> None:
        for event in events:
            pair = event.source, event.event_type
            self.seen[pair] = min(event.ingest_time, self.seen.get(pair, event.ingest_time))

    def page(self, after: str | None, limit: int, source: str | None = None) -> PageOf[SourceAndType]:
        """Positions are numbers."""
        begin = int(after or 0)
        pairs = (pair for pair in sorted(self.seen) if source in (None, pair[0]))
        found = [SourceAndType(*pair, self.seen[pair]) for pair in pairs]
        more = begin + limit < len(found)
        return PageOf(tuple(found[begin : begin + limit]), str(begin + limit) if more else None)


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

    def admit(self, events: Sequence[StoredEvent], written_by: str, received_at: Instant) -> dict[str, StoredEvent]:
        first = {event.event_id: self.by_id.setdefault(event.event_id, (event, written_by)) for event in events}
        return {event_id: stored for event_id, (stored, writer) in first.items() if writer != written_by}

    def record(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        self.recorded += arrivals
        return []

    def arrivals(self, event_id: str, limit: int) -> list[Arrival]:
        return [arrival for arrival in self.recorded if arrival.event_id == event_id][:limit]

    def duplicates(self, event_id: str, after: str | None, limit: int) -> PageOf[Arrival]:
        """As much as was asked for or less, as DynamoDB may end a page early."""
        found = [arrival for arrival in self.arrivals(event_id, 1_000) if arrival.kind is ArrivalKind.DUPLICATE]
        begin = 0 if after is None else int(after)
        size = max(1, min(limit, self.page_size()))
        more = begin + size < len(found)
        return PageOf(tuple(found[begin : begin + size]), str(begin + size) if more else None)

    def has_arrival(self, event_id: str, kind: ArrivalKind) -> bool:
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
        """As much as was asked for or less, as DynamoDB may end a page early, and rows filtered out of that."""
        assert (wanted.source, wanted.event_type) == (None, None)
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
        least = -sys.maxsize if wanted.min_lag_ms is None else wanted.min_lag_ms
        found = tuple(row for row in rest[:size] if row.event.ingest_lag_ms >= least)
        return Page(found, rest[size - 1].sort_key if len(rest) > size else None)

    def count(self, partition: Partition, after: str | None, wanted: EventFilter = EVERY_EVENT) -> Counted:
        page = self.page(partition, after, self.page_size(), wanted)
        return Counted(len(page.rows), page.read_to)

    def late(self, partition: LateDayPartition, after: str | None, limit: int, arrived: Window | None = None) -> Page:
        """As much as was asked for or less, and rows filtered out of that."""
        found = [
            Row(keys.lag(event.ingest_lag_ms, event.event_id), event)
            for event, _ in self.by_id.values()
            if event.ingest_lag_ms >= LATE_MS and _arrived_in(partition, event)
        ]
        rest = sorted(
            (row for row in found if after is None or row.sort_key < after), key=lambda row: row.sort_key, reverse=True
        )
        size = max(1, min(limit, self.page_size()))
        wanted = (row for row in rest[:size] if not arrived or arrived.start <= row.event.ingest_time < arrived.end)
        return Page(tuple(wanted), rest[size - 1].sort_key if len(rest) > size else None)


def _arrived_in(partition: LateDayPartition, event: StoredEvent) -> bool:
    of_type = (event.source, event.event_type) == (partition.source, partition.event_type)
    in_shard = int(event.event_id[0], 16) % 2 == partition.shard
    return of_type and in_shard and day_of(event.ingest_time) == partition.ingest_day


def _in(partition: Partition, event: StoredEvent) -> bool:
    if not partition.window.start <= event.event_time < partition.window.end:
        return False
    if isinstance(partition, TypeDayPartition):
        of_type = (event.source, event.event_type) == (partition.source, partition.event_type)
        return of_type and int(event.event_id[0], 16) % 2 == partition.shard
    return event.entity_id == partition.entity_id


@dataclass
class FilesInMemory:
    """Files that name events. Tests change what is kept."""

    kept: dict[str, bytes] = field(default_factory=dict)
    read_bytes: int = 0

    def keep(self, event_ids: Iterable[str]) -> str:
        """Keep a file as a client makes it; answers its name."""
        content = content_of(event_ids)
        self.kept[sha256(content).hexdigest()] = content
        return sha256(content).hexdigest()

    def find(self, name: str, at: Instant, months: int) -> EventsFile | None:
        return EventsFile(name, name, len(self.kept[name]), "tag") if name in self.kept else None

    def upload(self, name: str, size: int, at: Instant) -> Upload:
        return Upload("PUT", f"https://{name}", {"Content-Length": str(size)}, at)

    def read(self, file: EventsFile, offset: int, length: int) -> bytes:
        self.read_bytes = max(self.read_bytes, length)
        return self.kept[file.key][offset : offset + length]


@dataclass
class SentInMemory:
    """What a replay has sent to a consumer that reports."""

    by_identity: dict[MessageIdentity, ReplayMessage] = field(default_factory=dict)

    def add(self, messages: Iterable[ReplayMessage]) -> None:
        self.by_identity |= {message.identity: message for message in messages}

    def find(self, identities: Iterable[MessageIdentity]) -> dict[MessageIdentity, ReplayMessage]:
        return {each: self.by_identity[each] for each in identities if each in self.by_identity}


@dataclass
class SentEventsInMemory:
    """The events that were sent to a destination."""

    ids: set[str] = field(default_factory=set)

    def add(self, event_ids: Iterable[str]) -> None:
        self.ids |= set(event_ids)

    def among(self, event_ids: Sequence[str]) -> list[str]:
        assert len(event_ids) <= 100
        return [each for each in event_ids if each in self.ids]


@dataclass
class ProcessedInMemory:
    """What the ledger has of messages that were processed: replay and identity."""

    done: set[tuple[str, MessageIdentity]] = field(default_factory=set)

    def processed(self, messages: Sequence[ReplayMessage]) -> list[MessageIdentity]:
        assert len(messages) <= 100
        return [each.identity for each in messages if (each.replay_id, each.identity) in self.done]


@dataclass
class Jobs:
    """Replay jobs, what their keys stand for, the days they have found, and what they have sent."""

    by_id: dict[str, ReplayJob] = field(default_factory=dict)
    by_key: dict[str, KeyedReplay] = field(default_factory=dict)
    days: dict[str, DaysInMemory] = field(default_factory=lambda: defaultdict(DaysInMemory))
    sent: dict[str, SentInMemory] = field(default_factory=lambda: defaultdict(SentInMemory))
    outboxes: dict[str, bytes] = field(default_factory=dict)
    listed: dict[tuple[str, int], str] = field(default_factory=dict)
    sent_to: dict[str, SentEventsInMemory] = field(default_factory=lambda: defaultdict(SentEventsInMemory))
    newest_ms: int = 0
    metrics_defined: bool = False
    due: dict[str, int] = field(default_factory=dict)
    flights: dict[str, InFlight] = field(default_factory=dict)

    def next_place(self, now: Instant) -> ReplayPlace:
        self.newest_ms = max(nanoseconds(now) // 1_000_000, self.newest_ms + 1)
        return ReplayPlace(self.newest_ms, self.metrics_defined)

    def create(self, job: ReplayJob, idempotency_key: str | None, digest: str) -> KeyedReplay | None:
        if idempotency_key is not None:
            if idempotency_key in self.by_key:
                return self.by_key[idempotency_key]
            self.by_key[idempotency_key] = KeyedReplay(job.replay_id, digest)
        self.by_id[job.replay_id] = job
        return None

    def keyed(self, idempotency_key: str) -> KeyedReplay | None:
        return self.by_key.get(idempotency_key)

    def get(self, replay_id: str) -> ReplayJob | None:
        return self.by_id.get(replay_id)

    def newest(self, after: str | None, limit: int) -> PageOf[str]:
        older = [replay_id for replay_id in sorted(self.by_id, reverse=True) if after is None or replay_id < after]
        return PageOf(tuple(older[:limit]), older[limit - 1] if len(older) > limit else None)

    def touched_days(self, replay_id: str) -> DaysInMemory:
        return self.days[replay_id]

    def take_turn(self, destination: str, messages: int, rate: float, now: Instant) -> float:
        clock = nanoseconds(now)
        due = max(self.due.get(destination, 0), clock - int(MOST_BEHIND_S * 1_000_000_000))
        if due > clock:
            return (due - clock) / 1_000_000_000
        self.due[destination] = due + int(messages / rate * 1_000_000_000)
        return 0.0

    def in_flight(self, destination: str) -> InFlight:
        return self.flights.get(destination, InFlight())

    def keep_in_flight(self, destination: str, now: InFlight) -> None:
        if now.revision != self.in_flight(destination).revision + 1:
            raise WriteConflict("another planner was faster")
        self.flights[destination] = now

    def sent_messages(self, replay_id: str) -> SentInMemory:
        return self.sent[replay_id]

    def sent_events(self, destination: str) -> SentEventsInMemory:
        return self.sent_to[destination]

    def outbox(self, replay_id: str, commit_id: str) -> Outbox:
        return unpacked(self.outboxes[commit_id])

    def list_outbox(self, replay_id: str, first: int, commit_id: str, now: Instant) -> None:
        assert self.listed.setdefault((replay_id, first), commit_id) == commit_id, "no two commits have the same place"

    def outbox_with(self, replay_id: str, number: int) -> tuple[int, Outbox]:
        first = max((begin for of, begin in self.listed if of == replay_id and begin <= number), default=None)
        if first is not None and self.listed[replay_id, first] in self.outboxes:
            outbox = self.outbox(replay_id, self.listed[replay_id, first])
            if number < first + len(outbox.messages):
                return first, outbox
        raise NotFound(f"The outbox of replay {replay_id} expired.")

    def commit(self, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
        if self.by_id[reached.replay_id].revision != planned_from.revision:
            raise WriteConflict("moved on by another")
        if outbox is not None:
            self.outboxes[reached.committed_by] = outbox.packed
        self.by_id[reached.replay_id] = reached


@dataclass
class Queues:
    """What is to be planned, and what was sent."""

    to_plan: list[str] = field(default_factory=list)
    delays_s: list[int] = field(default_factory=list)
    to_plan_unless_planned: list[str] = field(default_factory=list)
    to_redrive: list[str] = field(default_factory=list)
    laid_aside: list[ReplayTask] = field(default_factory=list)
    sent: list[ReplayMessage] = field(default_factory=list)
    sent_in_order: list[ReplayMessage] = field(default_factory=list)

    def plan(self, replay_id: str, delay_s: int = 0) -> None:
        self.to_plan.append(replay_id)
        self.delays_s.append(delay_s)

    def plan_unless_planned(self, replay_id: str) -> None:
        self.to_plan_unless_planned.append(replay_id)

    def redrive(self, task: ReplayTask, delay_s: int = 0) -> None:
        self.to_redrive.append(task.replay_id)

    def lay_aside(self, task: ReplayTask) -> None:
        self.laid_aside.append(task)

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        self.sent += messages

    def send_ordered(self, messages: Sequence[ReplayMessage]) -> None:
        self.sent_in_order += messages


@dataclass(frozen=True)
class QueueOfMessages:
    """A destination of replays: one of the queues, when it is sent to."""

    queues: Queues
    name: str
    ordered: bool
    messages_a_batch: int
    max_in_flight: int | None = None
    rate: float | None = None

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        (self.queues.send_ordered if self.ordered else self.queues.send)(messages)


def destinations(queues: Queues, max_in_flight: int | None = None) -> Callable[[DeclaredDestination], QueueOfMessages]:
    """What sends to a destination: `ordered` is the FIFO queue, all others the queue of the processor."""

    def destination_of(declared: DeclaredDestination) -> QueueOfMessages:
        ordered = declared.name == "ordered"
        size = commit_batch.ORDERED_MESSAGES_A_BATCH if ordered else commit_batch.MESSAGES_A_BATCH
        return QueueOfMessages(queues, declared.name, ordered, size, None if ordered else max_in_flight)

    return destination_of


def copy_of(port: P) -> P:
    """What a port holds now, to be compared with what it holds later."""
    return deepcopy(port)
