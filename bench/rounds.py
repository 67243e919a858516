"""Rounds in which the contenders take turns, so that what disturbs the machine disturbs them alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 3


@dataclass
class Rates:
    """How many a second each contender did in each round, by its name."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def median(self, name: str) -> float | None:
        """The median of a contender's rounds; None for one that did not take part."""
        return median(self.of[name]) if name in self.of else None

    def ratio(self, name: str, other: str) -> float | None:
        """The median of the rounds' ratios between two contenders."""
        if name not in self.of or other not in self.of:
            return None
        return median(ours / theirs for ours, theirs in zip(self.of[name], self.of[other], strict=True))


def alternating(what: str, measures: Mapping[str, Callable[[int], float]]) -> Rates:
    """Let each contender do the same in turn, another one first in each round, and say how many a second it did."""
    rates, names = Rates(), list(measures)
    for number in range(ROUNDS):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            rates.of[name].append(measures[name](number))
    print(f"{what}: { ({name: round(median(each)) for name, each in rates.of.items()}) } a second", flush=True)
    return rates


def a_second(work: Callable[[], object], count: int) -> float:
    """How many of a count a second, if the work is to do so many."""
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def require_equal(counts: Mapping[str, object], whose: str) -> None:
    """Raise unless all counts are the same."""
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"{whose} did not do the same work: {dict(counts)}")


@dataclass(frozen=True, slots=True)
class Load:
    """What some requests took, from the first to the last, and each of them."""

    events: int
    seconds: float
    waits: tuple[float, ...]

    @property
    def a_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def timed(send: Callable[[T], object], parts: Sequence[T], events_a_part: int, clients: int) -> Load:
    """Send all parts, so many at once."""

    def wait_for(part: T) -> float:
        begun = time.perf_counter()
        send(part)
        return time.perf_counter() - begun

    with ThreadPoolExecutor(clients) as threads:
        begun = time.perf_counter()
        waits = tuple(threads.map(wait_for, parts))
        return Load(events_a_part * len(parts), time.perf_counter() - begun, waits)


def percentile(loads: Sequence[Load], percent: int) -> float:
    """How long a request waited, in milliseconds, over all loads: p50, p99."""
    waits = [wait for load in loads for wait in load.waits]
    return 1_000 * (quantiles(waits, n=100, method="inclusive")[percent - 1] if len(waits) > 1 else waits[0])
