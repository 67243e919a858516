"""Works on replays, one slice at a time: plans one, or moves its dead letters back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.core.ports import Clock
from chalicelib.replays.destinations import DeclaredDestination
from chalicelib.replays.job import JobState
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.ports import RedriveSlice, ReplayQueues, ReplayStore, required_job
from chalicelib.replays.tasks import LOOKS, RECEIVES, RECEIVES_IN_VAIN, ReplayTask, redrive_after

_PROBABLY = "Lambda throttled them, or they ran out of time or memory"


class NeverEnded(Exception):
    """Planners were called, and none ever answered."""


@dataclass(frozen=True, slots=True)
class Worked:
    """How many messages a slice sent, and how many dead letters a redrive that is over by now did not find."""

    sent: int
    not_found: int = 0


@dataclass(frozen=True)
class WorkOnReplay:
    """The use case behind ReplayJobsQueue."""

    planner: PlanReplay
    dead_letters_of: Callable[[DeclaredDestination], RedriveSlice | None]
    queues: ReplayQueues
    replays: ReplayStore
    now: Clock

    def work(self, task: ReplayTask, time_left_ms: Callable[[], int], receives: int) -> Worked:
        """Work on a slice, and ask for the next if there is one.

        `receives` is how often the queue has given the task out.
        """
        if task.redrive:
            return self._redrive(task, time_left_ms, receives)
        return Worked(self._plan(task, time_left_ms, receives))

    def _redrive(self, task: ReplayTask, time_left_ms: Callable[[], int], receives: int) -> Worked:
        job = required_job(self.replays, task.replay_id)
        destination = job.destination
        dead_letters = self.dead_letters_of(destination)
        # Nothing more is sent after a cancel, and a stage may have no such destination any more.
        if dead_letters is None or job.state is JobState.CANCELLED:
            return Worked(0)
        began_at = task.began_at or self.now()
        redriven = dead_letters.redrive_slice(task.replay_id, time_left_ms, task.pass_s)
        # A planner that died with this slice may have moved some, and what it had received is hidden.
        has_moved = task.has_moved or redriven.moved > 0 or receives > 1
        begun = replace(task, began_at=began_at, has_moved=has_moved, moved=task.moved + redriven.moved)
        # Those of a consumer are not counted: another redrive may have hidden some, so they are looked for twice, and
        # for as long as some are found.
        not_found = self._failed(task.replay_id) if destination.is_aggregates else 0
        missing = not_found > 0 if destination.is_aggregates else has_moved or task.looks == LOOKS
        came_through = redriven.came_through
        following = redrive_after(begun, self.now(), came_through=came_through, missing=missing, sent=job.sent)
        if following is None:
            return Worked(redriven.moved, not_found)
        self.queues.redrive(following.task, following.delay_s)
        return Worked(redriven.moved)

    def _plan(self, task: ReplayTask, time_left_ms: Callable[[], int], receives: int) -> int:
        if receives <= RECEIVES_IN_VAIN:
            return self.planner.plan_slice(task, time_left_ms, last_chance=receives >= RECEIVES)
        self.planner.give_up(task, NeverEnded(f"No planner came to an end in {RECEIVES_IN_VAIN} calls: {_PROBABLY}."))
        return 0

    def _failed(self, replay_id: str) -> int:
        """How many dead letters are counted: another redrive may hide them, or they have expired."""
        job = self.replays.get(replay_id)
        return 0 if job is None else job.failed
