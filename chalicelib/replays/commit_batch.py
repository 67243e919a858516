"""Decide which rows make a batch: what is committed together, and then sent together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chalicelib.core.timestamps import Day, Instant
from chalicelib.replays import rate_limit
from chalicelib.replays.job import Cursor, JobState, Outbox, ReplayJob
from chalicelib.replays.messages import message_of
from chalicelib.replays.ports import Destination
from chalicelib.replays.selection import SelectedRow, Send

MESSAGES_A_BATCH = 1_000
"""A planner that dies before it has sent a batch leaves at most this many messages to be sent again."""

ORDERED_MESSAGES_A_BATCH = 100
"""Those of one entity are sent one after the other."""

ROWS_A_BATCH = 2_000
"""However few messages they make."""

ROWS_BETWEEN_LOOKS = 100
"""At the clock."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is committed and sent together; `ended` if nothing comes after it."""

    cursor: Cursor
    scanned: int
    matched: int
    sends: tuple[Send, ...]
    touched_days: tuple[tuple[str, Day], ...]
    ended: bool
    not_found: int = 0

    def outbox(self, replay_id: str, destination: str) -> Outbox:
        """What is to be done once the batch is committed."""
        return Outbox(tuple(message_of(replay_id, destination, *send) for send in self.sends), self.touched_days)


def batch_size(destination: Destination) -> int:
    """How many messages may be sent together: no more than may be in flight."""
    window = destination.max_in_flight
    return destination.messages_a_batch if window is None else min(destination.messages_a_batch, window)


def next_batch(rows: Iterator[SelectedRow], job: ReplayJob, size: int, may_go_on: Callable[[], bool]) -> Batch:
    """The next rows: as many as may be sent together, and none after days that must be kept before they are read."""
    taken: list[SelectedRow] = []
    count, exhausted = 0, True
    enough = _most(job, size)
    for row in rows:
        taken.append(row)
        count += len(row.sends)
        found_all = row.cursor.discovering_days != job.cursor.discovering_days
        late = len(taken) % ROWS_BETWEEN_LOOKS == 0 and not may_go_on()
        if found_all or late or count >= enough or len(taken) >= ROWS_A_BATCH:
            exhausted = False
            break
    most = job.request.max_messages
    left = count if most is None else most - job.sent
    return Batch(
        cursor=taken[-1].cursor if taken else job.cursor,
        scanned=sum(row.scanned for row in taken),
        matched=sum(row.matched for row in taken),
        sends=tuple(send for row in taken for send in row.sends)[:left],
        touched_days=tuple(dict.fromkeys(row.touched_day for row in taken if row.touched_day is not None)),
        ended=exhausted or (most is not None and count >= left),
        not_found=sum(row.not_found is not None for row in taken),
    )


def _most(job: ReplayJob, size: int) -> int:
    """How many messages are sent together at most."""
    rate, most = job.request.rate, job.request.max_messages
    bounds = [size]
    if rate is not None:
        bounds.append(rate_limit.burst(rate))
    if most is not None:
        bounds.append(most - job.sent)
    return min(bounds)


def job_after(job: ReplayJob, batch: Batch, begun: Instant) -> ReplayJob:
    """The job once a batch is committed that was begun at an instant."""
    rate, due_at = job.request.rate, job.due_at
    if rate is not None and batch.sends:
        due_at = rate_limit.due_after(due_at, begun, len(batch.sends), rate)
    return replace(
        job,
        state=_state_after(batch),
        cursor=batch.cursor,
        scanned=job.scanned + batch.scanned,
        matched=job.matched + batch.matched,
        not_found=job.not_found + batch.not_found,
        sent=job.sent + len(batch.sends),
        outbox=None,
        due_at=due_at,
    )


def _state_after(batch: Batch) -> JobState:
    if batch.ended:
        return JobState.SENT
    return JobState.PLANNING if batch.cursor.discovering_days else JobState.SENDING
