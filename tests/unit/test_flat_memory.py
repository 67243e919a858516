"""What a planner and a processor hold does not grow with the replay: four times the events, the same memory."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import pytest

from chalicelib.aggregates.ledger import Changes, Ledger, OutcomeRecord
from chalicelib.core.pagination import PageOf
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Instant
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.index_pages import Page, Partition, Row, TypeDayPartition
from chalicelib.events.ports import EVERY_EVENT, EventFilter
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import ProcessBatch
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.events_file import LINE_BYTES, EventsFile
from chalicelib.replays.job import JobState, Outbox, ReplayJob
from chalicelib.replays.messages import ReplayMessage, message_of
from chalicelib.replays.named_events import NamedEvents
from chalicelib.replays.origins import Origins
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.request_body import parse_replay_request
from chalicelib.replays.tasks import ReplayTask
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import (
    Bucket,
    FilesInMemory,
    Jobs,
    Queues,
    Rows,
    at,
    destinations,
    no_pause,
    one_by_one,
    origins_of,
)
from tests.unit.ledger_in_memory import States

pytestmark = pytest.mark.long

FEW, MANY = 2_500, 10_000
"""More than a planner reads and sends at once, and four times as many."""

FEW_BATCHES, MANY_BATCHES, BATCH = 5, 20, 40
NO_MORE = 1.2
"""The same but for a few names and numbers; what grew with the replay would be four times as much."""

MOST_OF_A_FILE = 16_000_000
"""Bytes, whatever the file has: a piece of it as bytes and as ids, and a batch of messages."""

DAYS, SHARDS = 10, 2

BY_ENTITY = {"entity_id": "order-1", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
BY_TYPE = {"source": "shop", "event_type": "paid", "start_day": "2026-11-21", "end_day": "2026-11-30"}


def most_allocated(work: Callable[[], object]) -> int:
    """The most memory that Python's objects took while something was done, beyond what there was."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@dataclass
class Generated(Rows):
    """An index whose rows are made when they are read: `total` events, spread over days and shards."""

    total: int = 0

    def page(
        self,
        partition: Partition,
        after: str | None,
        limit: int,
        wanted: EventFilter = EVERY_EVENT,
        *,
        newest_first: bool = False,
    ) -> Page:
        shard, shards, in_partition = 0, 1, self.total
        if isinstance(partition, TypeDayPartition):
            shard, shards, in_partition = partition.shard, SHARDS, self.total // DAYS // SHARDS
        begin = 0 if after is None else (int(after) - shard) // shards + 1
        end = min(begin + limit, in_partition)
        rows = tuple(
            Row(f"{number * shards + shard:06d}", generated(f"{partition.window}{shard}{number}"))
            for number in range(begin, end)
        )
        return Page(rows, None if end == in_partition else rows[-1].sort_key)

    def duplicates(self, event_id: str, after: str | None, limit: int) -> PageOf[Arrival]:
        arrival = Arrival(ArrivalKind.DUPLICATE, event_id, INGESTED, "request", 0, event_id)
        return PageOf((arrival,), None)


def generated(seed: str) -> StoredEvent:
    """An event of which only its row is known."""
    name = sha256(seed.encode()).hexdigest()
    instant = Instant("2026-11-21T10:00:00.000000000Z")
    return StoredEvent(
        name,
        "shop",
        "paid",
        "order-1",
        instant,
        INGESTED,
        name,
        "request",
        "local",
        RawLocation("raw", f"raw/{name}", 0, 9),
    )


class Forgetful(Queues):
    """Queues that only count what was sent."""

    count = 0

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        self.count += len(messages)


class Brief(Jobs):
    """Jobs that keep the outbox of the last commit alone: DynamoDB keeps them all."""

    def commit(self, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
        self.outboxes.clear()
        super().commit(planned_from, reached, outbox)


def planned(request: dict[str, Any], total: int) -> int:
    """Plan a replay of so many events to its end; answers how many messages were sent."""
    return planned_to_end(request, origins_of(Generated(total=total))).sent


def planned_to_end(request: dict[str, Any], origins: Origins) -> ReplayJob:
    """Plan a replay to its end; answers its job."""
    jobs, queues, ids = Brief(), Forgetful(), itertools.count()
    asked = parse_replay_request(json.dumps(request).encode())
    job = ReplayJob("replay-1", asked, "somebody", INGESTED, INGESTED, SHARDS)
    jobs.create(job, None, "")
    planner = PlanReplay(
        jobs,
        origins,
        queues,
        destinations(queues),
        at(),
        lambda _: None,
        lambda: str(next(ids)),
        one_by_one,
        index_lag_s=0,
    )
    while jobs.by_id[job.replay_id].state is not JobState.SENT:
        planner.plan_slice(ReplayTask(job.replay_id), lambda: 900_000)
    assert queues.count == jobs.by_id[job.replay_id].sent
    return jobs.by_id[job.replay_id]


@pytest.mark.parametrize(
    ("request_", "messages_of_an_event"),
    [(BY_ENTITY, 1), (BY_TYPE, 1), (BY_ENTITY | {"include_duplicates": True}, 2)],
    ids=["entity", "type", "duplicates"],
)
def test_a_planner(request_: dict[str, Any], messages_of_an_event: int) -> None:
    sent = []
    few = most_allocated(lambda: sent.append(planned(request_, FEW)))
    many = most_allocated(lambda: sent.append(planned(request_, MANY)))

    assert sent == [FEW * messages_of_an_event, MANY * messages_of_an_event]
    assert many < few * NO_MORE


class GeneratedFile(FilesInMemory):
    """A file whose ids are made when they are read, so that the test keeps none; every fourth is of no event."""

    ids = 0

    def find(self, name: str, at: Instant, months: int) -> EventsFile | None:
        return EventsFile(name, name, self.ids * LINE_BYTES, "tag")

    def read(self, file: EventsFile, offset: int, length: int) -> bytes:
        numbers = range(offset // LINE_BYTES, (offset + length) // LINE_BYTES)
        return b"".join(b"%064x\n" % number for number in numbers)


class GeneratedIdentities(Rows):
    """Events that are made when their ids are looked up."""

    def first_seen(self, event_ids: Sequence[str], *, consistent: bool = False) -> dict[str, StoredEvent]:
        return {each: replace(generated("any"), event_id=each) for each in event_ids if int(each, 16) % 4}


def planned_of_a_file(ids: int) -> ReplayJob:
    """Plan a replay of a file of so many ids to its end."""
    files, hashed = GeneratedFile(), sha256()
    files.ids = ids
    for number in range(ids):
        hashed.update(b"%064x\n" % number)
    origins = replace(origins_of(Rows()), named=NamedEvents(files, GeneratedIdentities(), at()))
    return planned_to_end({"events_file": hashed.hexdigest()}, origins)


@pytest.mark.parametrize("ids", [100_000])
def test_a_planner_of_a_file(ids: int) -> None:
    jobs: list[ReplayJob] = []
    few = most_allocated(lambda: jobs.append(planned_of_a_file(ids // 4)))
    many = most_allocated(lambda: jobs.append(planned_of_a_file(ids)))

    assert [(job.sent, job.not_found) for job in jobs] == [(ids // 16 * 3, ids // 16), (ids // 4 * 3, ids // 4)]
    assert many < few * NO_MORE
    assert many < MOST_OF_A_FILE


@dataclass
class ForgetfulLedger:
    """A ledger that only counts what was written to it."""

    written: list[int] = field(default_factory=lambda: [0])

    def read(self, records: Sequence[OutcomeRecord]) -> Ledger:
        return Ledger()

    def write(self, changes: Changes, now: Instant) -> None:
        self.written[0] += len(changes.transitions)


def processed(batches: int) -> int:
    """Process so many batches, each of other events in an object of its own; answers how many were recorded."""
    bucket, ledger = Bucket(), ForgetfulLedger()
    recorder, states = RecordInLedger(ledger, at(), no_pause), States({"replay-1": JobState.SENT})
    processor = ProcessBatch(FetchAndVerify(bucket, one_by_one), states, recorder)
    for number in range(batches):
        bucket.objects.clear()
        batch = [an_event(entity_id=f"order-{number % 7}", payload=[number, each]) for each in range(BATCH)]
        messages = [message_of("replay-1", TO_AGGREGATES, event) for event in bucket.put_once(batch, RECEIPT)]
        report = processor.process([Delivery(message.event_id, "", message.model_dump_json()) for message in messages])
        assert report.failures == {}
    return ledger.written[0]


def test_a_processor() -> None:
    recorded = [processed(1)]  # what is made once and kept is made now
    few = most_allocated(lambda: recorded.append(processed(FEW_BATCHES)))
    many = most_allocated(lambda: recorded.append(processed(MANY_BATCHES)))

    assert recorded == [BATCH, FEW_BATCHES * BATCH, MANY_BATCHES * BATCH]
    assert many < few * NO_MORE


def test_memory_that_grows_would_be_seen() -> None:
    def hoarding(total: int) -> int:
        hoard: list[StoredEvent] = []
        hoard.extend(generated(str(number)) for number in range(total))
        return len(hoard)

    few, many = most_allocated(lambda: hoarding(500)), most_allocated(lambda: hoarding(2_000))

    assert many > few * 3
