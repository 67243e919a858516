"""Defines what use cases need of time, concurrency and queues. The runtime provides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chalicelib.core.timestamps import Instant

T = TypeVar("T")
R = TypeVar("R")

Clock = Callable[[], Instant]

Pause = Callable[[int], None]
"""Waits before the n-th retry (counted from 1), longer and with more jitter as n grows."""

Sleep = Callable[[float], None]
"""Waits for this many seconds."""


class Concurrently(Protocol):
    """Applies a function to each item, possibly at once; results in order, the first error raised."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """The results, in the order of the items."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the queue delivered it: its body, its id, and the receipt that acknowledges it."""

    message_id: str
    receipt_handle: str
    body: str
