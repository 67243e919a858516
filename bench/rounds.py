"""Rounds in which the sides take turns, so that what disturbs the machine disturbs them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

ROUNDS = 3


class Failed(Exception):
    """A side did not do what it was asked for, as a function whose time was over."""


@dataclass
class Rates:
    """How many a second each side did in each round, by the side's name."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[str, str] = field(default_factory=dict)
    """Those that did not do it, and what they said."""

    def median(self, side: str) -> float | None:
        """The median of a side's rounds; None for one that did not take part."""
        return median(self.of[side]) if side in self.of else None

    def ratio(self, side: str, other: str) -> float | None:
        """The median of the rounds' ratios between two sides."""
        if side not in self.of or other not in self.of:
            return None
        return median(ours / theirs for ours, theirs in zip(self.of[side], self.of[other], strict=True))


def alternating(measures: Mapping[str, Callable[[int], float]], rounds: int = ROUNDS) -> Rates:
    """Let each side do the same in turn, another one first in each round."""
    rates = Rates()
    names = list(measures)
    for number in range(rounds):
        for name in _from(names, number):
            try:
                rates.of[name].append(measures[name](number))
            except Failed as failure:  # whoever fails takes no further part
                names.remove(name)
                rates.of.pop(name, None)
                rates.failed[name] = str(failure)
    return rates


def _from(names: Sequence[str], first: int) -> list[str]:
    """All names, another one first in each round."""
    begin = first % len(names) if names else 0
    return [*names[begin:], *names[:begin]]


def require_equal(counts: Mapping[str, object], what: str) -> None:
    """Raise unless all sides did the same work."""
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"The sides did not do the same work, {what}: {dict(counts)}")
