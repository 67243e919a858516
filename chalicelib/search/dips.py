"""Counts events by hour, and finds dips: hours with far fewer than before and after, and if many, than a day before."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice, takewhile
from statistics import median_low

from chalicelib.core.pagination import chunked
from chalicelib.core.read_budget import CountedReads
from chalicelib.core.timestamps import Instant, Window, day_of
from chalicelib.events.index_pages import Page, Partition
from chalicelib.events.ports import NOT_AHEAD, EventIndex

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


ROWS_OF_A_DAY = 200
"""As many rows of a day are read at first, which takes less time than to count each of its hours."""

_READS_AT_ONCE = 400

PartitionsOf = Callable[[str, Window], Sequence[Partition]]
"""The partitions that together hold the events of a type in a window of one day."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a partition has of a period, or of the periods of a day, after a position."""

    event_type: str
    numbers: Sequence[int]
    partition: Partition
    after: str | None = None


@dataclass
class PeriodCounts:
    """How many events each type has in each period, by its number. Events that are ahead do not count."""

    index: EventIndex
    periods: Sequence[Window]
    partitions: PartitionsOf
    reads: CountedReads
    by_type: dict[str, Counter[int]] = field(default_factory=dict)
    _left: list[_Part] = field(default_factory=list)

    def of_all_types(self, number: int) -> int:
        """How many events a period has, at least, if counting has not come to its end."""
        return sum(counts[number] for counts in self.by_type.values())

    def undecided(self) -> set[int]:
        """The periods that may be empty, and may not."""
        return {number for part in self._left for number in part.numbers if self.of_all_types(number) == 0}

    def count(self, event_types: Sequence[str], window: Window, *, exactly: bool) -> None:
        """Count each period to its end or, unless exactly, until it is known not to be empty; raises ReadsSpent.

        The days of the window come first: what lies around it is only compared with it.
        """
        self.by_type = {event_type: Counter() for event_type in event_types}
        by_day = groupby(range(len(self.periods)), lambda number: day_of(self.periods[number].start))
        days = [list(numbers) for _, numbers in by_day]
        touching = [numbers for numbers in days if any(self._is_in(window, number) for number in numbers)]
        for some in touching, [numbers for numbers in days if numbers not in touching]:
            self._count(some, exactly=exactly)

    def _count(self, days: Sequence[Sequence[int]], *, exactly: bool) -> None:
        self._left = [part for numbers in days for kind in self.by_type for part in self._parts(kind, numbers)]
        self.reads.require(len(self._left))
        if any(len(numbers) > 1 for numbers in days):
            self._left = [left for some in chunked(self._left, _READS_AT_ONCE) for left in self._first_rows(some)]
        while self._left:
            some, rest = self._left[:_READS_AT_ONCE], self._left[_READS_AT_ONCE:]
            self._left = rest + list(self._counted(some, exactly=exactly))

    def _is_in(self, window: Window, number: int) -> bool:
        return window.start <= self.periods[number].start < window.end

    def _parts(self, event_type: str, numbers: Sequence[int]) -> Iterator[_Part]:
        window = Window(self.periods[numbers[0]].start, self.periods[numbers[-1]].end)
        return (_Part(event_type, numbers, partition) for partition in self.partitions(event_type, window))

    def _first_rows(self, days: Sequence[_Part]) -> Iterator[_Part]:
        """Count the first rows of each day; answers what is left of its periods."""
        pages = self.reads(lambda day: self.index.page(day.partition, None, ROWS_OF_A_DAY), days)
        for day, page in zip(days, pages, strict=True):
            for event in page.events:
                self.by_type[day.event_type][self._number_at(event.event_time)] += not event.is_ahead
            if page.read_to is not None:
                yield from self._rest(day, page)

    def _rest(self, day: _Part, page: Page) -> Iterator[_Part]:
        last = self._number_at(page.events[-1].event_time)
        for number in range(last, day.numbers[-1] + 1):
            partition = replace(day.partition, window=self.periods[number])
            yield _Part(day.event_type, [number], partition, page.read_to if number == last else None)

    def _counted(self, parts: Sequence[_Part], *, exactly: bool) -> Iterator[_Part]:
        """Count parts of one period each, as far as one read of each goes; answers what is left."""
        found = self.reads(lambda part: self.index.count(part.partition, part.after, NOT_AHEAD), parts)
        for part, counted in zip(parts, found, strict=True):
            [number] = part.numbers
            self.by_type[part.event_type][number] += counted.rows
            if counted.read_to is not None and (exactly or not self.of_all_types(number)):
                yield replace(part, after=counted.read_to)

    def _number_at(self, time: Instant) -> int:
        return bisect_right(self.periods, time, key=lambda period: period.start) - 1
