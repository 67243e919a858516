"""A replay worked off by processes that are killed while they work, and what came of it."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.command import wait_until
from tests.e2e.deployed import Deployed
from tests.e2e.workers.fleet import Fleet, Process
from tests.e2e.workers.reports import Began, Ended, Report, Sent
from tests.e2e.workers.stack import Ground

_TICK_S = 0.02
LOOK_S = 0.3
PATIENCE_S = 180.0
"""A replay that does not move for so long has come to a halt."""

LONGEST_S = {"planner": 1.5, "processor": 0.3}
"""A worker that is to die dies so long after it began, at most; if its batch is done by then, the next is its last."""

RECEIVES_OF_A_SLICE = 5
SECOND_KILLS = 5
"""So many batches with messages that came back after a kill are killed again, whatever else is due."""

Job = dict[str, Any]


@dataclass
class Killer:
    """Decides which workers die and when: those `at_once` as soon as may be, others spread over the whole replay.

    If there are several replays, of `messages` each, planners die `of_each` times at each of them, by how far it is.
    """

    rng: random.Random
    kills: Mapping[str, int]
    at_once: Collection[str] = ("planner",)
    of_each: int | None = None
    messages: int = 1
    processed: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    killed_at: Counter[str | None] = field(default_factory=Counter)
    sent_of: Counter[str | None] = field(default_factory=Counter)
    between_batches: int = 0
    second: int = 0
    deaths: dict[Process, float] = field(default_factory=dict)

    def told(self, process: Process, report: Report) -> None:
        """A batch has begun, which may be the last of its worker, is partly sent, or has ended before its worker died.

        Half of the planners that are to die do so in the middle of what they send.
        """
        if isinstance(report, Sent) and isinstance(process.last, Began):
            self.sent_of[process.last.replay_id] += report.messages
        if isinstance(report, Began) and self._is_due(process.function, report):
            in_the_middle = process.function == "planner" and self.rng.random() < 0.5
            lasts_s = math.inf if in_the_middle else self.rng.uniform(0, LONGEST_S[process.function])
            self.deaths[process] = time.monotonic() + lasts_s
        elif isinstance(report, Sent) and self.deaths.get(process) == math.inf:
            self.deaths[process] = time.monotonic()
        elif isinstance(report, Ended):
            self.deaths.pop(process, None)

    def _is_due(self, function: str, batch: Began) -> bool:
        quota = self.kills.get(function, 0)
        if function == "planner":
            return batch.receives < RECEIVES_OF_A_SLICE - 1 and self._may_die_at(batch.replay_id, quota)
        again = batch.receives > 1 and self.second < self._allowed(SECOND_KILLS if quota else 0)
        return again or self.killed[function] < self._allowed(quota)

    def _may_die_at(self, replay_id: str | None, quota: int) -> bool:
        killed, processed = self.killed["planner"], self.processed
        if quota and self.of_each is not None:
            quota, killed, processed = self.of_each, self.killed_at[replay_id], self.sent_of[replay_id] / self.messages
        return killed < (quota if "planner" in self.at_once else self._allowed(quota, processed))

    def _allowed(self, quota: int, processed: float | None = None) -> int:
        """How many of a function may have died by now; all of them when nine tenths are done."""
        done = self.processed if processed is None else processed
        return min(quota, 1 + int(quota * done / 0.9)) if quota else 0

    def condemned(self) -> list[Process]:
        """Those whose time has come."""
        now = time.monotonic()
        return [process for process, at in self.deaths.items() if at <= now and process.is_at_work]

    def buried(self, process: Process) -> None:
        """A worker was killed."""
        del self.deaths[process]
        if not isinstance(process.last, Began):
            self.between_batches += 1
            return
        self.killed[process.function] += 1
        self.killed_at[process.last.replay_id] += 1
        self.second += process.function == "processor" and process.last.receives > 1


@dataclass
class Witness:
    """Sees a job at each look, and its versions from the look on that shows it COMPLETE: they must stay as they are."""

    deployed: Deployed
    looks: int = 0
    complete: tuple[Job, list[Any]] | None = None

    def sees(self, job: Job) -> None:
        """A look at a job."""
        self.looks += 1
        assert job["processed"] + job["failed"] + job["dropped"] <= job["sent"], job
        if self.complete is None and (job["state"] != "COMPLETE" or job["failed"] > 0):
            return
        now = job, sorted(self.deployed.rows_of_replay(job["replay_id"]), key=str)
        self.complete = self.complete or now
        assert now == self.complete, "the replay was COMPLETE before it was"


@dataclass
class Work:
    """Workers that are killed while they work, and what was counted of them."""

    ground: Ground
    workers: Fleet
    killer: Killer
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def deployed(self) -> Deployed:
        """The API."""
        return Deployed(self.ground.stack)

    def until_ready(self) -> None:
        """Wait until every worker listens to its queue, so that none has all the work before another begins."""

        def ready() -> bool:
            self.go_on(_TICK_S)
            return all(process.last is not None for process in self.workers.processes)

        assert wait_until(ready, PATIENCE_S), "not every worker has begun"

    def go_on(self, seconds: float) -> None:
        """Hear what workers tell for a while, and kill those whose time has come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for process, report in self.workers.reports(_TICK_S):
                self._heard(process, report)
            for process in self.killer.condemned():
                self._kill(process)

    def _heard(self, process: Process, report: Report) -> None:
        self.killer.told(process, report)
        self._count(process, report)

    def _count(self, process: Process, report: Report) -> None:
        if isinstance(report, Began):
            self.counts[f"{process.function} batches"] += 1
        if isinstance(report, Began) and report.receives > 1:
            self.counts[f"{process.function} batches with messages that came back"] += 1
        if isinstance(report, Sent):
            self.counts["calls"] += 1
            self.counts["messages sent"] += report.messages
        if isinstance(report, Ended):
            for name in ("messages", "failed", "repeated", "transactions", "cancelled"):
                self.counts[f"{process.function} {name}"] += getattr(report, name)

    def _kill(self, process: Process) -> None:
        """Kill a worker; what it had comes back at once, as if its visibility timeout were over."""
        for report in self.workers.kill(process):
            self._count(process, report)
        self.killer.buried(process)
        queue = {"planner": "replay_jobs", "processor": "replay"}[process.function]
        self.counts[f"{process.function} messages in flight when it was killed"] += len(process.receipts)
        self.ground.give_back(getattr(self.ground.stack, f"{queue}_queue_url"), process.receipts)


@dataclass
class Run(Work):
    """One replay whose messages are processed, or recorded as failed."""

    witness: Witness | None = None

    def until_settled(self, replay_id: str) -> Job:
        """Work until every message of the replay is processed and no queue holds any; answers the job."""
        moved = time.monotonic()
        before: Job = {}
        while True:
            job = self._looked_at(replay_id)
            if job != before:
                moved, before = time.monotonic(), job
            if job["state"] == "COMPLETE" and self._redriven(job) and self._queues_are_empty():
                return job
            if job["state"] == "SENT" and self._messages("dead_letter") and self._queues_are_empty():
                self._redrive(replay_id)  # the planner that was at it was killed, and hides what it had received
            assert time.monotonic() < moved + PATIENCE_S, f"the replay came to a halt: {job}, {self.counts}"
            assert job["state"] not in {"FAILED", "CANCELLED"}, job
            self.go_on(LOOK_S)

    def _looked_at(self, replay_id: str) -> Job:
        job = self.deployed.get(f"/replay/{replay_id}")
        if self.witness is not None:
            self.witness.sees(job)
        self.killer.processed = job["processed"] / max(1, job["sent"], self.counts["events"])
        return job

    def _redriven(self, job: Job) -> bool:
        """Whether nothing is left to send back; if something is, it is asked for."""
        if job["failed"] == 0:
            return True
        if self._messages("replay_failures") == 0 == self._messages("replay_jobs"):
            self.counts["redriven"] += job["failed"]
            self._redrive(job["replay_id"])
        return False

    def _redrive(self, replay_id: str) -> None:
        answer = self.deployed.post(f"/replay/{replay_id}/redrive", {})
        assert answer.status == 202, answer.data

    def _messages(self, *queues: str) -> int:
        return self.ground.messages(*(getattr(self.ground.stack, f"{queue}_queue_url") for queue in queues))

    def _queues_are_empty(self) -> bool:
        # Planners that were overtaken look after their job five minutes later.
        tasks = () if self.witness else ("replay_jobs",)
        return self._messages("replay", "replay_failures", *tasks) == 0
