"""Planning: every event of a replay is sent, whatever the pages, the slices, and the crashes between any two steps."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Contended, NotFound, RetraceError
from chalicelib.domain.replay_job import JobState, ReplayJob
from chalicelib.domain.replay_request import parse_replay_request
from chalicelib.replay import PAGES_A_SLICE, FindReplay, PlanReplay, RequestReplay
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.in_memory import Jobs, Queues, Rows, Troubles, at
from tests.unit.json_trees import randoms

BY_ENTITY = {"entity_id": "order-1007", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "start_day": "2026-11-21", "end_day": "2026-11-22"}


@dataclass
class World:
    """Indexed events, jobs, queues, and the use cases between them."""

    index: Rows = field(default_factory=Rows)
    jobs: Jobs = field(default_factory=Jobs)
    queues: Queues = field(default_factory=Queues)
    troubles: Troubles = field(default_factory=Troubles)
    ids: Iterator[int] = field(default_factory=itertools.count)

    def request(self, members: dict[str, str]) -> ReplayJob:
        request = RequestReplay(self.jobs, self.queues, 2, at(), lambda: f"replay-{len(self.jobs.by_id) + 1}")
        return request(parse_replay_request(json.dumps(members).encode()), "somebody")

    def plan(self, replay_id: str, time_left: int = 900_000) -> int:
        jobs, index, queues = map(self.troubles.beset, (self.jobs, self.index, self.queues))
        plan = PlanReplay(jobs, index, queues, lambda: f"commit-{next(self.ids)}")  # type: ignore[arg-type]
        return plan(replay_id, lambda: time_left)

    def work_off(self, time_left: int = 900_000) -> None:
        """Deliver what is to be planned until nothing is; a planner that fails gets its message again."""
        for _ in range(1_000):  # far more slices than any of these jobs has
            if not self.queues.to_plan:
                return
            replay_id = self.queues.to_plan.pop(0)
            try:
                self.plan(replay_id, time_left)
            except RetraceError:
                self.queues.to_plan.append(replay_id)
        pytest.fail("planning does not come to an end")

    def index_events(self, *times: str, **members: str) -> set[str]:
        events = [stored(an_event(event_time=time, payload=n, **members)) for n, time in enumerate(times)]
        self.index.admit(events, "request", at()())
        return {event.event_id for event in events}

    @property
    def sent(self) -> set[str]:
        return {message.event_id for message in self.queues.sent}


def minutes(count: int) -> list[str]:
    return [f"2026-11-{21 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z" for n in range(count)]


@given(
    st.sampled_from([BY_ENTITY, BY_TYPE]),
    st.integers(0, 60),
    st.lists(st.sampled_from(["none", "none", "refused", "lost"]), max_size=25),
    st.sampled_from([0, 900_000]),
    randoms,
)
def test_every_event_is_sent_and_counted_once_wherever_planners_die(
    request: dict[str, str], count: int, troubles: list[str], time_left: int, rng: Random
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 9)))
    times = [f"2026-11-2{rng.randint(1, 2)}T{rng.randint(0, 23):02}:00:00Z" for _ in range(count)]
    wanted = world.index_events(*times)
    world.index_events("2026-11-20T23:59:59.999999999Z", "2026-11-23T00:00:00Z")
    world.index_events("2026-11-21T12:00:00Z", entity_id="other", event_type="other")
    job = world.request(request)
    world.troubles.ahead = iter(troubles)

    world.work_off(time_left)

    planned = world.jobs.by_id[job.replay_id]
    assert planned.state is JobState.SENT
    assert world.sent == wanted
    assert (planned.scanned, planned.matched, planned.sent) == (count, count, count)


def test_a_planner_whose_commit_was_written_twice_goes_on() -> None:
    """An answer was lost and the client sent the call again: the second one finds the job moved on, by itself.

    Whoever else moves a job on has a planning message to go on with; here there is none but this planner's.
    """
    world = World(index=Rows(page_size=lambda: 2))
    wanted = world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    commit = world.jobs.commit

    def commit_twice(planned_from: ReplayJob, reached: ReplayJob) -> None:
        world.jobs.commit = commit  # type: ignore[method-assign]
        commit(planned_from, reached)
        commit(planned_from, reached)

    world.jobs.commit = commit_twice  # type: ignore[method-assign]

    world.work_off()

    assert world.sent == wanted
    assert world.jobs.by_id[job.replay_id].state is JobState.SENT


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

    assert world.jobs.by_id[job.replay_id] == ahead


def test_a_cancelled_job_sends_nothing_more() -> None:
    world = World()
    world.index_events(*minutes(6))
    job = world.request(BY_ENTITY)
    world.jobs.by_id[job.replay_id] = replace(job, state=JobState.CANCELLED)

    world.work_off()

    assert world.sent == set()
    assert world.jobs.by_id[job.replay_id].state is JobState.CANCELLED


def test_a_large_replay_lets_others_have_a_turn() -> None:
    world = World(index=Rows(page_size=lambda: 1))
    world.index_events(*minutes(3 * PAGES_A_SLICE))
    large = world.request(BY_ENTITY)

    assert world.plan(large.replay_id) == PAGES_A_SLICE
    assert world.queues.to_plan == [large.replay_id, large.replay_id]


def test_a_planner_with_no_time_left_still_brings_its_job_forward() -> None:
    world = World(index=Rows(page_size=lambda: 1))
    wanted = world.index_events(*minutes(5))
    job = world.request(BY_ENTITY)

    assert world.plan(job.replay_id, time_left=0) == 1
    world.work_off(time_left=0)

    assert world.sent == wanted


def test_a_finished_job_that_is_delivered_again_sends_nothing() -> None:
    world = World()
    world.index_events(*minutes(3))
    job = world.request(BY_ENTITY)
    world.work_off()
    before = list(world.queues.sent)

    assert world.plan(job.replay_id) == 0
    assert world.queues.sent == before
    assert world.queues.to_plan == []


def test_messages_name_their_replay() -> None:
    world = World()
    world.index_events(*minutes(2))
    job = world.request(BY_ENTITY)
    world.work_off()

    assert {message.replay_id for message in world.queues.sent} == {job.replay_id}


def test_a_job_is_kept_before_it_is_queued_and_shown_as_it_was_asked_for() -> None:
    world = World()
    job = world.request(BY_ENTITY)

    assert FindReplay(world.jobs)(job.replay_id) == job
    assert (job.requested_by, job.created_at, job.state) == ("somebody", INGESTED, JobState.PLANNING)
    assert world.queues.to_plan == [job.replay_id]


def test_a_job_that_is_not_there_is_not_found() -> None:
    world = World()

    with pytest.raises(NotFound):
        world.plan("replay-9")
    with pytest.raises(NotFound):
        FindReplay(world.jobs)("replay-9")


@pytest.mark.parametrize(
    ("state", "sent", "processed", "shown"),
    [
        (JobState.PLANNING, 0, 0, JobState.PLANNING),
        (JobState.SENDING, 5, 5, JobState.SENDING),
        (JobState.SENT, 5, 4, JobState.SENT),
        (JobState.SENT, 5, 5, JobState.COMPLETE),
        (JobState.SENT, 0, 0, JobState.COMPLETE),
        (JobState.CANCELLED, 5, 5, JobState.CANCELLED),
        (JobState.FAILED, 5, 5, JobState.FAILED),
    ],
)
def test_a_job_is_complete_once_all_that_was_sent_is_processed(
    state: JobState, sent: int, processed: int, shown: JobState
) -> None:
    job = World().request(BY_ENTITY)

    assert replace(job, state=state, sent=sent, processed=processed).public_state is shown


def test_a_commit_holds_only_for_the_revision_it_was_planned_from() -> None:
    jobs = Jobs()
    job = World(jobs=jobs).request(BY_ENTITY)
    jobs.commit(job, replace(job, revision=1))

    with pytest.raises(Contended):
        jobs.commit(job, replace(job, revision=1))
