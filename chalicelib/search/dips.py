"""Finds dips: hours with far fewer events than those before and after them, and if they are many, than a day before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from statistics import median_low

DAY = 24
NEIGHBOURS = 3
LONGEST = DAY - NEIGHBOURS
SHORT = 6
"""A longer dip can be a night, so it is compared with the day before."""
FEWER = 6
FRACTION = 5

RULE = (
    f"A dip is at most {LONGEST} hours, each with at most a fifth of the usual number of events and at least {FEWER}"
    f" fewer. Usual is the median of the {NEIGHBOURS} hours before the dip or that of the {NEIGHBOURS} after it,"
    f" whichever is smaller. Of more than {SHORT} hours, it is also at most the median of the same hours a day before."
    " If no hour after the dip has ended yet, those before it decide."
)


@dataclass(frozen=True, slots=True)
class Dip:
    """Hours by their numbers, the last one excluded: how many events they have together, and how many one usually has.

    Night is no dip, as the hours on one side of each of its hours are as quiet, or those of the night before. Nor are
    hours of a source with few events, which are empty by chance.
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
    before = counts[max(0, first - NEIGHBOURS) : first]
    quiet = takewhile(lambda end: _is_far_below(counts[end - 1], before), range(first + 1, len(counts) + 1))
    for end in reversed(list(islice(quiet, LONGEST))):
        usual = min(map(median_low, _compared(counts, first, end)))
        if _is_far_below(max(counts[first:end]), [usual]):
            return Dip(first, end, sum(counts[first:end]), usual)
    return None


def _is_far_below(count: int, others: Sequence[int]) -> bool:
    usual = median_low(others) if others else 0
    return count * FRACTION <= usual and usual - count >= FEWER


def _compared(counts: Sequence[int], first: int, end: int) -> Iterator[Sequence[int]]:
    """The hours before a dip, those after it if there are any, and of a long one the same hours a day before."""
    yield counts[max(0, first - NEIGHBOURS) : first]
    if end < len(counts):
        yield counts[end : end + NEIGHBOURS]
    if end - first > SHORT:
        yield counts[first - DAY : end - DAY] if first >= DAY else [0]
