"""The thread of a producer: takes a batch, sends it until every event of it is decided, reports refusals."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence

from retrace.producer.backlog import Backlog
from retrace.producer.delivery import Delivery
from retrace.producer.outcomes import Decided, Divide, Outcome, Part, Rejection, TryLater
from retrace.producer.spool import Row

log = logging.getLogger("retrace.producer")


class Sender:
    """Empties a backlog. Threads share it."""

    def __init__(self, backlog: Backlog, delivery: Delivery, on_rejected: Callable[[Rejection], object] | None) -> None:
        self.failure = "no request was answered yet"
        """Why the last attempt failed that did."""
        self._backlog = backlog
        self._delivery = delivery
        self._on_rejected = on_rejected or _log_rejection
        self._stopped = threading.Event()
        self._reporting = threading.Lock()

    def run(self) -> None:
        """Send batches until this is stopped. A spool that cannot be read is tried again: it may be for a moment."""
        attempt = 0
        while not self._stopped.is_set():
            try:
                rows = self._backlog.next_batch()
            except sqlite3.Error as error:
                attempt += 1
                self._failed(attempt, 0, TryLater(f"the spool cannot be read: {error}"))
            else:
                attempt = 0
                self._send(rows)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped.set()

    def _send(self, rows: list[Row]) -> None:
        parts = deque([Part(rows)] if rows else [])
        attempt = 0
        while parts and not self._stopped.is_set():
            match self._settle(parts[0]):
                case Decided():
                    parts.popleft()
                    attempt = 0
                case Divide(smaller):
                    parts.popleft()
                    parts.extendleft(reversed(smaller))
                case TryLater() as later:
                    attempt += 1
                    self._failed(attempt, len(parts[0].rows), later)
        if rows and not parts:
            self._backlog.end_flight(rows)

    def _failed(self, attempt: int, events: int, later: TryLater) -> None:
        """Log a failed attempt, and pause."""
        self.failure = later.reason
        log.warning("Attempt %d to send %d events failed: %s", attempt, events, later.reason)
        self._stopped.wait(self._delivery.pause_s(attempt, later.after_s))

    def _settle(self, part: Part) -> Outcome:
        """Send a part, once. Refusals are reported before the spool forgets them, so a crash reports them again."""
        try:
            found = self._delivery.attempt(part)
            if isinstance(found, Decided):
                self._report(found.rejections)
                self._backlog.forget(part.rows)
        except Exception as error:  # noqa: BLE001  # a thread that ends would leave its events in the spool
            return TryLater(repr(error))
        return found

    def _report(self, rejections: Sequence[Rejection]) -> None:
        with self._reporting:
            for rejection in rejections:
                try:
                    self._on_rejected(rejection)
                except Exception:
                    log.exception("on_rejected failed. The event's rejected_id is %s.", rejection.rejected_id)


def _log_rejection(rejection: Rejection) -> None:
    log.warning("An event was refused (%s). Its rejected_id is %s.", rejection.status, rejection.rejected_id)
