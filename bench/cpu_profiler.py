"""A profiler that charges processor time, or calls of functions, to our code, boto3 or the framework.

Sampling and tracing profilers cost more than what is measured here. So what stands at a border between owners is
replaced by itself with a look at the clock before and after. How long a look takes is measured too, and taken off.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import thread_time_ns
from types import FrameType
from typing import Any

OURS, BOTO3, FRAMEWORK, NETWORK = "ours", "boto3", "framework", "network"
OWNERS = (OURS, BOTO3, FRAMEWORK)
"""Of what is measured: what stands in for the network belongs to none of them."""

_CALL_NS = 40
"""About what calling nothing takes. It belongs to what is measured."""


class Clock:
    """Whose turn it is, and nanoseconds of this thread's processor time and calls by owner."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        self._owner = NETWORK
        self._since = 0
        self._look_ns = 0.0

    def calibrate(self) -> None:
        """Measure how long a look takes, of the time that it charges."""
        nothing, found = self.at(OURS, lambda: None), []
        for _ in range(2_000):
            self.reset()
            nothing()
            found.append(self.spent[OURS] - _CALL_NS)
        self._look_ns = median(found)

    def at(self, owner: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, charged to an owner."""

        def charged(*args: Any, **kwargs: Any) -> Any:
            before = self._turn(owner)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn(before)

        return charged

    def _turn(self, owner: str) -> str:
        now = thread_time_ns()
        before, self._owner = self._owner, owner
        self.spent[before] += now - self._since
        self._looks[before] += 1
        self._since = thread_time_ns()
        return before

    def reset(self) -> None:
        """Begin at zero."""
        for counted in (self.spent, self.calls, self._looks):
            counted.clear()
        self._since = thread_time_ns()

    def microseconds(self, owner: str) -> float:
        """What an owner spent, without the looks at the clock."""
        return (self.spent[owner] - self._looks[owner] * self._look_ns) / 1_000

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count calls meanwhile, of Python's functions and of C's, instead of time."""
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, called: object) -> None:
        # The clock's own calls belong to none of them.
        if event in ("call", "c_call") and frame.f_code.co_filename != __file__ and called is not sys.setprofile:
            self.calls[self._owner] += 1
