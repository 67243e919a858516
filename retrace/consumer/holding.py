"""Keeps messages invisible to other consumers for as long as this one has them, by a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from retrace.consumer.queue import AWS_ERRORS, Held, Queue

log = logging.getLogger("retrace.consumer")

_BEATS = 4
"""In the time that a message is invisible: so two of them can fail."""


class Holding:
    """The messages that are held. Threads share it."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._held: dict[Held, None] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, deliveries: Iterable[Held]) -> None:
        """Hold messages from now on."""
        with self._lock:
            self._held.update(dict.fromkeys(deliveries))

    def discard(self, deliveries: Iterable[Held]) -> None:
        """Hold them no more. Once this returns, no call that extends them is under way."""
        with self._lock:
            for each in deliveries:
                self._held.pop(each, None)

    def has(self, held: Held) -> bool:
        """Whether the message is still this consumer's. After a pause of the process, another one can have it."""
        return time.monotonic() < held.until

    def run(self) -> None:
        """Extend what is held until this is stopped."""
        while not self._stopped.wait(self._queue.visibility_s / _BEATS):
            try:
                self._extend()
            except AWS_ERRORS as error:
                log.warning("Messages could not be kept invisible, which is tried again: %s", error)

    def stop(self) -> None:
        """Extend nothing more."""
        self._stopped.set()

    def _extend(self) -> None:
        with self._lock:
            for each, why in self._queue.extend(list(self._held)):
                each.until = 0.0
                del self._held[each]
                log.warning("Message %s is no longer held and may come again: %s", each.delivery.message_id, why)
