"""Completes requests for what a replay left unprocessed, and refuses those whose answer cannot be known."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.core.errors import Conflict, Fault, InvalidRequest
from chalicelib.core.ports import Clock
from chalicelib.core.timestamps import nanoseconds
from chalicelib.replays.job import OUTBOXES_KEPT_DAYS, JobState, ReplayJob
from chalicelib.replays.ports import ReplayStore
from chalicelib.replays.request import SELECTION, ReplayRequest

_A_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class CompleteRequest:
    """Gives a request for what a replay left unprocessed the selection and the destination of that replay."""

    replays: ReplayStore
    now: Clock

    def completed(self, request: ReplayRequest) -> ReplayRequest:
        """The request as it is kept: any other one as it is.

        Raises InvalidRequest for an unknown replay, or a request that contradicts it, and Conflict for a replay that is
        not sent yet, was given up, has expired, or went to a destination whose consumer reports nothing.
        """
        if request.of is None:
            return request
        job = self.replays.get(request.of)
        if job is None:
            raise _invalid("of", f"is {request.of}, which names no replay. GET /replay lists them")
        self._require_known(job)
        self._list_last(job)
        _require_same(request, job.request)
        own = {name: getattr(job.request, name) for name in SELECTION}
        return request.model_copy(update={**own, "destination": job.request.destination})

    def _require_known(self, job: ReplayJob) -> None:
        """Raise Conflict unless it is known what a replay sent, all of it, and what became of that."""
        named = f"Replay {job.replay_id}"
        if job.state is JobState.FAILED:
            again = f"POST /replay/{job.replay_id}/redrive"
            raise Conflict(
                f"{named} FAILED before it had sent everything. Remove the cause, then continue it: {again}."
            )
        if job.unfinished and job.state is not JobState.CANCELLED:
            raise Conflict(
                f"{named} is still sending: {job.sent} messages so far. GET /replay/{job.replay_id} shows it."
            )
        if not job.destination.reports:
            raise Conflict(
                f"{named} was sent to {job.destination.name}, which takes no reports: what it did is unknown. "
                "Set `reports: true` in destinations.yaml, deploy, and request a new replay."
            )
        if nanoseconds(self.now()) - nanoseconds(job.created_at) >= OUTBOXES_KEPT_DAYS * _A_DAY_NS:
            raise Conflict(
                f"{named} is from {job.created_at}. What a replay sent is known for {OUTBOXES_KEPT_DAYS} days. "
                "Request a new replay of its selection."
            )

    def _list_last(self, job: ReplayJob) -> None:
        """Keep what a cancelled replay may not have sent as sent: it counts, and no planner need come back for it.

        Every planner that carries it out keeps the same.
        """
        if job.state is JobState.CANCELLED and job.outbox is not None:
            messages = self.replays.outbox(job.replay_id, job.outbox).messages
            if messages:
                self.replays.list_outbox(job.replay_id, job.sent - len(messages), job.outbox, self.now())


def _require_same(request: ReplayRequest, other: ReplayRequest) -> None:
    """Raise InvalidRequest for a selection or destination that is not the other one's: a request need not name them."""
    if any(getattr(request, name) is not None for name in SELECTION) and _selection(request) != _selection(other):
        raise _invalid("of", "goes with the selection of that replay: leave out entity_id, source, times and file")
    if "destination" in request.model_fields_set and request.destination != other.destination:
        raise _invalid("destination", f"must be {other.destination}, where replay {request.of} went: leave it out")


def _selection(request: ReplayRequest) -> tuple[object, ...]:
    as_named = request.model_copy(update={"whole_days": False})
    return request.events_file, request.entity_id, request.source, request.types, as_named.window


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest("The replay request is not valid.", (Fault(field, message),))
