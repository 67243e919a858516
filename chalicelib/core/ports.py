"""What the use cases need of time and concurrency; the runtime provides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from chalicelib.core.timestamps import Instant

T = TypeVar("T")


R = TypeVar("R")


Clock = Callable[[], Instant]


Pause = Callable[[int], None]
"""Waits before the n-th retry (counted from 1), longer and with more jitter as n grows."""


Sleep = Callable[[float], None]
"""Waits for so many seconds."""


class Concurrently(Protocol):
    """Applies a function to each item, possibly at once; results in order, the first error raised."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """The results, in the order of the items."""
