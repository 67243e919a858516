"""Takes room for a planner's next batch in what replays to its destination share: the window, and the rate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.replays.commit_batch import batch_size
from chalicelib.replays.in_flight import LOOK_EVERY_S, InFlight, pause_s
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.ports import Destination, ReplayStore

JOBS_A_LOOK = 100
"""Planners look as well if more have a share: replays that ended leave theirs, and the row must stay small."""

_ATTEMPTS = 5
_RACE_S = 0.05
"""Until the next attempt, if other planners always wrote first."""


@dataclass(frozen=True)
class TakeRoom:
    """Takes room for a batch in the window of a destination, and a turn of its rate."""

    replays: ReplayStore
    now: Clock
    concurrently: Concurrently

    def wait_s(self, job: ReplayJob, to: Destination) -> float:
        """Seconds until the batch may be sent; 0.0 once its room and its turn are taken, or if nothing limits it."""
        return self._window_wait_s(job, to) or self._turn_wait_s(to)

    def _turn_wait_s(self, to: Destination) -> float:
        return 0.0 if to.rate is None else self.replays.take_turn(to.name, batch_size(to), to.rate, self.now())

    def _window_wait_s(self, job: ReplayJob, to: Destination) -> float:
        if to.max_in_flight is None:
            return 0.0
        for _ in range(_ATTEMPTS):
            known = self.replays.in_flight(to.name)
            try:
                return self._taken(known, job, to, batch_size(to), to.max_in_flight)
            except WriteConflict:
                continue
        return _RACE_S

    def _taken(self, known: InFlight, job: ReplayJob, to: Destination, messages: int, window: int) -> float:
        """Take it, or leave word that the replay waits. Raises WriteConflict if another planner was faster."""
        has_room, may_look = known.has_room(job, messages, window), known.may_be_looked_at(self.now())
        if not has_room and not may_look:
            return LOOK_EVERY_S
        wait_s, found = 0.0, known
        if not has_room or (may_look and len(known.shares) > JOBS_A_LOOK):
            others = (each.replay_id for each in known.shares if each.replay_id != job.replay_id)
            names = [job.replay_id, *islice(others, JOBS_A_LOOK)]
            jobs = dict(zip(names, self.concurrently(self.replays.get, names), strict=True))
            found = known.after_look(jobs, self.now())
            wait_s = 0.0 if found.has_room(job, messages, window) else pause_s(jobs.values(), self.now())
        self.replays.keep_in_flight(to.name, found.with_share(job, messages if wait_s == 0 else 0))
        return wait_s
