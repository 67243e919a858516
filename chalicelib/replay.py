"""Replay events: make a job, and plan it slice by slice onto the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Contended, NotFound, RetraceError
from chalicelib.domain.fields import MAX_REPLAY_ID_BYTES
from chalicelib.domain.messages import message_of
from chalicelib.domain.ports import Clock, EventIndex, ReplayQueues, ReplayStore
from chalicelib.domain.replay_job import UNPLANNED, Cursor, JobState, ReplayJob
from chalicelib.domain.replay_request import ReplayRequest

EVENTS_A_PAGE = 500
PAGES_A_SLICE = 20
"""A slice is short, so that a small replay does not wait for a large one: jobs take turns on the queue."""

_RESERVE_MS = 20_000
"""Left over of a planner's time, for a page that is slow to send."""


@dataclass(frozen=True)
class RequestReplay:
    """The use case behind POST /replay."""

    replays: ReplayStore
    queues: ReplayQueues
    shards: int
    now: Clock
    new_id: Callable[[], str]

    def __call__(self, request: ReplayRequest, requested_by: str) -> ReplayJob:
        """Keep a job and queue it; the events are sent by planners, whatever their number."""
        job = ReplayJob(self.new_id(), request, requested_by, self.now(), self.shards)
        self.replays.create(job)
        try:
            self.queues.plan(job.replay_id)
        except RetraceError:
            # Nobody will plan it, and its caller is told to ask again.
            self.replays.commit(job, replace(job, state=JobState.FAILED, revision=job.revision + 1))
            raise
        return job


@dataclass(frozen=True)
class FindReplay:
    """The use case behind GET /replay/{id}."""

    replays: ReplayStore

    def __call__(self, replay_id: str) -> ReplayJob:
        """A job with its counts; raises NotFound."""
        fits_a_key = len(replay_id) <= MAX_REPLAY_ID_BYTES
        job = self.replays.get(replay_id) if fits_a_key else None
        if job is None:
            raise NotFound(f"There is no replay {replay_id[:MAX_REPLAY_ID_BYTES]}.")
        return job


@dataclass(frozen=True)
class PlanReplay:
    """The use case behind ReplayJobsQueue: one slice of one job."""

    replays: ReplayStore
    index: EventIndex
    queues: ReplayQueues
    new_id: Callable[[], str]

    def __call__(self, replay_id: str, time_left_ms: Callable[[], int]) -> int:
        """Send pages of messages until the slice or the time is used up; answers how many messages were sent.

        Each page is committed after it is sent. A planner that dies in between leaves a page to be sent again, which
        counts once, as processors tell events apart. A planner that finds the job moved on stops: another has it.
        """
        job = self.replays.get(replay_id)
        if job is None:
            raise NotFound(f"There is no replay {replay_id}.")
        sent_before = job.sent
        pages = 0
        # At least one page, so that a slice with little time left still brings the job forward.
        while job.state in UNPLANNED and (pages == 0 or (pages < PAGES_A_SLICE and time_left_ms() > _RESERVE_MS)):
            try:
                job = self._advanced(job)
            except Contended:
                return job.sent - sent_before
            pages += 1
        if job.state in UNPLANNED:
            self.queues.plan(replay_id)
        return job.sent - sent_before

    def _advanced(self, job: ReplayJob) -> ReplayJob:
        """The job after one more page, or at its end."""
        partition = job.request.partition(job.cursor.partition, job.shards)
        if partition is None:
            return self._committed(job, replace(job, state=JobState.SENT))
        page = self.index.page(partition, job.cursor.after, EVENTS_A_PAGE)
        self.queues.send([message_of(job.replay_id, event) for event in page.events])
        count = len(page.events)
        reached = replace(
            job,
            state=JobState.SENDING,
            cursor=Cursor(job.cursor.partition + (page.read_to is None), page.read_to),
            scanned=job.scanned + count,
            matched=job.matched + count,
            sent=job.sent + count,
        )
        return self._committed(job, reached)

    def _committed(self, job: ReplayJob, reached: ReplayJob) -> ReplayJob:
        committed = replace(reached, revision=job.revision + 1, committed_by=self.new_id())
        try:
            self.replays.commit(planned_from=job, reached=committed)
        except Contended:
            # If an answer is lost, the client sends the call again, and that one meets what the first has written.
            current = self.replays.get(job.replay_id)
            if current is None or current.committed_by != committed.committed_by:
                raise
        return committed
