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


@dataclass(frozen=True, slots=True)
class Load:
    """What some requests took, from the first to the last, and each of them."""

    events: int
    seconds: float
    waits: tuple[float, ...] = ()


@dataclass
class Rates:
    """How many a second each contender did in each round, by its name, and how many seconds each request waited."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, load: Load) -> None:
        """Note a round of a contender."""
        self.of[name].append(load.events / load.seconds)
        self.waits[name] += load.waits

    def median(self, name: str) -> float | None:
        """The median of a contender's rounds; None for one that did not take part."""
        return median(self.of[name]) if name in self.of else None

    def ratio(self, name: str, other: str) -> float | None:
        """The median of the rounds' ratios between two contenders."""
        if name not in self.of or other not in self.of:
            return None
        return median(ours / theirs for ours, theirs in zip(self.of[name], self.of[other], strict=True))

    def wait_ms(self, name: str, percent: int) -> float | None:
        """How long a contender's request waited in all rounds, in milliseconds: p50, p99."""
        waits = self.waits.get(name, [])
        if len(waits) < 2:
            return 1_000 * waits[0] if waits else None
        return 1_000 * quantiles(waits, n=100, method="inclusive")[percent - 1]


def alternating(what: str, measures: Mapping[str, Callable[[int], Load]]) -> Rates:
    """Let each contender do the same in turn, another one first in each round, and say how many a second it did."""
    rates, names = Rates(), list(measures)
    for number in range(ROUNDS):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            rates.add(name, measures[name](number))
    print(f"{what}: { ({name: round(median(each)) for name, each in rates.of.items()}) } a second", flush=True)
    return rates


def load_of(events: int, work: Callable[[], object]) -> Load:
    """What work took that has to do with so many events."""
    begun = time.perf_counter()
    work()
    return Load(events, time.perf_counter() - begun)


def require_equal(counts: Mapping[str, object], whose: str) -> None:
    """Raise unless all counts are the same."""
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"{whose} did not do the same work: {dict(counts)}")


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
