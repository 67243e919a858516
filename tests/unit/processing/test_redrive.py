"""A redrive goes through all dead letters, however many of them belong to other replays, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.ledger import Outcome, record_of
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.processing.dead_letters import RedriveDeadLetters
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.messages import ReplayMessage, message_of
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.tasks import LONG_PASS_S, LOOKS, PASS_S, ReplayTask, parse_task, redrive_after
from chalicelib.replays.worker import Worked, WorkOnReplay
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import Bucket, at, no_pause
from tests.unit.ledger_in_memory import Aggregates

CALL_S = 0.02
SLOW_CALL_S = 10.0
"""So slow that a long pass comes through less than a thousand letters."""
COMES_AGAIN_S = 270
PLANNER_S = 45.0
MINE = "replay-1"
OTHERS = "{"
"""The cheapest body that is not of this replay."""

JOB = ReplayJob(
    replay_id=MINE,
    request=ReplayRequest(source="shop", event_type="paid", day="2026-11-21"),
    requested_by="somebody",
    created_at=INGESTED,
    updated_at=INGESTED,
    shards=1,
    state=JobState.SENT,
    sent=2_500,
)

TO_BILLING = replace(
    JOB,
    request=ReplayRequest(source="shop", event_type="paid", day="2026-11-21", destination="billing"),
    destination_arn="arn:aws:sqs:eu-west-1:111122223333:retrace-dev-to-billing",
)


class Killed(Exception):
    """A planner died."""


def later(seconds: float) -> Instant:
    return shifted(INGESTED, int(seconds * 1_000_000_000))


@dataclass
class World:
    """SQS at its worst: of the letters that are visible it gives out the oldest. Time passes with each call."""

    aggregates: Aggregates = field(default_factory=Aggregates)
    bodies: list[str] = field(default_factory=list)
    visible: list[int] = field(default_factory=list)
    hidden: list[tuple[float, int]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    sent_back: list[str] = field(default_factory=list)
    tasks: list[tuple[float, str]] = field(default_factory=list)
    at_s: float = 0.0
    call_s: float = CALL_S
    job: ReplayJob = JOB
    ordered: bool = False
    killed_at: frozenset[int] = frozenset()
    """At which acknowledgements a planner dies, when its letters are sent back and not yet taken off."""
    acknowledged: int = 0
    cancelled_at_s: float = inf
    fails_at_once: bool = False
    """Whether what is sent back is a dead letter again by the next call."""

    def keep(self, bodies: Sequence[str]) -> None:
        """Letters that are newer than all others."""
        self.visible += range(len(self.bodies), len(self.bodies) + len(bodies))
        self.bodies += bodies
        heapify(self.visible)

    def receive(self, hidden_s: int) -> list[Delivery]:
        self.at_s += self.call_s
        while self.hidden and self.hidden[0][0] <= self.at_s:
            heappush(self.visible, heappop(self.hidden)[1])
        received = [heappop(self.visible) for _ in range(min(10, len(self.visible)))]
        for number in received:
            heappush(self.hidden, (self.at_s + hidden_s, number))
        return [Delivery(str(number), "receipt", self.bodies[number]) for number in received]

    def send_back(self, messages: Sequence[tuple[Delivery, ReplayMessage]]) -> None:
        self.sent_back += [each.body for each, _ in messages]
        if self.fails_at_once:
            self.keep([each.body for each, _ in messages])

    def show(self, deliveries: Sequence[Delivery]) -> None:
        raise AssertionError(deliveries)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += 1
        if self.acknowledged in self.killed_at:
            raise Killed
        gone = {int(each.message_id) for each in deliveries}
        if gone:
            self.hidden = [each for each in self.hidden if each[1] not in gone]
            heapify(self.hidden)

    def redrive(self, task: ReplayTask, delay_s: int = 0) -> None:
        assert delay_s <= 900
        self.tasks.append((self.at_s + delay_s, task.body))

    def get(self, replay_id: str) -> ReplayJob:
        state = JobState.CANCELLED if self.at_s >= self.cancelled_at_s else self.job.state
        return replace(self.job, state=state, failed=self.aggregates.progress[replay_id].failed)

    def worked_off(self) -> list[Worked]:
        """What each slice came to, until the redrive asks for no other."""
        record = RecordInLedger(self.aggregates, at(), no_pause) if self.job.destination.is_aggregates else None
        port: Any = self
        work = WorkOnReplay(port, lambda _: RedriveDeadLetters(record, port), port, port, lambda: later(self.at_s))
        slices, receives = [], 1
        while self.tasks:
            due_s, body = self.tasks.pop()
            begun_s = self.at_s = max(self.at_s, due_s)

            def left_ms(begun_s: float = begun_s) -> int:
                return int((begun_s + PLANNER_S - self.at_s) * 1_000)

            try:
                slices.append(work.work(parse_task(body), left_ms, receives))
                receives = 1
            except Killed:
                self.tasks.append((begun_s + COMES_AGAIN_S, body))
                receives += 1
        return slices

    def fail(self, number: int) -> list[str]:
        """The bodies of messages of the replay that are counted as failed."""
        stored = Bucket().put_once([an_event(payload=each) for each in range(number)], RECEIPT)
        messages = [message_of(MINE, self.job.request.destination, event) for event in stored]
        RecordInLedger(self.aggregates, at(), no_pause).record([record_of(each, Outcome.FAILED) for each in messages])
        return [each.model_dump_json(exclude_none=True) for each in messages]


def test_a_redrive_reaches_its_dead_letters_behind_those_of_others() -> None:
    world = World()
    mine = world.fail(25)
    world.keep([OTHERS] * 30_000)
    world.keep(mine)
    world.redrive(ReplayTask(MINE, redrive=True))

    slices = world.worked_off()

    assert sorted(world.sent_back) == sorted(mine)
    assert (sum(each.sent for each in slices), slices[-1].not_found) == (25, 0)
    assert world.at_s < LONG_PASS_S


def test_a_redrive_finds_what_the_long_pass_of_another_hides() -> None:
    world = World()
    mine = world.fail(3)
    world.keep(mine)
    world.receive(LONG_PASS_S)
    world.redrive(ReplayTask(MINE, redrive=True))

    world.worked_off()

    assert sorted(world.sent_back) == sorted(mine)


def test_a_redrive_of_letters_that_have_expired_ends_and_says_how_many_it_did_not_find() -> None:
    world = World()
    world.fail(3)
    world.redrive(ReplayTask(MINE, redrive=True))

    slices = world.worked_off()

    assert [each.not_found for each in slices] == [*[0] * LOOKS, 3]


@pytest.mark.parametrize("job", [JOB, TO_BILLING], ids=["aggregates", "billing"])
def test_a_redrive_goes_on_until_all_is_sent_back_though_it_takes_many_passes_and_planners_die(job: ReplayJob) -> None:
    world = World(call_s=SLOW_CALL_S, job=job, killed_at=frozenset({3, 41, 42, 200, 290}))
    mine = world.fail(2_500)
    world.keep([*mine, *[OTHERS] * 20])
    world.redrive(ReplayTask(MINE, redrive=True))

    slices = world.worked_off()

    assert set(world.sent_back) == set(mine)
    assert len(world.sent_back) <= len(mine) + 10 * len(world.killed_at)
    assert (world.at_s > 2.5 * LONG_PASS_S, slices[-1].not_found) == (True, 0)


@given(st.integers(0, LOOKS), st.lists(st.booleans(), min_size=500, max_size=500), st.booleans())
def test_a_redrive_ends_whatever_it_finds(looks: int, outcomes: list[bool], missing: bool) -> None:  # noqa: FBT001
    task, at_s, slices = ReplayTask(MINE, redrive=True, looks=looks), 0.0, 0
    for came_through in outcomes:
        begun = replace(task, began_at=task.began_at or later(at_s), has_moved=False)
        at_s += PLANNER_S - 20
        following = redrive_after(begun, later(at_s), came_through=came_through, missing=missing, sent=1)
        slices += 1
        if following is None:
            break
        task, at_s = following.task, at_s + following.delay_s

    assert slices <= (LOOKS + 2) * (LONG_PASS_S // 25 + 1)


def test_a_redrive_to_a_consumer_that_fails_at_once_ends_when_it_has_sent_back_ten_times_what_was_sent() -> None:
    world = World(job=replace(TO_BILLING, sent=20), call_s=1.0, fails_at_once=True)
    world.keep(world.fail(20))
    world.redrive(ReplayTask(MINE, redrive=True))

    world.worked_off()

    of_a_slice = 10 * PLANNER_S
    assert 10 * 20 <= len(world.sent_back) < 10 * 20 + of_a_slice


@pytest.mark.parametrize("job", [JOB, TO_BILLING], ids=["aggregates", "billing"])
def test_a_redrive_under_way_sends_nothing_back_once_its_replay_is_cancelled(job: ReplayJob) -> None:
    world = World(call_s=SLOW_CALL_S, job=job)
    world.keep(world.fail(100))
    world.redrive(ReplayTask(MINE, redrive=True, pass_s=LONG_PASS_S))
    world.cancelled_at_s = SLOW_CALL_S

    world.worked_off()

    assert 0 < len(world.sent_back) < 100
    assert world.at_s < PLANNER_S


@pytest.mark.parametrize("killed_at", [{}, {2}])
def test_a_redrive_to_a_consumer_looks_again_after_it_found_letters_or_its_planner_died(killed_at: set[int]) -> None:
    world = World(job=TO_BILLING, killed_at=frozenset(killed_at))
    mine = world.fail(20)
    world.keep(mine)
    if not killed_at:
        world.receive(2 * PASS_S)
    world.redrive(ReplayTask(MINE, redrive=True, looks=LOOKS - 1, pass_s=LONG_PASS_S))

    world.worked_off()

    assert (set(world.sent_back), world.visible, world.hidden) == (set(mine), [], [])


def test_a_redrive_whose_letters_always_come_back_ends_after_a_day() -> None:
    task: ReplayTask | None = ReplayTask(MINE, redrive=True)
    at_s = 0.0
    while task is not None and at_s < 2 * 86_400:
        begun = replace(task, began_at=task.began_at or later(at_s), has_moved=True)
        at_s += PLANNER_S - 20
        following = redrive_after(begun, later(at_s), came_through=False, missing=True, sent=1)
        task = None if following is None else parse_task(following.task.body)

    assert 86_000 < at_s < 1.2 * 86_400


def test_no_slice_of_a_pass_begins_when_it_could_receive_a_letter_again() -> None:
    begun = ReplayTask(MINE, redrive=True, began_at=INGESTED)

    for elapsed_s in range(PASS_S):
        following = redrive_after(begun, later(elapsed_s), came_through=False, missing=True, sent=1)
        assert following is not None
        same_pass = following.task.began_at == INGESTED
        assert same_pass == (elapsed_s + 30 < PASS_S)
        assert following.task.pass_s == (PASS_S if same_pass else LONG_PASS_S)
