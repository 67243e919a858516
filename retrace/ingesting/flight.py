"""Batches in flight: a bounded number at a time, answered in any order, acknowledged in the order of the files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from retrace.ingesting.batching import Batch
from retrace.ingesting.sending import Settled

_WINDOW = 2
"""Batches that may be answered or in flight behind one that is not, for each one in flight: they take up memory."""


class Flight:
    """Sends batches; the first that fails ends it, once those in flight are answered."""

    def __init__(
        self,
        settle: Callable[[Batch], Settled],
        concurrency: int,
        answered: Callable[[Settled], None],
        acknowledged: Callable[[Settled], None],
    ) -> None:
        self._settle = settle
        self._concurrency = concurrency
        self._answered = answered
        self._acknowledged = acknowledged
        self._window: deque[Future[Settled]] = deque()
        self._running: set[Future[Settled]] = set()
        self._failure: BaseException | None = None

    def send(self, batches: Iterable[Batch]) -> None:
        """Send them all; raises what the first that failed raised, or what reading them raised."""
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            for batch in batches:
                future = pool.submit(self._settle, batch)
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
