"""Decides which replays computed a metric's day, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.aggregates.completeness import cut_short, of_its_types_only, outside, unprocessed
from chalicelib.aggregates.total import ReplayedDay
from chalicelib.core.calendars import window_in
from chalicelib.core.timestamps import CALENDAR, Day, Window
from chalicelib.events.index_pages import Partition, days_of, shards_of_day
from chalicelib.metrics.definition import Definition
from chalicelib.replays.filters import MAX_NAMES
from chalicelib.replays.job import JobState, ReplayJob

Pair = tuple[str, str]
"""A source and a type."""

SEVERAL_SOURCES = "A replay has one source, and the metric takes events of several: define a metric for each."


@dataclass(frozen=True, slots=True)
class Computed:
    """A metric of a day as a complete replay computed it, by the definition that the replay pins."""

    job: ReplayJob
    definition: Definition
    day: Day
    needed: frozenset[Pair] | None = None
    """The sources and types of the day's events that the metric takes, None if they are not known."""

    @property
    def of(self) -> ReplayedDay:
        """The day in the calendar of the definition."""
        return ReplayedDay(self.job.replay_id, self.day, self.definition.time_zone)

    @property
    def partial_because(self) -> tuple[str, ...]:
        """What of the day's events that the metric takes the replay left out, in sentences."""
        return tuple(self._left_out())

    @property
    def is_of_all_entities(self) -> bool:
        """Whether it has a version of every entity with an event that it selects."""
        return is_of_all_entities(self.job)

    @property
    def window(self) -> Window:
        """What of the day the replay's window has; empty or reversed if nothing."""
        if self.job.request.selects_whole_days:
            return self.of.window
        day, asked = self.of.window, self.job.request.window
        return Window(max(day.start, asked.start), min(day.end, asked.end))

    @property
    def overlaps(self) -> bool:
        """Whether the replay selects any event of the day that the metric takes."""
        return self.window.start < self.window.end and bool(self.types)

    @property
    def types(self) -> Sequence[str]:
        """Of the types that the replay selects, those that the metric takes."""
        request, definition = self.job.request, self.definition
        if definition.source not in (None, request.source):
            return ()
        return [name for name in request.types if definition.event_types is None or name in definition.event_types]

    @property
    def counts_what_came_since(self) -> bool:
        """Whether events that it lacks are those that the index has beyond its inputs."""
        return self.job.settled and not cut_short(self.job) and not self.job.request.filtered

    def partitions(self, types: Sequence[str], shards: int) -> Iterator[Sequence[Partition]]:
        """The partitions of the index that have the day's events of these types, UTC day by UTC day."""
        source, window = self.job.request.source or "", self.window
        for day in days_of(window):
            yield [part for name in types for part in shards_of_day(source, name, day, window, shards)]

    def _left_out(self) -> Iterator[str]:
        request = self.job.request
        yield from unprocessed(self.job)
        if request.selects_whole_days:
            if self.definition.time_zone != CALENDAR:
                zone = self.definition.time_zone
                yield f"Its replay sent whole UTC days, which may be only a part of the day in {zone}."
            return
        if request.source is not None and not self._takes_all_types:
            yield of_its_types_only(request)
            yield from self._others()
        yield from outside(request, self.of.window)

    def _others(self) -> Iterator[str]:
        """Which events of the day it does not cover, and how a replay covers them."""
        others = sorted((self.needed or frozenset()) - self._pairs)
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            yield f"The day also has events of source {others[0][0]} and type {others[0][1]}{more}."
        if has_several_sources(self.needed):
            yield SEVERAL_SOURCES

    @property
    def _pairs(self) -> frozenset[Pair]:
        return frozenset((self.job.request.source or "", name) for name in self.job.request.types)

    @property
    def _takes_all_types(self) -> bool:
        request, types = self.job.request, self.definition.event_types
        if request.source == self.definition.source and types is not None and types <= set(request.types):
            return True
        return self.needed is not None and self.needed <= self._pairs


def is_of_all_entities(job: ReplayJob) -> bool:
    """Whether a replay sends what it selects of every entity, and not days of chosen ones."""
    request = job.request
    return request.source is not None and not request.selects_whole_days and request.only is None


def is_complete(job: ReplayJob) -> bool:
    """Whether all that a replay selected is processed, or a dead letter."""
    return job.public_state is JobState.COMPLETE


def has_several_sources(needed: frozenset[Pair] | None) -> bool:
    """Whether no replay has all of these."""
    return len({source for source, _ in needed or ()}) > 1


def taken(definition: Definition, job: ReplayJob | None, needed: frozenset[Pair] | None) -> tuple[Pair, ...]:
    """The source, with each type, that a replay of a metric's day has to name; empty if it is not known."""
    if definition.source is not None and definition.event_types is not None:
        return tuple((definition.source, name) for name in sorted(definition.event_types))
    if needed and not has_several_sources(needed) and len(needed) <= MAX_NAMES:
        return tuple(sorted(needed))
    if job is not None and job.request.source is not None:
        return tuple((job.request.source, name) for name in job.request.types)
    return ()


def mending(definition: Definition, days: Sequence[Day], pairs: Sequence[Pair]) -> dict[str, object]:
    """The body for POST /replay that computes consecutive days again; empty if no source and type is known."""
    if not pairs:
        return {}
    types = [name for _, name in pairs]
    named: dict[str, object] = {"event_type": types[0]} if len(types) == 1 else {"event_types": types}
    return {"source": pairs[0][0], **named, **bounds(definition, days)}


def bounds(definition: Definition, days: Sequence[Day]) -> dict[str, object]:
    """Consecutive days as requests for replays say them: as days if they are UTC's, otherwise as a window."""
    if definition.time_zone == CALENDAR:
        return {"day": days[0]} if len(days) == 1 else {"start_day": days[0], "end_day": days[-1]}
    zone = definition.time_zone
    return {"start_time": window_in(zone, days[0]).start, "end_time": window_in(zone, days[-1]).end}
