"""Work on many things at once, a few ahead of whoever takes the results, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8


def in_order(work: Callable[[T], R], items: Iterable[T], at_once: int = AT_ONCE) -> Iterator[R]:
    """What `work` makes of each item, in the order of the items; at most twice `at_once` are begun and not taken."""
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for item in items:
                begun.append(threads.submit(work, item))
                if len(begun) >= 2 * at_once:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for unwanted in begun:
                unwanted.cancel()
