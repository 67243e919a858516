"""Ctrl-C: the first asks to finish what is in flight, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

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
