"""Crashes of a long run: workers and processes of the deployed functions, killed at random."""

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.workers.fleet import Fleet, Process
from tests.e2e.workers.reports import Began, Ended, Report
from tests.e2e.workers.stack import APPLICATION_ID, Ground

QUEUES = {"planner": "replay_jobs", "processor": "replay", "dead_letters": "replay_failures"}
TICK_S = 0.05


@dataclass
class Crashes:
    """Who is killed and when, and what of."""

    ground: Ground
    workers: Fleet
    rng: random.Random
    workers_every_s: float
    functions_every_s: float
    killed: Counter[str] = field(default_factory=Counter)
    struck_at_work: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    longest_s: dict[str, float] = field(default_factory=dict)
    on: bool = True
    _next_worker: float = field(default_factory=time.monotonic)
    _next_function: float = field(default_factory=time.monotonic)
    _began: dict[Process, float] = field(default_factory=dict)
    _settled: frozenset[int] = frozenset()

    def work(self, seconds: float) -> None:
        """Let everybody work for a while, and kill some."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for process, report in self.workers.reports(TICK_S):
                self._heard(process, report)
            if self.on and now > self._next_worker:
                self._kill_a_worker(now)
            if self.on and now > self._next_function:
                self._kill_a_function(now)

    def _heard(self, process: Process, report: Report) -> None:
        now = time.monotonic()
        if isinstance(report, Began):
            self._began[process] = now
        elif isinstance(report, Ended) and process in self._began:
            lasted = now - self._began.pop(process)
            self.batches[process.function] += 1
            self.longest_s[process.function] = max(lasted, self.longest_s.get(process.function, 0.0))

    def _kill_a_worker(self, now: float) -> None:
        """Kill one that is at work; what it had comes back at once, as if its visibility timeout were over."""
        busy = [process for process in self.workers.processes if process.is_at_work]
        if not busy:
            return
        function = self.rng.choice(sorted({process.function for process in busy}))
        victim = self.rng.choice([process for process in busy if process.function == function])
        for report in self.workers.kill(victim):
            self._heard(victim, report)
        self._began.pop(victim, None)
        self.killed[function] += 1
        self.struck_at_work[function] += isinstance(victim.last, Began)
        queue_url = getattr(self.ground.stack, f"{QUEUES[function]}_queue_url")
        with contextlib.suppress(self.ground.admin.sqs.exceptions.ClientError):  # it may be off the queue already
            self.ground.give_back(queue_url, victim.receipts)
        self._next_worker = now + self.rng.uniform(0.2, 1.8) * self.workers_every_s

    def _kill_a_function(self, now: float) -> None:
        """Kill a process that the emulator runs a function of the API in, if it was there at the last look already.

        Where a process ends before it can serve, MiniStack ends all others of the function as well, those that begin
        included, which has the same consequence: it may never serve again. AWS does not do so.
        """
        found = list(_function_processes(self.ground))
        processes = [(name, pid) for name, pid in found if pid in self._settled]
        self._settled = frozenset(pid for _, pid in found)
        self._next_function = now + self.rng.uniform(0.5, 1.5) * self.functions_every_s
        if not processes:
            return
        function = self.rng.choice(sorted({name for name, _ in processes}))
        pid = self.rng.choice([pid for name, pid in processes if name == function])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed[function] += 1


def _function_processes(ground: Ground) -> Iterator[tuple[str, int]]:
    """The processes of deployed functions of this stack: their variables say whose they are."""
    ours = f"AWS_ENDPOINT_URL_SQS={ground.environment['AWS_ENDPOINT_URL_SQS']}\0"
    named = re.compile(rf"(?:^|\0){APPLICATION_ID}=\S*?-(IngestHandler|APIHandler)-")
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            variables = path.read_text(errors="replace")
            if ours in variables and (name := named.search(variables)) and _has_called(path.parent):
                yield {"IngestHandler": "ingest", "APIHandler": "api"}[name[1]], int(path.parent.name)


def _has_called(process: Path) -> bool:
    """Whether a process has called AWS, and so is no longer starting.

    If one does not start, the emulator ends all processes of its function, and those that start meanwhile with them.
    """
    return any(str(descriptor.readlink()).startswith("socket:") for descriptor in (process / "fd").iterdir())
