"""Finds gaps: hours or days without events, and dips: hours of a source with far fewer events than their neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.pagination import every_page
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import REQUEST_US, CountedReads, ReadsSpent
from chalicelib.core.timestamps import (
    Instant,
    Window,
    day_of,
    end_of,
    hour_after,
    shifted,
    start_of_hour,
)
from chalicelib.events.index_pages import EntityPartition, Partition, shards_of_day
from chalicelib.events.ports import EventIndex, Sources
from chalicelib.search.dips import DAY, Dip, PeriodCounts, dips_in
from chalicelib.search.queries import GapsQuery, Unit

_HOUR_NS = 3_600_000_000_000
_TYPES_A_READ = 1_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A period without events, from the edge of an hour or day (or of what was asked about) to another."""

    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A dip of one type, or of all together: its hours, how many events they have, and how many one usually has."""

    start: Instant
    end: Instant
    event_type: str | None
    events: int
    usual: int


@dataclass(frozen=True, slots=True)
class FoundGaps:
    """Gaps and dips in order, and the types that were searched. `dips` is None if they were not counted."""

    gaps: tuple[Gap, ...]
    event_types: tuple[str, ...]
    dips: tuple[QuietHours, ...] | None


@dataclass(frozen=True)
class FindGaps:
    """The use case behind GET /gaps."""

    sources: Sources
    index: EventIndex
    shards: int
    now: Clock
    concurrently: Concurrently

    def find(self, query: GapsQuery) -> FoundGaps:
        """Gaps, and the dips of a source, unless it has more events or types than a request counts.

        Raises InvalidRequest if the request may not even read whether each hour or day has an event.
        """
        event_types = self._event_types(query)
        seeks_dips = query.source is not None and query.unit is Unit.HOUR
        window, now = query.window, self.now()
        around = _around(window, now) if seeks_dips else window
        sides = Window(around.start, window.start), window, Window(window.end, around.end)
        periods = [period for side in sides for period in _periods(side, query.unit)]
        reads = CountedReads(self.concurrently, REQUEST_US)
        counts = PeriodCounts(self.index, periods, lambda kind, part: self._partitions(query, kind, part), reads)
        try:
            counts.count(event_types, window, exactly=seeks_dips)
        except ReadsSpent as spent:
            if any(_within(periods[number], window) for number in counts.undecided()):
                raise _too_large(query) from spent
            seeks_dips = False
        dips = tuple(_dips(counts, window, now)) if seeks_dips else None
        return FoundGaps(tuple(_gaps(counts, window)), event_types, dips)

    def _event_types(self, query: GapsQuery) -> tuple[str, ...]:
        """The requested type, all types of a source, or one placeholder for all types of an entity."""
        if query.source is None or query.event_type is not None:
            return (query.event_type or "",)
        pages = every_page(lambda after: self.sources.page(after, _TYPES_A_READ, query.source))
        return tuple(each.event_type for page in pages for each in page.items)

    def _partitions(self, query: GapsQuery, event_type: str, window: Window) -> Sequence[Partition]:
        if query.entity_id is not None:
            return [EntityPartition(query.entity_id, window)]
        return shards_of_day(query.source or "", event_type, day_of(window.start), window, self.shards)


def _around(window: Window, now: Instant) -> Window:
    """The whole hours of a window and what dips are compared with, of those at the end only the ones that have ended.

    A dip and the hours next to it fit into a day, and a long one is compared with the day before.
    """
    try:
        start = shifted(start_of_hour(window.start), -2 * DAY * _HOUR_NS)
    except OverflowError:  # the first day of the calendar
        start = window.start
    ended = start_of_hour(now)
    if window.end >= ended:
        return Window(start, window.end)
    return Window(start, min(ended, shifted(_next_hour(window.end), DAY * _HOUR_NS)))


def _next_hour(time: Instant) -> Instant:
    """The first beginning of an hour that is not before a time."""
    return time if time == start_of_hour(time) else Instant(hour_after(time))


def _periods(window: Window, unit: Unit) -> Iterator[Window]:
    """The hours or days of a window, the first and last of which may be cut off."""
    at = window.start
    while at < window.end:
        end = min(hour_after(at) if unit is Unit.HOUR else end_of(day_of(at)), window.end)
        yield Window(at, end)
        at = end


def _within(period: Window, window: Window) -> bool:
    return window.start <= period.start and period.end <= window.end


def _gaps(counts: PeriodCounts, window: Window) -> Iterator[Gap]:
    """Periods of the window without events, neighbouring ones as one."""
    empty = (
        period
        for number, period in enumerate(counts.periods)
        if _within(period, window) and counts.of_all_types(number) == 0
    )
    gap: Gap | None = None
    for period in empty:
        if gap is not None and gap.end == period.start:
            gap = Gap(gap.start, period.end)
            continue
        if gap is not None:
            yield gap
        gap = Gap(period.start, period.end)
    if gap is not None:
        yield gap


def _dips(counts: PeriodCounts, window: Window, now: Instant) -> Iterator[QuietHours]:
    """Dips that touch the window: of all types together, and those of a type while the others go on."""
    hours = _ended_hours(counts.periods, now)
    starts = list(hours)

    def told(dip: Dip, event_type: str | None) -> QuietHours:
        return QuietHours(starts[dip.first], hour_after(starts[dip.end - 1]), event_type, dip.events, dip.usual)

    of_all = dips_in([sum(map(counts.of_all_types, numbers)) for numbers in hours.values()])
    found = [told(dip, None) for dip in of_all]
    for event_type, counted in counts.by_type.items():
        dips = dips_in([sum(counted[number] for number in numbers) for numbers in hours.values()])
        found += [told(dip, event_type) for dip in dips if not any(map(dip.lies_in, of_all))]
    touching = (dip for dip in found if dip.start < window.end and dip.end > window.start)
    yield from sorted(touching, key=lambda dip: (dip.start, dip.event_type or ""))


def _ended_hours(periods: Sequence[Window], now: Instant) -> Mapping[Instant, Sequence[int]]:
    """The hours that have ended, and the numbers of the periods that each is made of."""
    hours = defaultdict[Instant, list[int]](list)
    for number, period in enumerate(periods):
        if hour_after(period.start) <= now:
            hours[start_of_hour(period.start)].append(number)
    return hours


def _too_large(query: GapsQuery) -> InvalidRequest:
    fewer = "ask for fewer days" + (", or for one event_type" if query.source and not query.event_type else "")
    message = f"is too late for the number of shards, of types and of events ahead: {fewer}"
    return InvalidRequest("The window is too large to read in one request.", (Fault("end_time", message),))
