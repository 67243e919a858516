"""Planning: every event of a replay is sent, whatever the pages, the slices, and the crashes between any two steps."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import NotFound, RetraceError, WriteConflict
from chalicelib.core.percent_encoding import entity_digest
from chalicelib.core.timestamps import Instant, day_of, nanoseconds, shifted
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.index_pages import Page, Partition, TypeDayPartition
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays import commit_batch, planner, selection
from chalicelib.replays.job import JobState, Outbox, ReplayJob, beginning_of
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.missing import CompleteRequest
from chalicelib.replays.origins import Origins
from chalicelib.replays.planner import BATCHES_A_SLICE, WATCH_S, PlanReplay
from chalicelib.replays.request_body import parse_replay_request
from chalicelib.replays.tasks import ReplayTask
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.in_memory import (
    Ended,
    FilesInMemory,
    Jobs,
    ProcessedInMemory,
    Queues,
    Rows,
    Troubles,
    destinations,
    named_in,
    one_by_one,
)
from tests.unit.json_trees import randoms

BY_ENTITY = {"entity_id": "order-1007", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
IN_WINDOW = {
    "source": "shop/checkout",
    "event_types": ["order.paid", "order.sent"],
    "start_time": "2026-11-21T00:00:00Z",
    "end_time": "2026-11-23T00:00:00Z",
}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "start_day": "2026-11-21", "end_day": "2026-11-22"}


@dataclass
class Clock:
    """A clock that goes on only while somebody sleeps."""

    now: Instant = INGESTED

    def __call__(self) -> Instant:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now = shifted(self.now, int(seconds * 1_000_000_000))


@dataclass
class World:
    """Indexed events, jobs, queues, and the planner between them."""

    index: Rows = field(default_factory=Rows)
    files: FilesInMemory = field(default_factory=FilesInMemory)
    jobs: Jobs = field(default_factory=Jobs)
    queues: Queues = field(default_factory=Queues)
    ledger: ProcessedInMemory = field(default_factory=ProcessedInMemory)
    troubles: Troubles = field(default_factory=Troubles)
    clock: Clock = field(default_factory=Clock)
    max_in_flight: int | None = None
    index_lag_s: int = 0
    ids: Iterator[int] = field(default_factory=itertools.count)

    def request(self, *parts: dict[str, Any], **members: Any) -> ReplayJob:
        asked = {name: value for part in parts for name, value in part.items()} | members
        parsed = parse_replay_request(json.dumps(asked).encode())
        request = CompleteRequest(self.jobs, self.clock).completed(parsed)
        job = ReplayJob(
            f"replay-{len(self.jobs.by_id) + 1}",
            request,
            "somebody",
            INGESTED,
            INGESTED,
            shards=2,
            cursor=beginning_of(request),
            takes_reports=request.destination == "billing",
        )
        self.jobs.create(job, None, "")
        self.queues.plan(job.replay_id)
        return job

    def plan(self, replay_id: str, time_left: int = 900_000, *, last_chance: bool = False, waited_s: int = 0) -> int:
        task = ReplayTask(replay_id, waited_s=waited_s)
        return self.planner.plan_slice(task, lambda: time_left, last_chance=last_chance)

    @property
    def origins(self) -> Origins:
        beset = self.troubles.beset
        named = named_in(beset(self.index), beset(self.files))
        return Origins(beset(self.index), beset(self.jobs), beset(self.ledger), named)

    @property
    def planner(self) -> PlanReplay:
        beset = self.troubles.beset
        queues = beset(self.queues)
        return PlanReplay(
            self.troubles.beset(self.jobs),
            self.origins,
            queues,
            destinations(queues, self.max_in_flight),
            self.clock,
            self.clock.sleep,
            lambda: f"commit-{next(self.ids)}",
            one_by_one,
            self.index_lag_s,
        )

    def work_off(self, time_left: int = 900_000) -> None:
        """Deliver what is to be planned until nothing is; a planner that fails gets its message again."""
        for _ in range(5_000):  # far more slices than any of these jobs has
            if not self.queues.to_plan:
                return
            replay_id, delay_s = self.queues.to_plan.pop(0), self.queues.delays_s.pop(0)
            self.clock.sleep(delay_s)
            try:
                self.plan(replay_id, time_left, waited_s=delay_s)
            except (RetraceError, Ended):
                self.queues.plan(replay_id)
        pytest.fail("planning does not come to an end")

    def index_events(self, *times: str, **members: Any) -> list[StoredEvent]:
        events = [stored(an_event(event_time=time, payload=n, **members)) for n, time in enumerate(times)]
        self.index.admit(events, "request", INGESTED)
        return events

    def arrive_again(self, event: StoredEvent, times: int, kind: ArrivalKind = ArrivalKind.DUPLICATE) -> None:
        self.index.record(
            [Arrival(kind, event.event_id, INGESTED, f"again-{n}", 0, event.content_sha256) for n in range(times)]
        )

    def job(self, job: ReplayJob) -> ReplayJob:
        return self.jobs.by_id[job.replay_id]

    @property
    def sent(self) -> set[str]:
        return {message.event_id for message in self.queues.sent}

    @property
    def distinct(self) -> Counter[tuple[str, str | None]]:
        """The messages that processors tell apart."""
        return Counter({(message.event_id, _again(message)) for message in self.queues.sent})


def _again(message: ReplayMessage) -> str | None:
    return None if message.duplicate is None else message.duplicate.request_id


def ids(events: list[StoredEvent]) -> set[str]:
    return {event.event_id for event in events}


def minutes(count: int) -> list[str]:
    return [f"2026-11-{21 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z" for n in range(count)]


@pytest.fixture
def one_event_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", 1)


troubles = st.lists(st.sampled_from(["none", "none", "none", "refused", "lost", "last"]), max_size=40)


@given(
    st.sampled_from([BY_ENTITY, BY_TYPE, IN_WINDOW]),
    st.integers(0, 40),
    troubles,
    st.sampled_from([0, 900_000]),
    st.sampled_from([1, 7, 2_000]),
    randoms,
)
def test_every_event_is_sent_and_counted_once_wherever_planners_die(  # noqa: PLR0913, PLR0917  # drawn one by one
    request: dict[str, str], count: int, ahead: list[str], time_left: int, rows_a_batch: int, rng: Random
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 9)))
    times = [f"2026-11-2{rng.randint(1, 2)}T{rng.randint(0, 23):02}:00:00Z" for _ in range(count)]
    wanted = world.index_events(*times)
    if request is IN_WINDOW:
        wanted += world.index_events(*times[::3], event_type="order.sent")
    world.index_events("2026-11-20T23:59:59.999999999Z", "2026-11-23T00:00:00Z")
    world.index_events("2026-11-21T12:00:00Z", entity_id="other", event_type="other")
    job = world.request(request)
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", rows_a_batch)
        world.work_off(time_left)

    planned = world.job(job)
    assert planned.state is JobState.SENT
    assert world.sent == ids(wanted)
    assert (planned.scanned, planned.matched, planned.sent) == (len(wanted),) * 3


@given(st.lists(st.integers(0, 5), max_size=8), troubles, st.sampled_from([1, 5, 2_000]), randoms)
def test_every_arrival_is_sent_and_counted_once_wherever_planners_die(
    arrivals: list[int], ahead: list[str], rows_a_batch: int, rng: Random
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 3)))
    events = world.index_events(*minutes(len(arrivals)))
    for event, times in zip(events, arrivals, strict=True):
        world.arrive_again(event, times)
        world.arrive_again(event, 1, ArrivalKind.CONFLICT)
    job = world.request(BY_ENTITY, include_duplicates=True)
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", rows_a_batch)
        patched.setattr(selection, "EVENTS_A_LOOK_UP", 3)
        world.work_off()

    planned = world.job(job)
    everything = [(event.event_id, None) for event in events] + [
        (event.event_id, f"again-{n}") for event, times in zip(events, arrivals, strict=True) for n in range(times)
    ]
    assert planned.state is JobState.SENT
    assert world.distinct == Counter(everything)
    assert (planned.scanned, planned.matched) == (len(events), len(events))
    assert planned.sent == len(everything)


@given(st.integers(0, 25), troubles, st.sampled_from([1, 5, 2_000]), st.sampled_from(["type", "filter"]), randoms)
def test_whole_days_are_sent_once_wherever_planners_die(
    count: int, ahead: list[str], rows_a_batch: int, by: str, rng: Random
) -> None:
    """Every event of each entity and day that a selected event lies in, whatever its own source and type."""
    world = World(index=Rows(page_size=lambda: rng.randint(1, 5)))
    everything: list[StoredEvent] = []
    for _ in range(count):
        everything += world.index_events(
            f"2026-11-2{rng.randint(1, 3)}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00Z",
            entity_id=rng.choice(["order-1007", "order-2"]),
            event_type=rng.choice(["order.paid", "order.refunded"]),
        )
    if by == "type":
        job = world.request(BY_TYPE, whole_days=True)
        selected = [
            event for event in everything if event.event_type == "order.paid" and event.event_time < "2026-11-23"
        ]
    else:
        job = world.request(BY_ENTITY, whole_days=True, include={"event_types": ["order.paid"]})
        selected = [
            event
            for event in everything
            if (event.event_type, event.entity_id) == ("order.paid", "order-1007") and event.event_time < "2026-11-23"
        ]
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", rows_a_batch)
        patched.setattr(selection, "DAYS_A_READ", 2)
        world.work_off()

    touched = {(event.entity_id, day_of(event.event_time)) for event in selected}
    wanted = {event.event_id for event in everything if (event.entity_id, day_of(event.event_time)) in touched}
    planned = world.job(job)
    assert planned.state is JobState.SENT
    assert world.sent == wanted
    assert planned.sent == len(wanted)


def test_a_whole_days_replay_of_an_entity_covers_the_days_it_touches() -> None:
    world = World()
    wanted = world.index_events("2026-11-21T00:00:00Z", "2026-11-21T12:00:00Z", "2026-11-22T23:59:59.999999999Z")
    world.index_events("2026-11-20T23:59:59Z", "2026-11-23T00:00:00Z")
    world.request(BY_ENTITY, start_time="2026-11-21T11:00:00Z", end_time="2026-11-22T00:00:01Z", whole_days=True)

    world.work_off()

    assert world.sent == ids(wanted)


def test_filters_choose_among_the_events_and_all_rows_are_counted_as_scanned() -> None:
    world = World()
    paid = world.index_events(*minutes(3))
    world.index_events(*minutes(2), event_type="order.refunded")
    job = world.request(BY_ENTITY, include={"event_types": ["order.paid"]}, exclude={"event_ids": [paid[0].event_id]})

    world.work_off()

    assert world.sent == ids(paid[1:])
    assert (world.job(job).scanned, world.job(job).matched, world.job(job).sent) == (5, 2, 2)


@pytest.mark.parametrize("max_messages", [1, 2, 3, 5, 6])
def test_max_messages_is_kept_and_ends_the_replay(max_messages: int) -> None:
    world = World(index=Rows(page_size=lambda: 2))
    events = world.index_events(*minutes(5))
    job = world.request(BY_ENTITY, max_messages=max_messages)

    world.work_off()

    assert [message.event_id for message in world.queues.sent] == [event.event_id for event in events[:max_messages]]
    assert (world.job(job).state, world.job(job).sent) == (JobState.SENT, min(max_messages, 5))


def test_what_a_batch_sends_comes_entity_by_entity() -> None:
    world = World()
    events = [*world.index_events(*minutes(6), entity_id="a"), *world.index_events(*minutes(6), entity_id="b")]
    world.request(BY_TYPE)

    world.work_off()

    assert [message.event_id for message in world.queues.sent] == [event.event_id for event in events]


def test_a_limit_takes_the_first_events_whatever_their_entity() -> None:
    world = World()
    world.index_events(*minutes(6)[1::2], entity_id="a")
    first = world.index_events(*minutes(6)[0:2:2], entity_id="b")
    world.index_events(*minutes(6)[2::2], entity_id="b")
    world.request(BY_TYPE, max_messages=1)

    world.work_off()

    assert world.sent == ids(first)


def test_a_limit_counts_arrivals_too() -> None:
    world = World()
    [event] = world.index_events(*minutes(1))
    world.arrive_again(event, 5)
    job = world.request(BY_ENTITY, include_duplicates=True, max_messages=3)

    world.work_off()

    assert [_again(message) for message in world.queues.sent] == [None, "again-0", "again-1"]
    assert world.job(job).sent == 3


def test_a_rate_holds_for_later_arrivals_too() -> None:
    world = World()
    [event] = world.index_events(*minutes(1))
    world.arrive_again(event, 300)
    job = world.request(BY_ENTITY, include_duplicates=True, rate=0.1)

    assert world.plan(job.replay_id) <= 2, "the event, and one of its arrivals"


@pytest.mark.parametrize("rate", [0.5, 1, 3, 40, 1_000])
def test_a_rate_is_kept_within_a_tenth_in_any_ten_seconds_and_more(rate: float) -> None:
    world = World()
    world.index_events(*minutes(2_000))
    sent_at: list[int] = []
    send = world.queues.send

    def send_and_note(messages: list[ReplayMessage]) -> None:
        sent_at.extend([nanoseconds(world.clock.now)] * len(messages))
        world.clock.sleep(0.01)  # as sending takes time too
        send(messages)

    world.queues.send = send_and_note  # type: ignore[method-assign, assignment]
    count = min(2_000, int(rate * 60))
    job = world.request(BY_ENTITY, rate=rate, max_messages=count)

    world.work_off()

    assert world.job(job).sent == count
    took_s = (sent_at[-1] - sent_at[0]) / 1_000_000_000
    # The last burst is sent and the time it stands for is not waited for.
    last_burst_s = max(0.25, 1 / rate)
    assert count / rate * 0.9 - last_burst_s <= took_s <= count / rate * 1.1
    span = 10_000_000_000
    for begin in sent_at:
        assert sum(begin <= moment < begin + span for moment in sent_at) <= rate * 10 * 1.1 + 1


def test_a_paced_planner_that_was_away_does_not_make_up_for_it_in_a_flood() -> None:
    world = World()
    world.index_events(*minutes(300))
    job = world.request(BY_ENTITY, rate=10)
    world.plan(job.replay_id)
    before = len(world.queues.sent)
    world.clock.sleep(3_600)

    begun = world.clock.now
    world.plan(job.replay_id)

    lasted_s = (nanoseconds(world.clock.now) - nanoseconds(begun)) / 1_000_000_000
    assert len(world.queues.sent) - before <= 10 * (lasted_s + 1) + 10


def test_a_slow_replay_is_put_off_rather_than_slept_through() -> None:
    world = World()
    world.index_events(*minutes(3))
    job = world.request(BY_ENTITY, rate=0.1)
    world.queues.to_plan.clear()
    world.queues.delays_s.clear()

    assert world.plan(job.replay_id) == 1
    assert world.queues.to_plan == [job.replay_id]
    assert world.queues.delays_s == [10]


def test_a_planner_waits_while_much_of_its_replay_is_in_flight() -> None:
    world = World(max_in_flight=4)
    world.index_events(*minutes(10))
    job = world.request(BY_ENTITY)
    world.queues.to_plan.clear()
    world.queues.delays_s.clear()

    assert world.plan(job.replay_id) == 4
    assert world.plan(job.replay_id) == 0
    assert world.queues.delays_s == [1, 1]

    world.jobs.by_id[job.replay_id] = replace(world.job(job), processed=2, failed=1, dropped=1)
    assert world.plan(job.replay_id) == 4


def test_a_planner_that_waits_for_room_sends_on_once_processors_have_made_it() -> None:
    """The counts are read again before it gives up its turn."""
    world = World(max_in_flight=4)
    world.index_events(*minutes(10))
    job = world.request(BY_ENTITY)
    send = world.queues.send

    def send_and_be_processed(messages: list[ReplayMessage]) -> None:
        send(messages)
        current = world.job(job)
        world.jobs.by_id[job.replay_id] = replace(current, processed=len(world.queues.sent))

    world.queues.send = send_and_be_processed  # type: ignore[method-assign, assignment]

    assert world.plan(job.replay_id) == 10


@pytest.mark.parametrize("max_in_flight", [None, 2_000])
@pytest.mark.usefixtures("one_event_a_batch")
def test_a_planner_reads_its_job_once_while_there_is_room(max_in_flight: int | None) -> None:
    world = World(max_in_flight=max_in_flight)
    world.index_events(*minutes(5))
    job = world.request(BY_ENTITY)
    get, reads = world.jobs.get, []

    def get_and_note(replay_id: str) -> ReplayJob | None:
        reads.append(replay_id)
        return get(replay_id)

    world.jobs.get = get_and_note  # type: ignore[method-assign]

    assert world.plan(job.replay_id) == 5
    assert reads == [job.replay_id]


def test_an_ordered_replay_goes_to_the_fifo_queue_in_order() -> None:
    world = World(index=Rows(page_size=lambda: 3), max_in_flight=2)
    events = world.index_events(*minutes(10))
    world.request(BY_TYPE, destination="ordered")

    world.work_off()

    assert world.queues.sent == []
    assert [message.event_id for message in world.queues.sent_in_order] == [event.event_id for event in events]


def test_a_planner_whose_commit_was_written_twice_goes_on() -> None:
    """An answer was lost and the client sent the call again: the second one finds the job moved on, by itself.

    Whoever else moves a job on has a planning message to go on with; here there is none but this planner's.
    """
    world = World(index=Rows(page_size=lambda: 2))
    wanted = world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    commit = world.jobs.commit

    def commit_twice(planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None) -> None:
        world.jobs.commit = commit  # type: ignore[method-assign]
        commit(planned_from, reached, outbox)
        commit(planned_from, reached, outbox)

    world.jobs.commit = commit_twice  # type: ignore[method-assign, assignment]

    world.work_off()

    assert world.sent == ids(wanted)
    assert world.job(job).state is JobState.SENT


def test_a_planner_that_finds_another_one_ahead_stops() -> None:
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    ahead = replace(job, revision=7, sent=4, state=JobState.SENDING)
    get = world.jobs.get

    def get_and_be_overtaken(replay_id: str) -> ReplayJob | None:
        found = get(replay_id)
        world.jobs.by_id[replay_id] = ahead
        return found

    world.jobs.get = get_and_be_overtaken  # type: ignore[method-assign]

    world.plan(job.replay_id)

    assert world.job(job) == ahead


def test_a_job_goes_on_although_of_two_planners_of_one_message_the_one_ahead_dies() -> None:
    """The one behind lets the message go, and the one ahead does not live to leave another."""
    world = World(index=Rows(page_size=lambda: 2))
    wanted = world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    world.queues.to_plan.clear()
    world.queues.delays_s.clear()
    send = world.queues.send

    def send_and_be_overtaken(messages: list[ReplayMessage]) -> None:
        world.queues.send = send  # type: ignore[method-assign]
        send(messages)
        ahead = world.job(job)
        world.jobs.outboxes["of another"] = Outbox().packed
        world.jobs.by_id[job.replay_id] = replace(
            ahead, revision=ahead.revision + 1, outbox="of another", state=JobState.SENDING
        )

    world.queues.send = send_and_be_overtaken  # type: ignore[method-assign, assignment]

    world.plan(job.replay_id)
    assert world.queues.delays_s == [300]
    world.work_off()

    assert world.sent == ids(wanted)
    assert world.job(job).state is JobState.SENT


@pytest.mark.usefixtures("one_event_a_batch")
def test_a_planner_that_is_overtaken_twice_leaves_the_job_to_the_one_ahead_even_at_its_last_chance() -> None:
    """A cancel overtakes its commit, and a planner after a redrive its note that all is sent."""
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    world.queues.delays_s.clear()
    commit = world.jobs.commit
    overtaking: Iterator[dict[str, Any]] = iter(
        [{}, {"state": JobState.CANCELLED}, {"state": JobState.SENDING, "outbox": "of another"}]
    )

    def commit_and_be_overtaken(planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None) -> None:
        if changes := next(overtaking, {}):
            current = world.job(job)
            world.jobs.by_id[job.replay_id] = replace(current, revision=current.revision + 1, **changes)
        commit(planned_from, reached, outbox)

    world.jobs.commit = commit_and_be_overtaken  # type: ignore[method-assign, assignment]

    world.plan(job.replay_id, last_chance=True)

    assert (world.job(job).state, world.job(job).failure) == (JobState.SENDING, None)
    assert (world.queues.delays_s, world.queues.laid_aside) == ([300], [])


def test_an_overtaken_planner_that_looks_again_at_a_job_that_is_done_changes_nothing() -> None:
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    world.work_off()
    done = replace(world.job(job), processed=6)
    world.jobs.by_id[job.replay_id] = done
    sent = list(world.queues.sent)

    assert done.public_state is JobState.COMPLETE
    assert world.plan(job.replay_id, waited_s=WATCH_S) == 0
    assert (world.job(job), world.queues.sent, world.queues.to_plan) == (done, sent, [])


def test_a_cancelled_job_sends_nothing_more() -> None:
    world = World()
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    world.jobs.by_id[job.replay_id] = replace(job, state=JobState.CANCELLED)

    world.work_off()

    assert world.sent == set()
    assert world.job(job).state is JobState.CANCELLED


@pytest.mark.usefixtures("one_event_a_batch")
def test_what_was_being_sent_while_its_job_was_cancelled_is_counted_and_nothing_more_is_sent() -> None:
    world = World()
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    send = world.queues.send

    def send_and_be_cancelled(messages: list[ReplayMessage]) -> None:
        send(messages)
        current = world.job(job)
        if current.sent == 2 and current.state is not JobState.CANCELLED:
            world.jobs.by_id[job.replay_id] = replace(
                current, state=JobState.CANCELLED, cancelled_by="somebody", revision=current.revision + 1
            )

    world.queues.send = send_and_be_cancelled  # type: ignore[method-assign, assignment]

    world.work_off()

    cancelled = world.job(job)
    assert (cancelled.state, cancelled.cancelled_by) == (JobState.CANCELLED, "somebody")
    assert cancelled.sent == len(world.queues.sent) == 2
    assert not cancelled.unfinished


@pytest.mark.usefixtures("one_event_a_batch")
def test_a_large_replay_lets_others_have_a_turn() -> None:
    world = World()
    world.index_events(*minutes(3 * BATCHES_A_SLICE))
    large = world.request(BY_ENTITY)

    assert world.plan(large.replay_id) == BATCHES_A_SLICE
    assert world.queues.to_plan == [large.replay_id, large.replay_id]


def test_a_planner_whose_turn_is_over_ends() -> None:
    world = World()
    world.index_events(*minutes(100))
    job = world.request(BY_ENTITY, rate=1.5)

    sent = world.plan(job.replay_id)

    assert sent == 17, "those of ten seconds, and the one that was waited for when they were over"
    assert world.job(job).state is JobState.SENDING


@pytest.mark.usefixtures("one_event_a_batch")
def test_a_planner_with_no_time_left_still_brings_its_job_forward() -> None:
    world = World()
    wanted = world.index_events(*minutes(5))
    job = world.request(BY_ENTITY)

    assert world.plan(job.replay_id, time_left=0) == 1
    world.work_off(time_left=0)

    assert world.sent == ids(wanted)


def test_a_finished_job_that_is_delivered_again_sends_nothing() -> None:
    world = World()
    world.index_events(*minutes(3))
    job = world.request(BY_ENTITY)
    world.work_off()
    before = list(world.queues.sent)

    assert world.plan(job.replay_id) == 0
    assert world.queues.sent == before
    assert world.queues.to_plan == []


def test_a_job_that_fails_for_the_last_time_says_so() -> None:
    world = World()
    world.index_events(*minutes(3))
    job = world.request(BY_ENTITY)
    world.troubles.ahead = iter(["none", "refused"])

    with pytest.raises(RetraceError):
        world.plan(job.replay_id, last_chance=True)

    assert (world.job(job).state, world.job(job).failure) == (JobState.FAILED, "the call was not taken")


def test_a_job_that_fails_and_will_be_planned_again_stays_as_it_is() -> None:
    world = World()
    job = world.request(BY_ENTITY)
    world.troubles.ahead = iter(["none", "refused"])

    with pytest.raises(RetraceError):
        world.plan(job.replay_id)

    assert world.job(job) == job


def test_messages_name_their_replay() -> None:
    world = World()
    world.index_events(*minutes(2))
    job = world.request(BY_ENTITY)
    world.work_off()

    assert {message.replay_id for message in world.queues.sent} == {job.replay_id}


def test_a_job_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        World().plan("replay-9")


@pytest.mark.parametrize(
    ("state", "sent", "processed", "failed", "shown"),
    [
        (JobState.PLANNING, 0, 0, 0, JobState.PLANNING),
        (JobState.SENDING, 5, 5, 0, JobState.SENDING),
        (JobState.SENT, 5, 4, 0, JobState.SENT),
        (JobState.SENT, 5, 5, 0, JobState.COMPLETE),
        (JobState.SENT, 5, 4, 1, JobState.COMPLETE),
        (JobState.SENT, 5, 3, 1, JobState.SENT),
        (JobState.SENT, 0, 0, 0, JobState.COMPLETE),
        (JobState.CANCELLED, 5, 5, 0, JobState.CANCELLED),
        (JobState.FAILED, 5, 5, 0, JobState.FAILED),
    ],
)
def test_a_job_is_complete_once_all_that_was_sent_is_processed_or_a_dead_letter(
    state: JobState, sent: int, processed: int, failed: int, shown: JobState
) -> None:
    job = World().request(BY_ENTITY)

    assert replace(job, state=state, sent=sent, processed=processed, failed=failed).public_state is shown


def test_a_commit_holds_only_for_the_revision_it_was_planned_from() -> None:
    jobs = Jobs()
    job = World(jobs=jobs).request(BY_ENTITY)
    jobs.commit(job, replace(job, revision=1))

    with pytest.raises(WriteConflict):
        jobs.commit(job, replace(job, revision=1))


@dataclass
class Interleaved:
    """Between calls of a planner another one runs, events arrive, or the planner dies; reads of the index go back."""

    world: World
    job: ReplayJob
    rng: Random
    dies_at: Collection[int]
    calls: int = 0
    planners: int = 1

    def begin(self) -> None:
        """Stand between the planners and what they call."""
        self.world.index.page = self.hiding(self.world.index.page)  # type: ignore[method-assign]
        ports: list[tuple[Any, str]] = [
            (self.world.jobs, "commit"),
            (self.world.jobs, "touched_days"),
            (self.world.queues, "send"),
        ]
        for port, name in ports:
            setattr(port, name, self.after_anything(getattr(port, name)))

    def after_anything(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.anything_happens()
            return function(*args, **kwargs)

        return call

    def hiding(self, page: Callable[..., Page]) -> Callable[..., Page]:
        """Leave rows of the index by type out, other ones at each read."""

        def some(partition: Partition, *args: Any, **kwargs: Any) -> Page:
            self.anything_happens()
            found = page(partition, *args, **kwargs)
            if not isinstance(partition, TypeDayPartition):
                return found
            return replace(found, rows=tuple(row for row in found.rows if self.rng.random() > 0.2))

        return some

    def anything_happens(self) -> None:
        self.calls += 1
        assert len(self.world.distinct) <= self.world.job(self.job).sent, "a message is in flight and not counted"
        if self.calls in self.dies_at:
            raise Ended
        if self.rng.random() < 0.2:
            entity_id = self.rng.choice(["order-1007", "z"])
            self.world.index_events(f"2026-11-21T00:{self.rng.randint(0, 59):02}:30Z", entity_id=entity_id)
        if self.planners < 3 and self.rng.random() < 0.2:
            self.planners += 1
            with suppress(Ended):
                self.world.plan(self.job.replay_id)
            self.planners -= 1


@given(
    randoms,
    st.sampled_from([BY_ENTITY, BY_TYPE, IN_WINDOW]),
    st.sampled_from(["whole", "plain"]),
    st.sets(st.integers(0, 60), max_size=4),
)
def test_planners_of_one_job_that_meet_and_die_send_nothing_that_it_does_not_count(
    rng: Random, request: dict[str, str], days: str, dies_at: set[int]
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 4)))
    world.index_events(*minutes(12), entity_id="order-1007")
    world.index_events(*minutes(5), entity_id="order-2")
    job = world.request(request, whole_days=days == "whole")
    Interleaved(world, job, rng, dies_at).begin()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", 3)
        world.work_off()

    ended = world.job(job)
    assert (ended.state, ended.unfinished) == (JobState.SENT, False)
    assert ended.sent == len(world.distinct)


def test_a_slow_planner_that_still_finds_days_keeps_none_once_another_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day that it finds sorts before the one that the other planner is in the middle of."""
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", 2)
    monkeypatch.setattr(planner, "BATCHES_A_SLICE", 1)
    names = sorted((f"order-{n}" for n in range(20)), key=entity_digest)
    late, early = names[0], names[-1]
    world = World()
    world.index_events(*minutes(8), entity_id=early)
    job = world.request(BY_TYPE, whole_days=True)
    page = world.index.page

    def meanwhile(*args: Any, **kwargs: Any) -> Page:
        world.index.page = page  # type: ignore[method-assign]
        while world.job(job).sent == 0:
            world.plan(job.replay_id)
        assert world.job(job).sent == 2
        world.index_events(*minutes(12), entity_id=late)
        return page(*args, **kwargs)

    world.index.page = meanwhile  # type: ignore[method-assign]
    world.plan(job.replay_id)
    world.work_off()

    assert world.job(job).state is JobState.SENT
    assert world.job(job).sent == len(world.distinct) == 8


def test_a_planner_that_dies_before_it_has_sent_leaves_its_messages_to_the_next() -> None:
    world = World()
    wanted = world.index_events(*minutes(3))
    job = world.request(BY_ENTITY)
    send = world.queues.send

    def end(_: object) -> None:
        world.queues.send = send  # type: ignore[method-assign]
        raise Ended

    world.queues.send = end  # type: ignore[method-assign, assignment]
    with pytest.raises(Ended):
        world.plan(job.replay_id)
    assert (world.job(job).sent, world.job(job).public_state) == (3, JobState.SENDING)
    world.index.by_id.clear()
    world.plan(job.replay_id)

    assert world.sent == ids(wanted)
    assert world.job(job).public_state is JobState.SENT


@given(st.integers(1, 12), troubles)
def test_max_messages_is_kept_wherever_planners_die(max_messages: int, ahead: list[str]) -> None:
    world = World(index=Rows(page_size=lambda: 2))
    world.index_events(*minutes(10))
    job = world.request(BY_ENTITY, max_messages=max_messages)
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", 3)
        world.work_off()

    assert world.job(job).sent == len(world.distinct) == min(max_messages, 10)
