"""Plan a replay slice by slice. A slice is some batches, and each batch takes four steps: read, decide, commit, send.

selection.py reads rows, commit_batch.py decides which of them make a batch, job.py has what is committed and sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from chalicelib.core.errors import InvalidRequest, NotFound, WriteConflict
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Clock, Concurrently, Sleep
from chalicelib.core.timestamps import nanoseconds
from chalicelib.replays import rate_limit
from chalicelib.replays.commit_batch import batch_size, job_after, next_batch
from chalicelib.replays.destinations import DeclaredDestination
from chalicelib.replays.job import ACTIVE_STATES, JobState, Outbox, ReplayJob, reason_of, told_failure
from chalicelib.replays.messages import by_entity_and_day
from chalicelib.replays.origins import Origins
from chalicelib.replays.ports import Destination, ReplayQueues, ReplayStore
from chalicelib.replays.room import TakeRoom
from chalicelib.replays.selection import ReadSelection, SelectedRow
from chalicelib.replays.tasks import ReplayTask

BATCHES_A_SLICE = 20
SLICE_S = 10
"""A slice is short, so that a small replay does not wait for a large one: the queue brings the next job after it."""

SLEEP_AT_MOST_S = 1.0
"""A planner that has longer to wait ends, and is called again when it is time."""

WATCH_S = 300
"""Longer than any planner lives."""

DELAY_AT_MOST_S = 900
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, DelaySeconds"""

EVENTS_A_WRITE = 25
"""As many as DynamoDB takes in one call."""

_RESERVE_MS = 20_000
"""Left over of a planner's time, for a batch that is slow to send."""


@dataclass(frozen=True)
class PlanReplay:
    """The use case behind ReplayJobsQueue: one slice of one job."""

    replays: ReplayStore
    origins: Origins
    queues: ReplayQueues
    destination_of: Callable[[DeclaredDestination], Destination]
    now: Clock
    sleep: Sleep
    new_id: Callable[[], str]
    concurrently: Concurrently
    index_lag_s: int

    def plan_slice(self, task: ReplayTask, time_left_ms: Callable[[], int], *, last_chance: bool = False) -> int:
        """Send messages until the slice or the time is used up. Answers how many were sent.

        Each batch is committed before it is sent, with its messages, so nothing is ever in flight that the job does
        not count, whatever another planner reads. If a planner dies before the next commit, its successor sends those
        same messages again, which count once, as processors deduplicate messages. A planner whose commit fails has sent
        nothing of it, and stops: another has the job.
        If it fails and will not be called again (`last_chance`), the job is FAILED, as no planner would continue it. It
        is at once for a malformed events file, which no other call could read either.
        """
        job = self.replays.get(task.replay_id)
        if task.unless_planned and (job is None or job.revision > 0):
            return 0
        if job is None:
            raise NotFound(f"There is no replay {task.replay_id}.")
        try:
            if self._put_off(job, task):
                return 0
            return self._slice(job, self._slice_lasts(time_left_ms))
        except InvalidRequest as error:
            self.give_up(task, error)
            return 0
        except Exception as error:
            if last_chance:
                self.give_up(task, error)
            raise

    def _put_off(self, job: ReplayJob, task: ReplayTask) -> bool:
        """Queue a job again whose index may not show yet what was acknowledged before the job was made.

        The queue measures the time, so it does not matter whether the clocks of two functions agree.
        """
        settles_s = job.request.settles_in(self.index_lag_s)
        if job.revision > 0 or task.waited_s >= settles_s:
            return False
        self.queues.plan(job.replay_id, settles_s)
        return True

    def _slice(self, job: ReplayJob, may_go_on: Callable[[], bool]) -> int:
        sent_before, batches, wait_s = job.sent, 0, 0.0
        if job.outbox is not None:
            self._carry_out(job, self.replays.outbox(job.replay_id, job.outbox))
        rows = self._selection(job).rows(job.cursor)
        try:
            # At least one batch, so that a slice with little time left still brings the job forward.
            while job.state in ACTIVE_STATES and (batches == 0 or (batches < BATCHES_A_SLICE and may_go_on())):
                if (wait_s := self._left_to_wait_s(job, may_go_on)) > 0:
                    break
                job, batches = self._advanced(job, rows, may_go_on), batches + 1
            job = self._acknowledged(job)
        except WriteConflict:
            self._watch(job)
        else:
            if job.state in ACTIVE_STATES:
                self.queues.plan(job.replay_id, int(min(wait_s, DELAY_AT_MOST_S)))
        return job.sent - sent_before

    def _slice_lasts(self, time_left_ms: Callable[[], int]) -> Callable[[], bool]:
        """Whether this planner may go on: neither its time nor its slice is over."""
        ends = nanoseconds(self.now()) + SLICE_S * 1_000_000_000
        return lambda: time_left_ms() > _RESERVE_MS and nanoseconds(self.now()) < ends

    def _selection(self, job: ReplayJob) -> ReadSelection:
        days = self.replays.touched_days(job.replay_id)
        return ReadSelection(job.request, self.origins, days, job.shards, self.concurrently)

    def _left_to_wait_s(self, job: ReplayJob, may_go_on: Callable[[], bool]) -> float:
        """Wait for the next batch, if that is short, and take its room. Answers the seconds left; 0.0 to send it now.

        It waits for the rate of the replay, and for what its destination shares among replays.
        """
        to, rate = self._destination(job), job.request.rate
        wait_s = 0.0 if rate is None else rate_limit.wait_s(job.due_at, self.now(), rate)
        if wait_s >= SLEEP_AT_MOST_S:
            return wait_s
        if wait_s > 0:
            self.sleep(wait_s)
        room = TakeRoom(self.replays, self.now, self.concurrently)
        while (wait_s := room.wait_s(job, to)) > 0:
            if wait_s >= SLEEP_AT_MOST_S or not may_go_on():
                return wait_s
            self.sleep(wait_s)
        return 0.0

    def _advanced(self, job: ReplayJob, rows: Iterator[SelectedRow], may_go_on: Callable[[], bool]) -> ReplayJob:
        """The job after one more batch, or at its end: read and decide, commit, send."""
        begun, destination = self.now(), self._destination(job)
        batch = next_batch(rows, job, batch_size(destination), may_go_on)
        outbox, reached = batch.outbox(job.replay_id, destination.name), job_after(job, batch, begun)
        committed = self._committed(job, reached, outbox)
        self._carry_out(committed, outbox)
        return committed

    def _committed(self, job: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> ReplayJob:
        commit_id = self.new_id()
        committed = replace(reached, revision=job.revision + 1, committed_by=commit_id, updated_at=self.now())
        if outbox:
            committed = replace(committed, outbox=commit_id)
        try:
            self.replays.commit(job, committed, outbox or None)
        except WriteConflict:
            # If an answer is lost, the client sends the call again, and that one meets what the first has written.
            if self._current(job).committed_by != commit_id:
                raise
        return committed

    def _carry_out(self, job: ReplayJob, outbox: Outbox) -> None:
        """Do what is committed. Days are kept before the next batch reads them; both may be done twice."""
        if outbox.days:
            self.replays.touched_days(job.replay_id).add(outbox.days)
        if outbox.messages:
            to = self._destination(job)
            self._list_outbox(job, outbox)
            if job.destination.takes_reports:  # kept first, so that no report comes of what is not known to be sent
                self.replays.sent_messages(job.replay_id).add(outbox.messages)
            to.send(outbox.messages if to.ordered else by_entity_and_day(outbox.messages))
            if not job.destination.is_aggregates:  # kept last, so that nothing is said to be sent that may not be
                events = list(dict.fromkeys(message.event_id for message in outbox.messages))
                self.concurrently(self.replays.sent_events(to.name).add, chunked(events, EVENTS_A_WRITE))

    def _list_outbox(self, job: ReplayJob, outbox: Outbox) -> None:
        """Keep the outbox's place in all that the job sends. Every planner that carries it out keeps the same."""
        if job.outbox is not None:
            self.replays.list_outbox(job.replay_id, job.sent - len(outbox.messages), job.outbox, self.now())

    def _acknowledged(self, job: ReplayJob) -> ReplayJob:
        """The job without the outbox that was carried out; raises WriteConflict if another planner has replaced it."""
        if job.outbox is None:
            return job
        try:
            return self._committed(job, replace(job, outbox=None))
        except WriteConflict:
            current = self._current(job)
            if current.outbox != job.outbox:
                raise
            return self._acknowledged(current)

    def _watch(self, job: ReplayJob) -> None:
        """Look after a job again that another planner is ahead with, or that was cancelled or resumed.

        The other planner may be that of the same message, delivered twice: this one lets the message go, and if the
        other dies, no other planner would be called.
        """
        current = self._current(job)
        if current.outbox == job.outbox:
            with suppress(WriteConflict):  # a third planner has replaced the outbox, and has the job
                current = self._acknowledged(current)
        if current.unfinished:
            self.queues.plan(job.replay_id, WATCH_S)

    def _current(self, job: ReplayJob) -> ReplayJob:
        current = self.replays.get(job.replay_id)
        return job if current is None else current

    def _destination(self, job: ReplayJob) -> Destination:
        return self.destination_of(job.destination)

    def give_up(self, task: ReplayTask, error: Exception) -> None:
        """Mark a job FAILED that has something left to plan, and lay its task aside, where an alarm watches."""
        job = self.replays.get(task.replay_id)
        if job is None or not job.unfinished or (task.unless_planned and job.revision > 0):
            return
        if job.state is not JobState.CANCELLED:
            told, reason = told_failure(error), reason_of(error)
            self._committed(job, replace(job, state=JobState.FAILED, failure=told, failed_because=reason))
            self.queues.lay_aside(task)
