"""Slices that no planner has ended: what Lambda throttled goes on when it is called, and what always dies says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.errors import TryAgain
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.ports import Redriven
from chalicelib.replays.tasks import RECEIVES, RECEIVES_IN_VAIN, ReplayTask
from chalicelib.replays.worker import WorkOnReplay
from tests.unit.in_memory import at
from tests.unit.replays.test_planner import BY_ENTITY, World, ids, minutes


class NoDeadLetters:
    """A dead-letter queue that is empty."""

    def redrive_slice(self, replay_id: str, time_left_ms: Callable[[], int], hidden_s: int) -> Redriven:
        return Redriven(0, came_through=True)


def work_on(world: World, task: ReplayTask, receives: int) -> int:
    work = WorkOnReplay(world.planner, lambda _: NoDeadLetters(), world.queues, world.jobs, at())
    return work.work(task, lambda: 900_000, receives).sent


def a_replay() -> tuple[World, ReplayJob, set[str]]:
    world = World()
    events = world.index_events(*minutes(3))
    job = world.request(BY_ENTITY)
    world.queues.to_plan.clear()
    return world, job, ids(events)


@pytest.mark.parametrize("receives", [1, RECEIVES, RECEIVES + 1, RECEIVES_IN_VAIN])
def test_a_slice_whose_calls_lambda_throttled_is_planned_once_one_is_not(receives: int) -> None:
    world, job, wanted = a_replay()

    work_on(world, ReplayTask(job.replay_id), receives)

    assert world.sent == wanted
    assert world.queues.laid_aside == []


def test_a_slice_that_no_planner_ever_ends_fails_its_replay_and_says_why() -> None:
    world, job, _ = a_replay()
    task = ReplayTask(job.replay_id)

    assert work_on(world, task, RECEIVES_IN_VAIN + 1) == 0

    given_up = world.job(job)
    assert (given_up.state, world.queues.laid_aside) == (JobState.FAILED, [task])
    assert given_up.failure == (
        "No planner came to an end in 50 calls: Lambda throttled them, or they ran out of time or memory."
    )


@pytest.mark.parametrize("receives", [RECEIVES, RECEIVES_IN_VAIN])
def test_a_planner_that_fails_at_its_fifth_call_or_later_lays_its_slice_aside(receives: int) -> None:
    world, job, _ = a_replay()
    world.troubles.ahead = iter(["none", "refused"])

    with pytest.raises(TryAgain):
        work_on(world, ReplayTask(job.replay_id), receives)

    assert world.job(job).state is JobState.FAILED
    assert world.queues.laid_aside == [ReplayTask(job.replay_id)]


@pytest.mark.parametrize("changes", [{"state": JobState.SENT}, {"state": JobState.CANCELLED}])
def test_a_replay_that_has_nothing_left_to_plan_does_not_fail(changes: dict[str, Any]) -> None:
    world, job, _ = a_replay()
    world.jobs.by_id[job.replay_id] = replace(job, **changes)

    work_on(world, ReplayTask(job.replay_id), RECEIVES_IN_VAIN + 1)

    assert world.job(job) == replace(job, **changes)
    assert world.queues.laid_aside == []


def test_the_message_that_guards_a_new_replay_does_not_fail_one_that_planners_have() -> None:
    world, job, _ = a_replay()
    world.jobs.by_id[job.replay_id] = replace(job, revision=1)
    guard = ReplayTask(job.replay_id, unless_planned=True)

    work_on(world, guard, RECEIVES_IN_VAIN + 1)
    work_on(world, ReplayTask("never-kept", unless_planned=True), RECEIVES_IN_VAIN + 1)

    assert world.job(job).state is JobState.PLANNING
