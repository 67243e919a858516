"""Decides whether a version of a daily aggregate covers its whole day, and which events it may lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.timestamps import CALENDAR, Instant, Window
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.messages import is_object_version
from chalicelib.replays.request import ReplayRequest


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version and the job that computed it, None where there is no such job (any more)."""

    stored: AggregateVersion
    job: ReplayJob | None

    @property
    def partial_because(self) -> tuple[str, ...]:
        """Why the version does not stand for its whole day; empty if it does, as of when its replay read the index."""
        version = self.stored.version
        if self.job is not None:
            return tuple(_incompleteness_reasons(self.job, version))
        if is_object_version(version.replay_id):
            return ("It covers the events of one raw object only.",)
        return ("Its replay is unknown, so what it covered is unknown, too.",)

    @property
    def settled(self) -> bool:
        """Whether each event that the replay covers, and that was there to be read, is known to be an input."""
        return self.job is not None and self.job.settled and not cut_short(self.job)

    @property
    def covers_day(self) -> bool:
        """Whether it may lack any event of its day that it does not contain."""
        if self.job is None or not self.settled:
            return False
        return not any(_left_out(self.job.request, self.stored.version))

    @property
    def asked_at(self) -> Instant:
        """A time before which nothing was read. Without a job it is when the version was last written."""
        return self.job.created_at if self.job is not None else self.stored.computed_at

    def may_lack(self, event: StoredEvent) -> bool:
        """Whether an event of the day came after the replay read the index, unless it is an input.

        What a settled replay covers and does not hold was not in the index when it was read, whatever its ingest_time:
        an event can be indexed much later than it was first received, as a retry keeps the time of the first attempt.
        """
        if self.job is not None and self.settled and _covers(self.job.request, self.stored.version, event):
            return True
        return event.ingest_time > self.asked_at


def _incompleteness_reasons(job: ReplayJob, version: Version) -> Iterator[str]:
    yield from unprocessed(job)
    yield from _left_out(job.request, version)


def unprocessed(job: ReplayJob) -> Iterator[str]:
    """What a replay selected and did not process, in sentences."""
    if job.public_state is not JobState.COMPLETE:
        yield f"Its replay is {job.public_state.value}, with {job.processed} of {job.sent} sent messages processed."
    elif job.failed > 0:
        yield f"Of its replay's {job.sent} messages, {job.failed} failed."
    if cut_short(job):
        yield f"Its replay ended after max_messages ({job.request.max_messages})."


def cut_short(job: ReplayJob) -> bool:
    """Whether it reached its `max_messages`."""
    return job.request.max_messages is not None and job.sent >= job.request.max_messages


def _left_out(request: ReplayRequest, version: Version) -> Iterator[str]:
    """What a replay leaves out of a day. The version is there, so if whole UTC days are sent, its UTC day was."""
    day = version.window
    if request.selects_whole_days:
        if version.calendar != CALENDAR:
            yield f"Its replay sent whole UTC days, which may be only a part of the day in {version.calendar}."
        return
    if request.source is not None:
        yield of_its_types_only(request)
    yield from outside(request, day)


def outside(request: ReplayRequest, day: Window) -> Iterator[str]:
    """What a replay leaves out of a day by its file, its filters and its window, in sentences."""
    if request.events_file is not None:
        yield "Its replay sent only the events of a file."
    if request.of is not None:
        yield f"Its replay took only what replay {request.of} left unprocessed."
    elif request.filtered:
        yield "Its replay took only events that pass its filters."
    if request.window.start > day.start:
        yield f"Its replay leaves out the day's events before {_readable(request.window.start)}."
    if request.window.end < day.end:
        yield f"Its replay leaves out the day's events from {_readable(request.window.end)} on."


def of_its_types_only(request: ReplayRequest) -> str:
    """The sentence about a replay by source and type."""
    return f"It covers events of source {request.source} and type {' or '.join(request.types)} only."


def _readable(instant: Instant) -> str:
    """An instant without digits of a second that are all zero."""
    return instant.replace(".000000000Z", "Z")


def _covers(request: ReplayRequest, version: Version, event: StoredEvent) -> bool:
    if request.selects_whole_days:
        return not any(_left_out(request, version))
    if request.only is not None:
        return False
    if not request.takes(event) or not request.window.start <= event.event_time < request.window.end:
        return False
    if request.entity_id is not None:
        return request.entity_id == event.entity_id
    return request.source == event.source and event.event_type in request.types
