"""The window of a destination: replays share it, one that is silent gives its room back, and others do not notice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import WriteConflict
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.replays.in_flight import LONGEST_PAUSE_S, LOOK_EVERY_S, QUIET_S, InFlight, pause_s
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.ports import Destination
from chalicelib.replays.request_body import parse_replay_request
from chalicelib.replays.room import JOBS_A_LOOK, TakeRoom
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Jobs, one_by_one

WINDOW, BATCH = 100, 10
REQUEST = parse_replay_request(json.dumps({"source": "shop", "event_type": "paid", "day": "2026-11-21"}).encode())


@dataclass(frozen=True)
class To:
    """A destination."""

    name: str
    ordered: bool = False
    messages_a_batch: int = BATCH
    max_in_flight: int | None = WINDOW
    rate: float | None = None

    def send(self, messages: list[ReplayMessage]) -> None:
        raise NotImplementedError


def later(seconds: float) -> Instant:
    return shifted(INGESTED, int(seconds * 1_000_000_000))


@dataclass
class Stage:
    """Jobs and who plans them, without what they send."""

    jobs: Jobs = field(default_factory=Jobs)
    at_s: float = 0.0

    def now(self) -> Instant:
        return later(self.at_s)

    def ask(self, replay_id: str) -> str:
        job = ReplayJob(replay_id, REQUEST, "somebody", self.now(), self.now(), 1, takes_reports=True)
        self.jobs.by_id[replay_id] = replace(job, state=JobState.SENDING)
        return replay_id

    def plan(self, replay_id: str, to: str) -> float:
        """One batch, if there is room; answers how long its planner waits."""
        job, destination = self.jobs.by_id[replay_id], To(to)
        port: Destination = destination  # type: ignore[assignment]  # it sends nothing
        wait_s = TakeRoom(self.jobs, self.now, one_by_one).wait_s(job, port)
        if wait_s == 0:
            self.change(replay_id, sent=job.sent + BATCH, updated_at=self.now())
        return wait_s

    def change(self, replay_id: str, **members: object) -> None:
        self.jobs.by_id[replay_id] = replace(self.jobs.by_id[replay_id], **members)  # type: ignore[arg-type]

    def settle(self, replay_id: str, count: int) -> None:
        """Its consumer reports."""
        self.change(replay_id, processed=self.jobs.by_id[replay_id].processed + count, counted_at=self.now())

    def in_flight(self, *replay_ids: str) -> int:
        return sum(self.jobs.by_id[each].in_flight for each in replay_ids)

    def run(self, seconds: int, healthy: str = "") -> None:
        """Each planner is called once a second, and what goes to the healthy consumer is reported within that."""
        for _ in range(seconds):
            self.at_s += 1
            for replay_id in self.jobs.by_id:
                self.plan(replay_id, "healthy" if replay_id == healthy else "stuck")
            if healthy:
                self.settle(healthy, self.in_flight(healthy))


def test_replays_to_a_stuck_consumer_share_its_window_and_slow_no_other() -> None:
    stage = Stage()
    first, second, healthy = (stage.ask(each) for each in ("first", "second", "healthy"))

    stage.run(600, healthy)

    assert stage.in_flight(first, second) == WINDOW
    assert stage.jobs.by_id[healthy].sent == 600 * BATCH


def test_a_replay_that_comes_later_gets_its_part_of_the_window_as_room_is_made() -> None:
    stage = Stage()
    large = stage.ask("large")
    stage.run(60)
    small = stage.ask("small")
    stage.run(5)
    assert (stage.in_flight(large), stage.in_flight(small)) == (WINDOW, 0)

    for _ in range(20):
        stage.settle(large, min(BATCH, stage.in_flight(large)))
        stage.run(2)

    assert stage.in_flight(small) == stage.in_flight(large) == WINDOW // 2


def test_room_is_made_by_outcomes_and_by_a_cancel_and_a_planner_that_asks_twice_takes_it_once() -> None:
    stage = Stage()
    first, second = stage.ask("first"), stage.ask("second")
    stage.run(60)
    assert stage.in_flight(first, second) == WINDOW

    stage.settle(first, BATCH)
    taken = [stage.plan(each, "stuck") for each in (first, first)]
    assert taken[1] > 0
    stage.change(second, state=JobState.CANCELLED)
    stage.at_s += 2
    room = TakeRoom(stage.jobs, stage.now, one_by_one)
    port: Destination = To("stuck")  # type: ignore[assignment]
    assert [room.wait_s(stage.jobs.by_id[first], port) for _ in range(30)] == [0.0] * 30


def test_after_an_hour_without_an_outcome_messages_take_no_room_any_more() -> None:
    stage = Stage()
    lost = stage.ask("lost")
    stage.run(60)
    assert stage.in_flight(lost) == WINDOW

    stage.at_s += QUIET_S - 60
    assert stage.plan(lost, "stuck") > 0
    stage.at_s += 60
    assert stage.plan(lost, "stuck") == 0
    stage.run(60)

    assert stage.in_flight(lost) == 2 * WINDOW  # a window an hour to a consumer that is down
    stage.settle(lost, WINDOW)
    stage.run(1)
    assert stage.in_flight(lost) == WINDOW + BATCH


def test_the_longer_nothing_happens_the_less_often_planners_look() -> None:
    stage = Stage()
    job = stage.jobs.by_id[stage.ask("one")]

    assert [pause_s([job], later(quiet)) for quiet in (0, 9, 60, 600, 90_000)] == [
        LOOK_EVERY_S,
        LOOK_EVERY_S,
        6.0,
        LONGEST_PAUSE_S,
        LONGEST_PAUSE_S,
    ]


def test_planners_that_wait_at_one_destination_do_not_all_read_its_jobs() -> None:
    stage = Stage()
    names = [stage.ask(f"replay-{number}") for number in range(10)]
    stage.run(60)
    reads: list[str] = []
    get = stage.jobs.get

    def get_and_note(replay_id: str) -> ReplayJob | None:
        reads.append(replay_id)
        return get(replay_id)

    stage.jobs.get = get_and_note  # type: ignore[method-assign]
    stage.at_s += 1

    waits = [stage.plan(each, "stuck") for each in names]

    assert min(waits) >= LOOK_EVERY_S
    assert len(reads) == len(names)


def test_replays_that_ended_do_not_make_the_row_ever_larger_where_there_is_always_room() -> None:
    stage = Stage()
    port: Destination = To("roomy", max_in_flight=1_000_000)  # type: ignore[assignment]

    for number in range(3 * JOBS_A_LOOK):
        replay_id = stage.ask(f"replay-{number}")
        assert TakeRoom(stage.jobs, stage.now, one_by_one).wait_s(stage.jobs.by_id[replay_id], port) == 0
        stage.change(replay_id, state=JobState.SENT, sent=1, processed=1)
        stage.at_s += LOOK_EVERY_S

    assert len(stage.jobs.in_flight("roomy").shares) <= JOBS_A_LOOK + 1


def test_a_planner_that_is_not_first_five_times_tries_again_soon() -> None:
    stage = Stage()
    job = stage.jobs.by_id[stage.ask("one")]

    def overtaken(destination: str, now: InFlight) -> None:
        raise WriteConflict("another was faster")

    stage.jobs.keep_in_flight = overtaken  # type: ignore[method-assign]
    port: Destination = To("stuck")  # type: ignore[assignment]

    assert 0 < TakeRoom(stage.jobs, stage.now, one_by_one).wait_s(job, port) < LOOK_EVERY_S


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 6), st.integers(0, 3)), max_size=60))
def test_whatever_is_planned_and_settled_when_no_more_is_in_flight_than_the_window(
    steps: list[tuple[str, int, int]],
) -> None:
    stage = Stage()
    names = [stage.ask(each) for each in ("a", "b", "c")]

    for replay_id, settled, seconds in steps:
        stage.plan(replay_id, "stuck")
        stage.settle(replay_id, min(settled, stage.in_flight(replay_id)))
        stage.at_s += seconds
        assert stage.in_flight(*names) <= WINDOW


@pytest.mark.parametrize("window", [None, 1_000_000])
def test_where_there_is_room_no_job_is_read(window: int | None) -> None:
    stage = Stage()
    job = stage.jobs.by_id.pop(stage.ask("one"))
    port: Destination = To("stuck", max_in_flight=window)  # type: ignore[assignment]

    assert TakeRoom(stage.jobs, stage.now, one_by_one).wait_s(job, port) == 0
