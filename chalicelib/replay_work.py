"""Work on replays, a slice at a time: plan one on, or move its dead letters back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.processing_ports import HIDDEN_S
from chalicelib.domain.replay_ports import PlanSlice, RedriveSlice, ReplayQueues, ReplayStore
from chalicelib.domain.replay_task import RECEIVES, RECEIVES_IN_VAIN, ReplayTask

_PROBABLY = "Lambda throttled them, or they ran out of time or memory"


class NeverEnded(Exception):
    """Planners were called, and none ever answered."""


@dataclass(frozen=True)
class WorkOnReplay:
    """The use case behind ReplayJobsQueue."""

    plan: PlanSlice
    redrive: RedriveSlice
    queues: ReplayQueues
    replays: ReplayStore

    def __call__(self, task: ReplayTask, time_left_ms: Callable[[], int], receives: int) -> int:
        """Work on a slice, and ask for the next if there is one; answers how many messages were sent.

        `receives` is how often the queue has given the task out.
        """
        if not task.redrive:
            return self._plan(task, time_left_ms, receives)
        redriven = self.redrive(task.replay_id, time_left_ms)
        if redriven.more_to_do:
            self.queues.redrive(task.replay_id, task.looks)
        elif task.looks > 0 and self._has_dead_letters(task.replay_id):
            self.queues.redrive(task.replay_id, task.looks - 1, HIDDEN_S + 1)
        return redriven.moved

    def _plan(self, task: ReplayTask, time_left_ms: Callable[[], int], receives: int) -> int:
        if receives <= RECEIVES_IN_VAIN:
            return self.plan(task, time_left_ms, last_chance=receives >= RECEIVES)
        self.plan.give_up(task, NeverEnded(f"No planner came to an end in {RECEIVES_IN_VAIN} calls: {_PROBABLY}."))
        return 0

    def _has_dead_letters(self, replay_id: str) -> bool:
        """Whether some were not found: a redrive of another replay received them, and hides them meanwhile."""
        job = self.replays.get(replay_id)
        return job is not None and job.failed > 0
