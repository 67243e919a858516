"""Plan a replay slice by slice: read on from the cursor, send, and commit cursor and counts together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from chalicelib.domain import pacing
from chalicelib.domain.errors import Contended, NotFound
from chalicelib.domain.messages import by_entity_and_day, message_of
from chalicelib.domain.ports import Clock, Concurrently, EventIndex, Sleep
from chalicelib.domain.replay_job import UNPLANNED, JobState, ReplayJob
from chalicelib.domain.replay_ports import ReplayQueues, ReplayStore
from chalicelib.domain.timestamps import nanoseconds
from chalicelib.selection import ReadSelection, Send, Step
from chalicelib.stretch import Stretch, next_stretch

MESSAGES_A_STRETCH = 1_000
"""Sent, and then committed; a planner that dies in between leaves at most so many to be sent again."""

ORDERED_MESSAGES_A_STRETCH = 100
"""Those of one entity are sent one after the other."""

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

    def __call__(self, replay_id: str, time_left_ms: Callable[[], int], *, last_chance: bool = False) -> int:
        """Send messages until the slice or the time is used up; answers how many messages were sent.

        Each stretch is committed after it is sent. A planner that dies in between leaves it to be sent again, which
        counts once, as processors tell messages apart. A planner that finds the job moved on stops: another has it.
        If it fails and will not be called again (`last_chance`), the job is FAILED, as nobody would go on with it.
        """
        job = self.replays.get(replay_id)
        if job is None:
            raise NotFound(f"There is no replay {replay_id}.")
        try:
            return self._slice(job, self._turn(time_left_ms))
        except Exception as error:
            if last_chance:
                self._give_up(replay_id, error)
            raise

    def _slice(self, job: ReplayJob, may_go_on: Callable[[], bool]) -> int:
        sent_before = job.sent
        steps = self._selection(job).steps(job.cursor)
        stretches, wait_s = 0, 0.0
        # At least one stretch, so that a slice with little time left still brings the job forward.
        while job.state in UNPLANNED and (stretches == 0 or (stretches < STRETCHES_A_SLICE and may_go_on())):
            try:
                job = self._with_fresh_counts(job)
                wait_s = FULL_PAUSE_S if self._full(job) else self._wait_s(job)
                if wait_s >= SLEEP_AT_MOST_S:
                    break
                if wait_s > 0:
                    self.sleep(wait_s)
                job = self._advanced(job, steps, may_go_on)
            except Contended:
                self._watch(job)
                return job.sent - sent_before
            stretches, wait_s = stretches + 1, 0.0
        if job.state in UNPLANNED:
            self.queues.plan(job.replay_id, int(min(wait_s, DELAY_AT_MOST_S)))
        return job.sent - sent_before

    def _watch(self, job: ReplayJob) -> None:
        """Look after a job again that another planner is ahead with.

        It may be that of the same message, delivered twice: this one lets the message go, and if the other dies, nobody
        else would be called.
        """
        current = self.replays.get(job.replay_id)
        if current is not None and current.state in UNPLANNED:
            self.queues.plan(job.replay_id, WATCH_S)

    def _turn(self, time_left_ms: Callable[[], int]) -> Callable[[], bool]:
        """Whether this planner may go on: its time is not up, and it is not another job's turn."""
        ends = nanoseconds(self.now()) + SLICE_S * 1_000_000_000
        return lambda: time_left_ms() > _RESERVE_MS and nanoseconds(self.now()) < ends

    def _selection(self, job: ReplayJob) -> ReadSelection:
        days = self.replays.found_days(job.replay_id)
        return ReadSelection(job.request, self.index, days, job.shards, self.concurrently)

    def _advanced(self, job: ReplayJob, steps: Iterator[Step], may_go_on: Callable[[], bool]) -> ReplayJob:
        """The job after one more stretch, or at its end."""
        begun = self.now()
        stretch = next_stretch(steps, job, self._stretch_size(job), may_go_on)
        if stretch.found:
            self.replays.found_days(job.replay_id).add(stretch.found)
        self._send(job, stretch.sends)
        reached = replace(
            job,
            state=_state_after(stretch),
            cursor=stretch.cursor,
            scanned=job.scanned + stretch.scanned,
            matched=job.matched + stretch.matched,
            sent=job.sent + len(stretch.sends),
        )
        if job.request.rate is not None and stretch.sends:
            due_at = pacing.due_after(job.due_at, begun, len(stretch.sends), job.request.rate)
            reached = replace(reached, due_at=due_at)
        return self._committed(job, reached)

    def _send(self, job: ReplayJob, sends: Iterable[Send]) -> None:
        messages = [message_of(job.replay_id, event, duplicate) for event, duplicate in sends]
        if job.request.order is None:
            self.queues.send(by_entity_and_day(messages))
        else:
            self.queues.send_ordered(messages)

    def _wait_s(self, job: ReplayJob) -> float:
        return 0.0 if job.request.rate is None else pacing.wait_s(job.due_at, self.now())

    def _full(self, job: ReplayJob) -> bool:
        """Whether so much of the job is in flight that its planner waits, and leaves the queue to other replays.

        Of an ordered replay, and where no processor is deployed, nobody tells what became of the messages.
        """
        if self.max_in_flight is None or job.request.order is not None:
            return False
        return job.in_flight + self._stretch_size(job) > self.max_in_flight

    def _stretch_size(self, job: ReplayJob) -> int:
        if job.request.order is not None:
            return ORDERED_MESSAGES_A_STRETCH
        return MESSAGES_A_STRETCH if self.max_in_flight is None else min(MESSAGES_A_STRETCH, self.max_in_flight)

    def _with_fresh_counts(self, job: ReplayJob) -> ReplayJob:
        """The job with what processors have counted meanwhile, read only where it matters."""
        if not self._full(job):
            return job
        current = self.replays.get(job.replay_id)
        if current is None or current.revision != job.revision:
            raise Contended(f"Replay {job.replay_id} was moved on by another.")
        return current

    def _committed(self, job: ReplayJob, reached: ReplayJob) -> ReplayJob:
        committed = replace(reached, revision=job.revision + 1, committed_by=self.new_id(), updated_at=self.now())
        try:
            self.replays.commit(planned_from=job, reached=committed)
        except Contended:
            # If an answer is lost, the client sends the call again, and that one meets what the first has written.
            current = self.replays.get(job.replay_id)
            if current is not None and current.committed_by == committed.committed_by:
                return committed
            if current is None or current.state is not JobState.CANCELLED or current.cursor != job.cursor:
                raise
            # It was cancelled while the stretch was being sent; what was sent is told all the same.
            late = replace(committed, state=current.state, cancelled_by=current.cancelled_by)
            return self._committed(current, late)
        return committed

    def _give_up(self, replay_id: str, error: Exception) -> None:
        job = self.replays.get(replay_id)
        if job is not None and job.state in UNPLANNED:
            self._committed(job, replace(job, state=JobState.FAILED, failure=str(error) or type(error).__name__))


def _state_after(stretch: Stretch) -> JobState:
    if stretch.ended:
        return JobState.SENT
    return JobState.PLANNING if stretch.cursor.finding else JobState.SENDING
