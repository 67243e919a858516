"""Plan a replay slice by slice: read on from the cursor, commit cursor, counts and outbox together, and send that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.core.errors import NotFound, WriteConflict
from chalicelib.core.ports import Clock, Concurrently, Sleep
from chalicelib.core.timestamps import nanoseconds
from chalicelib.events.ports import EventIndex
from chalicelib.replays import rate_limit
from chalicelib.replays.commit_batch import Stretch, is_full, next_stretch, stretch_size
from chalicelib.replays.job import ACTIVE_STATES, JobState, ReplayJob, told_failure
from chalicelib.replays.messages import ReplayMessage, by_entity_and_day, message_of
from chalicelib.replays.outbox import Outbox
from chalicelib.replays.ports import ReplayQueues, ReplayStore
from chalicelib.replays.selection import ReadSelection, Step
from chalicelib.replays.tasks import ReplayTask

STRETCHES_A_SLICE = 20
SLICE_S = 10
"""A slice is short, so that a small replay does not wait for a large one: jobs take turns on the queue."""

SLEEP_AT_MOST_S = 1.0
"""A planner that has longer to wait ends, and is called again when it is time."""

FULL_PAUSE_S = 1.0
WATCH_S = 300
"""Longer than any planner lives."""

DELAY_AT_MOST_S = 900
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, DelaySeconds"""

_RESERVE_MS = 20_000
"""Left over of a planner's time, for a stretch that is slow to send."""


@dataclass(frozen=True)
class PlanReplay:
    """The use case behind ReplayJobsQueue: one slice of one job."""

    replays: ReplayStore
    index: EventIndex
    queues: ReplayQueues
    now: Clock
    sleep: Sleep
    new_id: Callable[[], str]
    concurrently: Concurrently
    max_in_flight: int | None
    index_lag_s: int

    def __call__(self, task: ReplayTask, time_left_ms: Callable[[], int], *, last_chance: bool = False) -> int:
        """Send messages until the slice or the time is used up; answers how many messages were sent.

        Each stretch is committed before it is sent, with its messages, so nothing is ever in flight that the job does
        not count, whatever another planner reads. If a planner dies before the next commit, its successor sends those
        same messages again, which count once, as processors tell messages apart. A planner whose commit fails has sent
        nothing of it, and stops: another has the job.
        If it fails and will not be called again (`last_chance`), the job is FAILED, as nobody would go on with it.
        """
        job = self.replays.get(task.replay_id)
        if task.unless_planned and (job is None or job.revision > 0):
            return 0
        if job is None:
            raise NotFound(f"There is no replay {task.replay_id}.")
        try:
            if self._put_off(job, task):
                return 0
            return self._slice(job, self._turn(time_left_ms))
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
        sent_before = job.sent
        steps = self._selection(job).steps(job.cursor)
        if job.outbox is not None:
            self._carry_out(job, self.replays.outbox(job.replay_id, job.outbox))
        stretches, wait_s = 0, 0.0
        # At least one stretch, so that a slice with little time left still brings the job forward.
        try:
            while job.state in ACTIVE_STATES and (stretches == 0 or (stretches < STRETCHES_A_SLICE and may_go_on())):
                job = self._with_fresh_counts(job)
                wait_s = FULL_PAUSE_S if is_full(job, self.max_in_flight) else self._wait_s(job)
                if wait_s >= SLEEP_AT_MOST_S:
                    break
                if wait_s > 0:
                    self.sleep(wait_s)
                job = self._advanced(job, steps, may_go_on)
                stretches, wait_s = stretches + 1, 0.0
            job = self._acknowledged(job)
        except WriteConflict:
            self._overtaken(job)
            return job.sent - sent_before
        if job.state in ACTIVE_STATES:
            self.queues.plan(job.replay_id, int(min(wait_s, DELAY_AT_MOST_S)))
        return job.sent - sent_before

    def _overtaken(self, job: ReplayJob) -> None:
        """Look after a job again that another planner is ahead with, or that was cancelled or resumed.

        The other planner may be that of the same message, delivered twice: this one lets the message go, and if the
        other dies, nobody else would be called.
        """
        current = self._current(job)
        if current.outbox == job.outbox:
            current = self._acknowledged(current)
        if current.unfinished:
            self.queues.plan(job.replay_id, WATCH_S)

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

    def _current(self, job: ReplayJob) -> ReplayJob:
        current = self.replays.get(job.replay_id)
        return job if current is None else current

    def _turn(self, time_left_ms: Callable[[], int]) -> Callable[[], bool]:
        """Whether this planner may go on: its time is not up, and it is not another job's turn."""
        ends = nanoseconds(self.now()) + SLICE_S * 1_000_000_000
        return lambda: time_left_ms() > _RESERVE_MS and nanoseconds(self.now()) < ends

    def _selection(self, job: ReplayJob) -> ReadSelection:
        days = self.replays.touched_days(job.replay_id)
        return ReadSelection(job.request, self.index, days, job.shards, self.concurrently)

    def _advanced(self, job: ReplayJob, steps: Iterator[Step], may_go_on: Callable[[], bool]) -> ReplayJob:
        """The job after one more stretch, or at its end."""
        begun = self.now()
        stretch = next_stretch(steps, job, stretch_size(job, self.max_in_flight), may_go_on)
        outbox = Outbox(tuple(message_of(job.replay_id, *send) for send in stretch.sends), stretch.found)
        reached = replace(
            job,
            state=_state_after(stretch),
            cursor=stretch.cursor,
            scanned=job.scanned + stretch.scanned,
            matched=job.matched + stretch.matched,
            sent=job.sent + len(stretch.sends),
            outbox=None,
        )
        if job.request.rate is not None and stretch.sends:
            due_at = rate_limit.due_after(job.due_at, begun, len(stretch.sends), job.request.rate)
            reached = replace(reached, due_at=due_at)
        committed = self._committed(job, reached, outbox)
        self._carry_out(committed, outbox)
        return committed

    def _carry_out(self, job: ReplayJob, outbox: Outbox) -> None:
        """Do what is committed. Days are kept before the next stretch reads them; both may be done twice."""
        if outbox.days:
            self.replays.touched_days(job.replay_id).add(outbox.days)
        if outbox.messages:
            self._send(job, outbox.messages)

    def _send(self, job: ReplayJob, messages: Sequence[ReplayMessage]) -> None:
        if job.request.order is None:
            self.queues.send(by_entity_and_day(messages))
        else:
            self.queues.send_ordered(messages)

    def _wait_s(self, job: ReplayJob) -> float:
        return 0.0 if job.request.rate is None else rate_limit.wait_s(job.due_at, self.now(), job.request.rate)

    def _with_fresh_counts(self, job: ReplayJob) -> ReplayJob:
        """The job with what processors have counted meanwhile, read only where it matters."""
        if not is_full(job, self.max_in_flight):
            return job
        current = self._current(job)
        if current.revision != job.revision:
            raise WriteConflict(f"Replay {job.replay_id} was moved on by another.")
        return current

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

    def give_up(self, task: ReplayTask, error: Exception) -> None:
        """Mark a job FAILED that has something left to plan, and lay its task aside, where an alarm watches."""
        job = self.replays.get(task.replay_id)
        if job is None or not job.unfinished or (task.unless_planned and job.revision > 0):
            return
        if job.state is not JobState.CANCELLED:
            self._committed(job, replace(job, state=JobState.FAILED, failure=told_failure(error)))
            self.queues.lay_aside(task)


def _state_after(stretch: Stretch) -> JobState:
    if stretch.ended:
        return JobState.SENT
    return JobState.PLANNING if stretch.cursor.discovering_days else JobState.SENDING
