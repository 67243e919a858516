"""Tracks which events of a spool wait and which are in flight. Threads share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from retrace.producer.encoding import Line, ProducerError, SpoolFull
from retrace.producer.spool import Row, Spool


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is due, and how much the spool may have."""

    batch_bytes: int
    batch_age_s: float
    spool_bytes: int


class Backlog:
    """Takes events in, and hands each to one batch at a time."""

    def __init__(self, spool: Spool, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._spool = spool
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._progress = threading.Condition(self._lock)
        self._next = 1
        self._waiting_bytes = spool.bytes
        self._oldest_sent_at = 0.0
        self._due_to = spool.next_id - 1  # what an earlier process left has waited long enough
        self._in_flight: set[int] = set()
        self._closed = False
        self._stopped = False

    def __len__(self) -> int:
        """How many events are not decided."""
        return self._spool.events

    def add(self, line: Line, timeout_s: float | None) -> None:
        """Take an event; raises SpoolFull if there is no room in time, and ProducerError once this is closed."""
        with self._lock:
            self._wait_for_room(Row(0, 0.0, line).size, timeout_s)
            first = not self._waiting_bytes
            row = self._spool.append(line, self._clock())
            self._oldest_sent_at = row.sent_at if first else self._oldest_sent_at
            self._waiting_bytes += row.size
            if first or self._waiting_bytes >= self._limits.batch_bytes:
                self._work.notify()

    def next_batch(self) -> list[Row]:
        """Wait until a batch is due and take it; none once this is stopped."""
        with self._lock:
            while not self._stopped:
                due_in = self._due_in()
                if due_in == 0:
                    return self._take()
                self._work.wait(due_in)
        return []

    def forget(self, rows: list[Row]) -> None:
        """Retrace has decided about these events, which are consecutive."""
        with self._lock:
            if not self._stopped:
                self._spool.remove(rows)
                self._progress.notify_all()

    def end_flight(self, rows: list[Row]) -> None:
        """A batch needs no thread any more."""
        with self._lock:
            self._in_flight.discard(rows[0].row_id)
            self._progress.notify_all()

    def flush(self, timeout_s: float | None) -> bool:
        """Make all that waits due; returns whether each event of it was decided in time."""
        with self._lock:
            last = self._due_to = self._spool.next_id - 1
            self._work.notify_all()
            self._progress.wait_for(lambda: self._stopped or self._is_decided_to(last), timeout_s)
            return self._is_decided_to(last)

    def refuse(self) -> None:
        """Take no more events."""
        with self._lock:
            self._closed = True
            self._progress.notify_all()

    def stop(self) -> None:
        """Hand out no more batches, and close the spool. What is in flight stays in it."""
        with self._lock:
            self._closed = self._stopped = True
            self._work.notify_all()
            self._progress.notify_all()
            self._spool.close()

    def _wait_for_room(self, size: int, timeout_s: float | None) -> None:
        most = self._limits.spool_bytes
        if size > most:
            raise SpoolFull(f"The event is larger than the spool may be: {size:,} of {most:,} bytes.")
        if not self._progress.wait_for(lambda: self._closed or self._spool.bytes + size <= most, timeout_s):
            remedy = "Send it later, or allow a larger spool (max_spool_bytes)."
            raise SpoolFull(f"The spool is full: {self._spool.events:,} events wait for an answer. {remedy}")
        if self._closed:
            raise ProducerError("This producer is closed. Make another one.")

    def _due_in(self) -> float | None:
        """Seconds until a batch is due; None if nothing waits."""
        if not self._waiting_bytes:
            return None
        if self._waiting_bytes >= self._limits.batch_bytes or self._next <= self._due_to:
            return 0.0
        return max(0.0, self._oldest_sent_at + self._limits.batch_age_s - self._clock())

    def _take(self) -> list[Row]:
        rows, following = self._spool.rows_from(self._next, self._limits.batch_bytes)
        self._next = rows[-1].row_id + 1
        self._waiting_bytes -= sum(row.size for row in rows)
        self._oldest_sent_at = 0.0 if following is None else following.sent_at
        self._in_flight.add(rows[0].row_id)
        self._work.notify()  # another thread must watch what is left
        return rows

    def _is_decided_to(self, row_id: int) -> bool:
        waiting = self._next if self._waiting_bytes else self._spool.next_id
        return row_id < min(self._in_flight, default=waiting)
