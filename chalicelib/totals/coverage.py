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
from chalicelib.replays.job import JobState, ReplayJob


@dataclass(frozen=True, slots=True)
class Computed:
    """A metric of a day as a complete replay computed it, by the definition that the replay pins."""

    job: ReplayJob
    definition: Definition
    day: Day

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
        if request.entity_id is None and not self._takes_all_types:
            yield of_its_types_only(request)
        yield from outside(request, self.of.window)

    @property
    def _takes_all_types(self) -> bool:
        request, types = self.job.request, self.definition.event_types
        return request.source == self.definition.source and types is not None and types <= set(request.types)


def is_of_all_entities(job: ReplayJob) -> bool:
    """Whether a replay sends what it selects of every entity, and not days of chosen ones."""
    return job.request.entity_id is None and not job.request.selects_whole_days and job.request.only is None


def is_complete(job: ReplayJob) -> bool:
    """Whether all that a replay selected is processed, or a dead letter."""
    return job.public_state is JobState.COMPLETE


def mending(definition: Definition, days: Sequence[Day], job: ReplayJob | None) -> dict[str, object]:
    """The body for POST /replay that computes consecutive days again; empty if no source and type is known."""
    source, types = definition.source, sorted(definition.event_types or ())
    if (source is None or not types) and job is not None and job.request.source is not None:
        source, types = job.request.source, list(job.request.types)
    if source is None or not types:
        return {}
    named: dict[str, object] = {"event_type": types[0]} if len(types) == 1 else {"event_types": types}
    return {"source": source, **named, **bounds(definition, days)}


def bounds(definition: Definition, days: Sequence[Day]) -> dict[str, object]:
    """Consecutive days as requests for replays say them: as days if they are UTC's, otherwise as a window."""
    if definition.time_zone == CALENDAR:
        return {"day": days[0]} if len(days) == 1 else {"start_day": days[0], "end_day": days[-1]}
    zone = definition.time_zone
    return {"start_time": window_in(zone, days[0]).start, "end_time": window_in(zone, days[-1]).end}
