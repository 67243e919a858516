"""Request replays, find them, cancel them, and resume those that have failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from chalicelib.core.errors import Conflict, Fault, TryAgain, WriteConflict
from chalicelib.core.pagination import from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock, Concurrently, Pause
from chalicelib.core.replay_ids import what_if
from chalicelib.metrics.definition import Definition
from chalicelib.replays.destinations import DeclaredDestination, DestinationKind, Destinations
from chalicelib.replays.job import JobState, PinnedMetric, ReplayJob, Requester, beginning_of
from chalicelib.replays.missing import CompleteRequest
from chalicelib.replays.partial_days import partial_days
from chalicelib.replays.pinning import PinMetrics
from chalicelib.replays.ports import KeyedReplay, ReplayQueues, ReplayStore, required_job
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.preview_report import ConfirmationNeeded, Preview
from chalicelib.replays.request import MAX_REPLAYS, ReplayRequest, ReplaysQuery
from chalicelib.replays.tasks import ReplayTask

_ATTEMPTS = 10


@dataclass(frozen=True)
class RequestReplay:
    """The use case behind POST /replay."""

    replays: ReplayStore
    queues: ReplayQueues
    preview: PreviewReplay
    confirm_above: int
    shards: int
    index_lag_s: int
    now: Clock
    id_at: Callable[[int], str]
    metrics: PinMetrics
    destinations: Destinations

    def request(self, request: ReplayRequest, requester: Requester, drafts: Sequence[Definition] = ()) -> ReplayJob:
        """Keep a job and queue it. Planners send its events.

        A second message is queued before the job is kept, in case the function ends before it has queued the first.

        Raises InvalidRequest for an unknown destination or file, a malformed file, ConfirmationNeeded for a large
        replay that was not confirmed, and Conflict for an idempotency key that stands for another request.
        CompleteRequest says what it raises for a request for only what is missing.
        """
        digest = _digest(request)
        key = requester.idempotency_key
        known = None if key is None else self.replays.keyed(key)
        if known is not None:
            return self._again(known, digest, requester)
        request, destination = self._completed(request)
        self.preview.file_of(request)
        chosen = self.metrics.chosen(request, drafts)
        self._require_confirmation(request)
        job = self._job(request, requester, chosen, destination)
        self.metrics.keep(drafts)
        self.queues.plan_unless_planned(job.replay_id)
        keyed = self.replays.create(job, key, digest)
        if keyed is not None:
            return self._again(keyed, digest, requester)
        with suppress(TryAgain):  # it is planned in a minute all the same
            self.queues.plan(job.replay_id, request.settles_in(self.index_lag_s))
        return job

    def dry_run(self, request: ReplayRequest, drafts: Sequence[Definition]) -> Preview:
        """Say what a request would do, and do nothing of it. Raises what `request` does, except ConfirmationNeeded."""
        request, destination = self._completed(request)
        chosen = self.metrics.chosen(request, drafts)
        partial = partial_days(request, self.metrics.active(destination.name) if chosen is None else chosen)
        return replace(self.preview.count_messages(request), metrics=chosen, partial_days=partial)

    def _completed(self, request: ReplayRequest) -> tuple[ReplayRequest, DeclaredDestination]:
        completed = CompleteRequest(self.replays, self.now).completed(request)
        return completed, self.destinations.named(completed.destination, in_time_order=completed.in_time_order)

    def _job(
        self,
        request: ReplayRequest,
        requester: Requester,
        chosen: Sequence[Definition] | None,
        destination: DeclaredDestination,
    ) -> ReplayJob:
        """A job at the next place in the order, with the metrics that the request chose, else the active ones."""
        now = self.now()
        place = self.replays.next_place(now)
        if chosen is None:
            chosen = self.metrics.active(destination.name) if place.metrics_defined else []
        replay_id = self.id_at(place.millisecond)
        return ReplayJob(
            replay_id=what_if(replay_id) if request.is_what_if else replay_id,
            request=request,
            requested_by=requester.name,
            created_at=now,
            updated_at=now,
            shards=self.shards,
            cursor=beginning_of(request),
            metrics=tuple(PinnedMetric(each.name, each.sha256) for each in chosen),
            destination_arn=destination.arn,
            takes_reports=destination.takes_reports,
        )

    def _again(self, keyed: KeyedReplay, digest: str, requester: Requester) -> ReplayJob:
        """The job that was requested before. It is queued again if no planner has had it, as it may not be queued."""
        if keyed.digest != digest:
            fault = Fault("Idempotency-Key", "belongs to another request. Use a new key for a new replay")
            raise Conflict(f"The Idempotency-Key {requester.idempotency_key} was used for another replay.", (fault,))
        job = required_job(self.replays, keyed.replay_id)
        if job.revision == 0:
            self.queues.plan(job.replay_id)
        return job

    def _require_confirmation(self, request: ReplayRequest) -> None:
        if request.max_messages is not None and request.max_messages <= self.confirm_above:
            self.preview.verify_file_of(request)
            return
        preview = self.preview.count_messages(request, detailed_above=self.confirm_above)
        if not preview.confirmed(self.confirm_above):
            raise ConfirmationNeeded(preview, self.confirm_above)


def _digest(request: ReplayRequest) -> str:
    content = json.dumps(request.as_asked(), sort_keys=True, ensure_ascii=False)
    return sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ReplaysFound:
    """A page of jobs, and the cursor to the next."""

    jobs: tuple[ReplayJob, ...]
    cursor: str | None


@dataclass(frozen=True)
class FindReplays:
    """The use cases behind GET /replay and GET /replay/{id}."""

    replays: ReplayStore
    concurrently: Concurrently

    def newest(self, query: ReplaysQuery) -> ReplaysFound:
        """A page of jobs with their counts, newest first."""
        fingerprint = query_fingerprint(query)
        page = self.replays.newest(from_cursor(fingerprint, query.cursor), query.limit)
        jobs = self.concurrently(self.replays.get, page.items)
        return ReplaysFound(tuple(job for job in jobs if job is not None), to_cursor(fingerprint, page.read_to))

    def sending_to(self, destination: str) -> int:
        """How many of the newest replays still send to a destination."""
        jobs = self.newest(ReplaysQuery(limit=MAX_REPLAYS)).jobs
        return sum(job.unfinished and job.destination.name == destination for job in jobs)

    def one(self, replay_id: str) -> ReplayJob:
        """A job with its counts; raises NotFound."""
        return required_job(self.replays, replay_id)


@dataclass(frozen=True)
class ControlReplay:
    """The use cases behind POST /replay/{id}/cancel and POST /replay/{id}/redrive."""

    replays: ReplayStore
    queues: ReplayQueues
    destinations: Destinations
    now: Clock
    new_id: Callable[[], str]
    pause: Pause

    def cancel(self, replay_id: str, caller: str) -> ReplayJob:
        """Send nothing more, and drop what was sent and not processed; a job cancelled already stays as it is.

        A processor that read the job before still counts the batch that it has in hand: the job says until when.

        Raises Conflict for a replay that is complete.
        """

        def cancelled(job: ReplayJob) -> ReplayJob | None:
            if job.public_state is JobState.COMPLETE:
                raise Conflict(f"Replay {job.replay_id} is complete, so there is nothing to cancel.")
            if job.state is JobState.CANCELLED:
                return None
            return replace(job, state=JobState.CANCELLED, cancelled_by=caller, cancelled_at=self.now(), failure=None)

        return self._changed(replay_id, cancelled)

    def redrive(self, replay_id: str) -> ReplayJob:
        """Move a job's dead letters back to the queue, and plan on where its planner has given up.

        Raises Conflict for a cancelled replay, whose messages would only be dropped, and for one whose dead letters
        planners cannot read.
        """
        job = self._changed(replay_id, _resumed)
        to = job.destination
        is_within_reach = to.is_aggregates or self.destinations.dead_letters_of(to) is not None
        if job.unfinished:
            self.queues.plan(replay_id)
        elif not is_within_reach:
            raise Conflict(f"Replay {replay_id} was sent to {to.name}. {_out_of_reach(to)}")
        # What rests in the dead-letter queue may not be counted yet.
        if is_within_reach and (job.failed > 0 or job.in_flight > 0):
            self.queues.redrive(ReplayTask(replay_id, redrive=True))
        return job

    def _changed(self, replay_id: str, change: Callable[[ReplayJob], ReplayJob | None]) -> ReplayJob:
        """The job once it is changed, after retries if others were faster. `change` returns None to leave it."""
        request_id = self.new_id()
        attempts = 0
        while attempts < _ATTEMPTS:
            job = required_job(self.replays, replay_id)
            aim = None if job.committed_by == request_id else change(job)
            if aim is None:
                return job
            changed = replace(aim, revision=job.revision + 1, committed_by=request_id, updated_at=self.now())
            try:
                self.replays.commit(planned_from=job, reached=changed)
            except WriteConflict as conflict:
                attempts += conflict.attempts
                self.pause(attempts)
            else:
                return changed
        raise WriteConflict(f"Replay {replay_id} kept changing. Try again.")


def _out_of_reach(destination: DeclaredDestination) -> str:
    """Who has dead letters that planners cannot read, and how to move them back."""
    if destination.kind is DestinationKind.EVENTBRIDGE:
        return (
            "The rules of a bus have dead-letter queues of their own, if you gave them any."
            " Send those messages to their targets yourself, or request a new replay."
        )
    return (
        "This stage did not make its queue, so planners cannot read its dead letters. Let SQS move all of them back:"
        " `aws sqs start-message-move-task --source-arn` with the ARN of its dead-letter queue."
    )


def _resumed(job: ReplayJob) -> ReplayJob | None:
    if job.state is JobState.CANCELLED:
        raise Conflict(f"Replay {job.replay_id} was cancelled. Request a new one.")
    if job.state is not JobState.FAILED:
        return None
    return job.resumed
