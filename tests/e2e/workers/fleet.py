"""Worker processes: started, listened to, killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from embedded.layout import ROOT
from infra.command import Problem
from tests.e2e.workers.reports import Began, Ended, Over, Received, Report, Sent
from tests.e2e.workers.stack import APPLICATION_ID


class Process:
    """A worker that runs, or has run."""

    def __init__(self, function: str, options: Iterable[str], environment: Mapping[str, str], log: Path) -> None:
        self.function = function
        self.options = tuple(options)
        self.last: Report | None = None
        self.receipts: tuple[str, ...] = ()
        self.heard, telling = Pipe(duplex=False)
        told = [str(telling.fileno()), environment["AWS_ENDPOINT_URL"], *self.options]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.workers.worker", function, *told],
                env={**environment, APPLICATION_ID: function},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[telling.fileno()],
            )
        telling.close()

    def next_report(self) -> Report | None:
        """What it tells next; None if it is gone."""
        try:
            report: Report = self.heard.recv()
        except (EOFError, OSError):  # OSError: it was killed in the middle of a word
            self._process.wait()
            return None
        if isinstance(report, Sent):
            return report
        self.last = report
        if isinstance(report, Received):
            self.receipts += report.receipts
        elif isinstance(report, Ended):
            self.receipts = ()
        return report

    def kill(self) -> list[Report]:
        """End it at once, and return what it told before that; `last` then says what it was doing."""
        self._process.send_signal(signal.SIGKILL)
        reports = []
        while (report := self.next_report()) is not None:
            reports.append(report)
        self.heard.close()
        return reports

    @property
    def is_at_work(self) -> bool:
        """Whether it has begun a batch and not ended it, by what it has told."""
        return isinstance(self.last, Began)

    def ask_to_end(self) -> None:
        """Ask it to end after its batch."""
        self._process.send_signal(signal.SIGTERM)


class Fleet:
    """All workers of a run."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self.processes: list[Process] = []

    def start(self, function: str, *options: str) -> None:
        """Start one more worker."""
        self.processes.append(Process(function, options, self._environment, self._log))

    def kill(self, process: Process) -> list[Report]:
        """Kill a worker and start another in its place; returns what it told before its end."""
        self.processes.remove(process)
        reports = process.kill()
        self.start(process.function, *process.options)
        return reports

    def reports(self, seconds: float) -> Iterator[tuple[Process, Report]]:
        """What workers tell within so many seconds; raises Problem if one ended by itself."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            by_connection = {process.heard: process for process in self.processes}
            for connection in wait(list(by_connection), left):
                assert isinstance(connection, Connection)  # narrows the type
                process = by_connection[connection]
                report = process.next_report()
                if report is None:
                    words = self._log.read_text(errors="replace")[-3_000:]
                    raise Problem(f"A worker ({process.function}) ended. The last words of all:\n{words}", "")
                yield process, report

    def end(self) -> list[tuple[str, Over]]:
        """Let all end after their batches; returns what memory each had needed, by its function."""
        for process in self.processes:
            process.ask_to_end()
        needed = []
        for process in self.processes:
            while (report := process.next_report()) is not None:
                if isinstance(report, Over):
                    needed.append((process.function, report))
        self.processes.clear()
        return needed


@contextmanager
def fleet(environment: Mapping[str, str], log: Path) -> Iterator[Fleet]:
    """Yield workers; none is left afterwards.

    They end after their batches if they can. The queue may still give a message to one that was killed while it asked
    for some, and hide it from the next one.
    """
    workers = Fleet(environment, log)
    try:
        yield workers
        workers.end()
    finally:
        for process in workers.processes:
            process.kill()
