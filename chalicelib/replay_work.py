"""Work on replays, a slice at a time: plan one on, or move its dead letters back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.replay_ports import PlanSlice, RedriveSlice, ReplayQueues
from chalicelib.domain.replay_task import ReplayTask


@dataclass(frozen=True)
class WorkOnReplay:
    """The use case behind ReplayJobsQueue."""

    plan: PlanSlice
    redrive: RedriveSlice
    queues: ReplayQueues

    def __call__(self, task: ReplayTask, time_left_ms: Callable[[], int], *, last_chance: bool) -> int:
        """Work on a slice, and ask for the next if there is one; answers how many messages were sent."""
        if not task.redrive:
            return self.plan(task, time_left_ms, last_chance=last_chance)
        redriven = self.redrive(task.replay_id, time_left_ms)
        if redriven.more_to_do:
            self.queues.redrive(task.replay_id)
        return redriven.moved
