"""Runs an ingest: batches in flight, acknowledged in the order of the files, and stopped by Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType
from typing import Any, TypeVar

from retrace.ingesting.checkpoint import Checkpoint, Reached
from retrace.ingesting.files import File, Format, read_so_far, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.ingesting.report import IngestProgress
from retrace.ingesting.sending import Batch, BatchResult, Pace, batches

T = TypeVar("T")


class _Asked(Exception):
    """Raised where the command waits for input, which may never come."""


class Interrupt:
    """Whether it was asked to stop."""

    def __init__(self, asked: Callable[[], object] = lambda: None) -> None:
        self.requested = False
        self.cut_short = False
        """Whether there was, or may have been, more to come."""
        self._asked = asked
        self._reading = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take Ctrl-C for a request meanwhile. Only a main thread hears of it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: Any = signal.signal(signal.SIGINT, self._heard)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def through(self, items: Iterator[T]) -> Iterator[T]:
        """The items until it is asked to stop, even while the next one is waited for."""
        try:
            while not self.requested:
                self._reading = True
                item = next(items, None)
                self._reading = False
                if item is None:
                    return
                yield item
        except _Asked:
            pass  # what was read of a batch is not sent, and not acknowledged
        finally:
            self._reading = False
        self.cut_short = True

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._asked()
        if self._reading:
            raise _Asked


_WINDOW = 2
"""Batches that may be answered or in flight behind one that is not, for each one in flight: they take up memory."""


class Flight:
    """Sends batches; the first that fails ends it, once those in flight are answered."""

    def __init__(
        self,
        send_batch: Callable[[Batch], BatchResult],
        concurrency: int,
        answered: Callable[[BatchResult], None],
        acknowledged: Callable[[BatchResult], None],
    ) -> None:
        self._send_batch = send_batch
        self._concurrency = concurrency
        self._answered = answered
        self._acknowledged = acknowledged
        self._window: deque[Future[BatchResult]] = deque()
        self._running: set[Future[BatchResult]] = set()
        self._failure: BaseException | None = None

    def send(self, batches: Iterable[Batch]) -> None:
        """Send them all; raises what the first that failed raised, or what reading them raised."""
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            for batch in batches:
                future = pool.submit(self._send_batch, batch)
                self._window.append(future)
                self._running.add(future)
                while self._full and self._failure is None:
                    self._collect()
                if self._failure is not None:
                    break
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except Exception as error:  # noqa: BLE001  # raised below, when what is in flight is answered
            self._failure = self._failure or error
        self._land(pool)
        if self._failure is not None:
            raise self._failure

    def _land(self, pool: ThreadPoolExecutor) -> None:
        try:
            while self._running:
                self._collect()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _full(self) -> bool:
        return len(self._running) >= self._concurrency or len(self._window) >= _WINDOW * self._concurrency

    def _collect(self) -> None:
        done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            failure = future.exception()
            if failure is None:
                self._answered(future.result())
            else:
                self._failure = self._failure or failure
        while self._window and self._window[0].done() and self._window[0].exception() is None:
            self._acknowledged(self._window.popleft().result())


@dataclass(frozen=True, slots=True)
class Reading:
    """Which files are read, and how."""

    files: Sequence[File]
    wanted: Format | None = None
    mapped: Mapped = Mapped()  # noqa: RUF009  # it cannot be changed
    pace: Pace = field(default_factory=Pace)

    def batches(self, reached: Reached) -> Iterator[Batch]:
        """What is not acknowledged yet."""
        for index, file in enumerate(self.files):
            if index < reached.file:
                continue
            skipped = reached.events if index == reached.file else 0
            with file.opened() as content:
                found = islice(records(file.name, content, self.wanted, self.mapped), skipped, None)
                yield from batches(index, found, self.pace, lambda of=file, at=content: read_so_far(of, at))  # type: ignore[misc]  # bound as they are now

    @property
    def identity(self) -> list[str]:
        """What a checkpoint must be of, for this to go on from it."""
        mapped = [*sorted(self.mapped.columns.items()), *sorted(self.mapped.constants.items()), self.mapped.delimiter]
        return [*(file.identity for file in self.files), repr((self.wanted, mapped))]

    @property
    def size(self) -> int | None:
        """How many bytes the files have; None if that cannot be known."""
        return None if any(file.is_stream for file in self.files) else sum(file.size for file in self.files)


class Ingest:
    """Sends records, from the position of a checkpoint."""

    def __init__(
        self,
        reading: Reading,
        send_batch: Callable[[Batch], BatchResult],
        reached: Reached,
        checkpoint: Checkpoint | None,
        acknowledged: Sequence[Callable[[str, BatchResult], None]] = (),
    ) -> None:
        self._reading = reading
        self._send_batch = send_batch
        self._checkpoint = checkpoint
        self._told = acknowledged
        self.reached = reached

    def run(self, concurrency: int, progress: IngestProgress, interrupt: Interrupt) -> None:
        """Send everything; raises Problem where that cannot be, after what was in flight is acknowledged."""
        if self._checkpoint is not None:
            self._checkpoint.check()
        progress.skipped(sum(file.size for file in self._reading.files[: self.reached.file]))
        flight = Flight(self._send_batch, concurrency, progress.answered, self._acknowledged)
        with interrupt.watched():
            flight.send(interrupt.through(self._reading.batches(self.reached)))

    def _acknowledged(self, result: BatchResult) -> None:
        """Record that all up to this batch is answered. A rejection is better written twice than not at all."""
        for tell in self._told:
            tell(self._reading.files[result.file].name, result)
        before = self.reached.events if result.file == self.reached.file else 0
        self.reached = Reached(result.file, before + result.tally.events, self.reached.tally + result.tally)
        self._keep()

    def _keep(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self.reached)
