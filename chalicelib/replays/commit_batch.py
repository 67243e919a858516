"""Cut the steps of a replay into stretches: what is sent and committed together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.core.timestamps import Day
from chalicelib.replays import rate_limit
from chalicelib.replays.job import Cursor, ReplayJob
from chalicelib.replays.selection import Send, Step

MESSAGES_A_STRETCH = 1_000
"""Committed, and then sent; a planner that dies in between leaves at most this many to be sent again."""

ORDERED_MESSAGES_A_STRETCH = 100
"""Those of one entity are sent one after the other."""

STEPS_A_STRETCH = 2_000
"""However few messages they make."""

STEPS_BETWEEN_LOOKS = 100
"""At the clock."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is sent and committed together; `ended` if nothing comes after it."""

    cursor: Cursor
    scanned: int
    matched: int
    sends: tuple[Send, ...]
    found: tuple[tuple[str, Day], ...]
    ended: bool


def stretch_size(job: ReplayJob, max_in_flight: int | None) -> int:
    """How many messages of a job may be sent together."""
    if job.request.order is not None:
        return ORDERED_MESSAGES_A_STRETCH
    return MESSAGES_A_STRETCH if max_in_flight is None else min(MESSAGES_A_STRETCH, max_in_flight)


def is_full(job: ReplayJob, max_in_flight: int | None) -> bool:
    """Whether so much is in flight that planning waits; no processor tells it of an ordered replay."""
    if max_in_flight is None or job.request.order is not None:
        return False
    return job.in_flight + stretch_size(job, max_in_flight) > max_in_flight


def next_stretch(steps: Iterator[Step], job: ReplayJob, size: int, may_go_on: Callable[[], bool]) -> Stretch:
    """The next steps: as many as may be sent together, and none after days that must be kept before they are read."""
    taken: list[Step] = []
    count, exhausted = 0, True
    enough = _most(job, size)
    for step in steps:
        taken.append(step)
        count += len(step.sends)
        turned = step.cursor.discovering_days != job.cursor.discovering_days
        late = len(taken) % STEPS_BETWEEN_LOOKS == 0 and not may_go_on()
        if turned or late or count >= enough or len(taken) >= STEPS_A_STRETCH:
            exhausted = False
            break
    limit = job.request.limit
    left = count if limit is None else limit - job.sent
    return Stretch(
        cursor=taken[-1].cursor if taken else job.cursor,
        scanned=sum(step.scanned for step in taken),
        matched=sum(step.matched for step in taken),
        sends=tuple(send for step in taken for send in step.sends)[:left],
        found=tuple(dict.fromkeys(step.found for step in taken if step.found is not None)),
        ended=exhausted or (limit is not None and count >= left),
    )


def _most(job: ReplayJob, size: int) -> int:
    """How many messages are sent together at most."""
    rate, limit = job.request.rate, job.request.limit
    bounds = [size]
    if rate is not None:
        bounds.append(rate_limit.burst(rate))
    if limit is not None:
        bounds.append(limit - job.sent)
    return min(bounds)
