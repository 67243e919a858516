"""Decides whether a replay may send more to a destination, whose window of messages in flight all replays share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.replays.job import ACTIVE_STATES, JobState, ReplayJob

QUIET_S = 3_600
"""After so long without an outcome, a replay's messages count no more: SQS gives a message up after half an hour."""

LOOK_EVERY_S = 1.0
"""Planners that wait at one destination do not all look at the same jobs."""

LONGEST_PAUSE_S = 60.0
_PART_OF_QUIET = 0.1
"""A planner waits a tenth of the time for which nothing has happened, so a consumer that is down is not polled."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one replay has in flight, as planners know it.

    `sent` includes what is about to be sent, `settled` is how much of it came to an end, and `forgotten` how much was
    not heard of for too long. `planning` says whether more is going to be sent.
    """

    replay_id: str
    sent: int
    settled: int
    planning: bool = True
    forgotten: int = 0

    @property
    def counted(self) -> int:
        """How many messages take room in the window."""
        return max(0, self.sent - self.settled - self.forgotten)


def _settled(job: ReplayJob) -> int:
    return job.sent - job.in_flight


def _quiet_s(job: ReplayJob, now: Instant) -> float:
    return (nanoseconds(now) - nanoseconds(job.moved_at)) / 1_000_000_000


def quiet_hours(job: ReplayJob, now: Instant) -> int:
    """For how many hours nothing was heard of messages that are in flight; 0 if none is."""
    return int(_quiet_s(job, now) // QUIET_S) if job.in_flight > 0 else 0


def _looked_at(known: Share, job: ReplayJob | None, now: Instant) -> Share | None:
    """What a replay has in flight by its counts; None if that is nothing, and nothing more comes.

    A planner that waits asks at least each minute, and takes its part again. So one of which nothing was heard for too
    long has none: it may have ended without being able to say so.
    """
    if job is None or job.state is JobState.CANCELLED:
        return None
    active = job.state in ACTIVE_STATES
    planning = active and _quiet_s(job, now) < QUIET_S
    sent, settled = max(job.sent, known.sent) if active else job.sent, _settled(job)
    forgotten = sent - settled if quiet_hours(job, now) else min(known.forgotten, sent - settled)
    share = Share(known.replay_id, sent, settled, planning, forgotten)
    return share if active or share.counted > 0 else None


@dataclass(frozen=True, slots=True)
class InFlight:
    """What all replays to a destination have in flight; `revision` counts its writes."""

    shares: tuple[Share, ...] = ()
    looked_at: Instant | None = None
    revision: int = 0

    def of(self, job: ReplayJob) -> Share:
        """The share of a replay as its planner knows it."""
        known = next((each for each in self.shares if each.replay_id == job.replay_id), Share(job.replay_id, 0, 0))
        return replace(known, sent=job.sent, settled=max(known.settled, _settled(job)), planning=True)

    def has_room(self, job: ReplayJob, messages: int, window: int) -> bool:
        """Whether so many more fit, and leave its part of the window to each other replay that is being planned."""
        others = [each for each in self.shares if each.replay_id != job.replay_id]
        own = self.of(job).counted + messages
        part = window // (1 + sum(each.planning for each in others))
        return own <= max(messages, part) and own + sum(each.counted for each in others) <= window

    def with_share(self, job: ReplayJob, messages: int) -> InFlight:
        """This once a replay has taken room for so many messages: the same again if its planner asks again."""
        own = self.of(job)
        others = tuple(each for each in self.shares if each.replay_id != job.replay_id)
        return replace(self, shares=(*others, replace(own, sent=own.sent + messages)), revision=self.revision + 1)

    def may_be_looked_at(self, now: Instant) -> bool:
        """Whether the counts of its replays are worth reading: not if another planner just did."""
        if self.looked_at is None or len(self.shares) <= 1:
            return True
        return nanoseconds(now) - nanoseconds(self.looked_at) >= LOOK_EVERY_S * 1_000_000_000

    def after_look(self, jobs: Mapping[str, ReplayJob | None], now: Instant) -> InFlight:
        """This with the counts of jobs as they are now, by the ids of their replays."""
        looked = (_looked_at(each, jobs[each.replay_id], now) for each in self.shares if each.replay_id in jobs)
        rest = (each for each in self.shares if each.replay_id not in jobs)
        return replace(self, shares=(*rest, *(each for each in looked if each is not None)), looked_at=now)


def pause_s(jobs: Iterable[ReplayJob | None], now: Instant) -> float:
    """Seconds after which a planner that found no room looks again: the longer, the longer nothing has happened."""
    quiet = min((_quiet_s(each, now) for each in jobs if each is not None), default=0.0)
    return max(LOOK_EVERY_S, min(quiet * _PART_OF_QUIET, LONGEST_PAUSE_S))


@dataclass(frozen=True, slots=True)
class AtDestination:
    """What replays have at a destination: how many of them still send, and their messages in flight and failed."""

    sending: int
    in_flight: int
    failed: int


def at_destination(name: str, jobs: Iterable[ReplayJob]) -> AtDestination:
    """What these replays have at a destination. What a cancelled one has in flight is dropped, and nothing waits."""
    there = [each for each in jobs if each.destination.name == name]
    counted = [each for each in there if each.destination.reports]
    in_flight = sum(max(0, each.in_flight) for each in counted if each.state is not JobState.CANCELLED)
    return AtDestination(
        sum(each.unfinished for each in there), in_flight, sum(max(0, each.failed) for each in counted)
    )
