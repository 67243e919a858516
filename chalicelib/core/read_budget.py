"""Limits the reads of one request, so that it is answered in time with what it found until then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from chalicelib.core.errors import OutOfTime, TryAgain

if TYPE_CHECKING:
    from chalicelib.core.ports import Concurrently

T = TypeVar("T")
R = TypeVar("R")

REQUEST_US = 18_000_000
"""Of the 29 seconds of a request. No call of AWS begins in the last seven of them; the rest is for what is not read."""

ROUND_US = 40_000
"""For reads that are made at once. bench/scale.md assumes half of that for a Query."""

READ_US = 2_100
ROW_US = 100
"""Computing for a read, and for each row that it brings, on the 0.58 of a core that 1,024 MB come with.

On a whole core 1.2 ms for a call (bench/scale.md) and, measured in development, 57 ms for a page of 1,000 index rows.
"""

LOOK_US = 4
"""Computing for one row beside one version of an aggregate."""

AT_ONCE = 16
"""`CONCURRENCY`, as installed: what is beyond it waits."""


class ReadsSpent(TryAgain):
    """A request has read as much as it may. Its answer contains how far it came, if it came anywhere."""


@runtime_checkable
class Brought(Protocol):
    """The result of a read."""

    @property
    def brought(self) -> int:
        """How many rows were fetched."""


class CountedReads:
    """Makes reads at once, as `Concurrently` does, and pays for them from one budget.

    It counts and knows no clock, so the same request always ends at the same read.
    """

    def __init__(self, concurrently: Concurrently, left_us: int) -> None:
        self._concurrently = concurrently
        self.left_us = left_us
        self.begun = False

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """The results, in the order of the items; raises ReadsSpent if nothing was left before the first read."""
        todo = list(items)
        if todo and self.left_us <= 0:
            raise ReadsSpent("The request has read as much as it may.")
        results = self._concurrently(function, todo)
        self.begun = True
        self.left_us -= _cost_us(len(todo)) + sum(map(_rows, results)) * ROW_US
        return results

    def require(self, count: int) -> None:
        """Raise ReadsSpent if so many reads cost more than what is left, even if none of them brings a row."""
        if _cost_us(count) > self.left_us:
            raise ReadsSpent(f"The request may not make {count} more reads.")

    def pay(self, computing_us: int) -> None:
        """Pay for what is computed of results beyond reading them."""
        self.left_us -= computing_us


class PaidReads(CountedReads):
    """Counts, and also ends where AWS is so slow that the invocation's time ends first: then what was found is told.

    A request that has read nothing has nothing to tell, and the same page again would be no progress.
    """

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """The results, in order; raises ReadsSpent, or OutOfTime if the time does not suffice for the first reads."""
        try:
            return super().__call__(function, items)
        except OutOfTime as error:
            if not self.begun:
                raise
            raise ReadsSpent(str(error)) from error


def _cost_us(reads: int) -> int:
    return ceil(reads / AT_ONCE) * ROUND_US + reads * READ_US


def _rows(result: object) -> int:
    if isinstance(result, list):
        return len(result)
    return result.brought if isinstance(result, Brought) else 1
