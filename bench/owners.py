"""A clock that charges processor time, or calls, to whoever is at work: it is told at each border that is crossed.

Sampling and tracing profilers cost more than what is measured here, so there is none. What stands at a border is
replaced by itself with a look at the clock before and after; how long a look takes is measured too, and taken off.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import thread_time_ns
from types import FrameType
from typing import Any

OURS, BOTO3, FRAMEWORK, NETWORK = "ours", "boto3", "framework", "network"
OWNERS = (OURS, BOTO3, FRAMEWORK)
"""Of what is measured: the network is not there, and what stands in for it is nobody's."""


@dataclass
class Clock:
    """Whose turn it is, and nanoseconds of this thread's processor time and calls by owner."""

    spent: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    _owner: str = NETWORK
    _since: int = 0

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
        self.looks[before] += 1
        self._since = thread_time_ns()
        return before

    def reset(self) -> None:
        """Begin anew."""
        for counted in (self.spent, self.calls, self.looks):
            counted.clear()
        self._since = thread_time_ns()

    def net(self, owner: str, look_ns: float) -> float:
        """What an owner spent, without the looks at the clock."""
        return self.spent[owner] - self.looks[owner] * look_ns

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count calls meanwhile, of Python's functions and of C's, instead of time."""
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, called: object) -> None:
        # The clock's own calls are nobody's.
        if event in ("call", "c_call") and frame.f_code.co_filename != __file__ and called is not sys.setprofile:
            self.calls[self._owner] += 1


def look_ns() -> float:
    """How long a look at the clock takes, of the time that it charges."""
    clock = Clock()
    nothing = clock.at(OURS, _nothing)
    found = []
    for _ in range(2_000):
        clock.reset()
        nothing()
        found.append(clock.spent[OURS] - _CALL_NS)
    return median(found)


_CALL_NS = 40
"""About what calling nothing takes; it belongs to what is measured."""


def _nothing() -> None:
    pass
