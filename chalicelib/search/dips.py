"""Finds dips: a few hours with far fewer events than the hours before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

NEIGHBOURS = 3
LONGEST = 6
FEWER = 6
FRACTION = 5

RULE = (
    f"A dip is at most {LONGEST} hours, each with at most a fifth of the usual number of events and at least {FEWER}"
    f" fewer. Usual is the median of the {NEIGHBOURS} hours before the dip or that of the {NEIGHBOURS} after it,"
    " whichever is smaller. If no hour after the dip has ended yet, those before it decide."
)


@dataclass(frozen=True, slots=True)
class Dip:
    """Hours by their numbers, the last one excluded: how many events they have together, and how many one usually has.

    Night is no dip, as the hours on one side of each of its hours are as quiet. Nor are hours of a source with few
    events, which are empty by chance.
    """

    first: int
    end: int
    events: int
    usual: int

    def lies_in(self, other: Dip) -> bool:
        """Whether another dip has all of its hours."""
        return other.first <= self.first and self.end <= other.end


def dips_in(counts: Sequence[int]) -> list[Dip]:
    """The dips among the counts of consecutive hours, as `RULE` says, in order. Of two that overlap, the first."""
    found, at = list[Dip](), 0
    while at < len(counts):
        dip = _longest_from(counts, at)
        if dip is not None:
            found.append(dip)
        at = at + 1 if dip is None else dip.end
    return found


def _longest_from(counts: Sequence[int], first: int) -> Dip | None:
    for end in range(min(first + LONGEST, len(counts)), first, -1):
        usual = _usual(counts, first, end)
        most = max(counts[first:end])
        if most * FRACTION <= usual and usual - most >= FEWER:
            return Dip(first, end, sum(counts[first:end]), usual)
    return None


def _usual(counts: Sequence[int], first: int, end: int) -> int:
    before, after = counts[max(0, first - NEIGHBOURS) : first], counts[end : end + NEIGHBOURS]
    return min(map(median_low, filter(None, (before, after)))) if before else 0
