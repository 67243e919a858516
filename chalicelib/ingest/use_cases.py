"""Take events in: identity, raw object, index; each event once, and nothing acknowledged that is not durable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from chalicelib.core.errors import Fault, OutOfTime
from chalicelib.core.pagination import chunked, chunked_by_size
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.arrivals import Arrival, ArrivalKind, Status
from chalicelib.events.event import Event, Form
from chalicelib.events.ports import EventIndex, Identities, RawStore, Sources
from chalicelib.events.raw_objects import (
    MAX_RAW_OBJECT_BYTES,
    Receipt,
    StoredEvent,
    event_time_of,
    most_bytes_of,
    stored_events,
)
from chalicelib.ingest.rejection import Conflict, LineReference, Rejection, RejectionStatus, objects_of
from chalicelib.ingest.report import EventResult, IngestReport
from chalicelib.ingest.request import IngestRequest, InvalidEvent, Submission, events_of

EVENTS_A_PART = 1_600
"""Sixteen look-ups, and twice as many transactions: as many as are under way at once."""

OBJECTS_AT_ONCE = 64
"""Of a part whose events are of many sources or days: rows follow so many, so that a resend need not put them again."""


class Quarantine(Protocol):
    """Where rejections are kept."""

    def keep(self, rejected: Rejection) -> None:
        """Keep a rejection. Keeping the same bytes twice on one day is the same."""


@dataclass(frozen=True)
class Ingest:
    """The use case behind POST /ingest."""

    raw: RawStore
    sources: Sources
    identities: Identities
    index: EventIndex
    quarantine: Quarantine
    now: Clock
    concurrently: Concurrently
    events_a_part: int = EVENTS_A_PART

    def take_in(self, request: IngestRequest, request_id: str, sent_by: str) -> IngestReport:
        """Take a request in. Raises TryAgain if storage would not take it; sending it again is then safe.

        It is taken in part by part. If the time does not suffice for all of them, those that are stored are duplicates
        when the request is sent again, so that it gets further. Arrivals come last, as no answer depends on them.
        """
        receipt = Receipt(self.now(), request_id, sent_by)
        verdicts = _Verdicts(_first_of_each(request))
        for part in self._parts(verdicts.firsts.values()):
            try:
                verdicts.add(*self._stored(part, receipt))
            except OutOfTime as error:
                raise verdicts.out_of_time() from error
        return self._concluded(request, verdicts, receipt)

    def dry_run(self, request: IngestRequest, request_id: str, sent_by: str) -> IngestReport:
        """Report what would happen to a request, judged by what is stored now. Write nothing."""
        receipt = Receipt(self.now(), request_id, sent_by)
        verdicts = _Verdicts(_first_of_each(request))
        for part in self._parts(verdicts.firsts.values()):
            known = self._known(part)
            groups = _by_source_and_day(_unknown(part, known), receipt.ingest_time)
            verdicts.add([event for group in groups for event in self._would_store(group, receipt)], known)
        return IngestReport(tuple(map(verdicts.of, request.submissions)), request.batch, dry_run=True)

    def _parts(self, events: Iterable[Event]) -> Iterator[list[Event]]:
        """Consecutive events that are stored together: the same ones whenever a request is sent."""
        return chunked_by_size(events, most_bytes_of, self.events_a_part, MAX_RAW_OBJECT_BYTES)

    def _stored(self, part: Sequence[Event], receipt: Receipt) -> tuple[list[StoredEvent], dict[str, StoredEvent]]:
        """The events of a part as this request stored them, and those that were there first.

        Raw objects come before rows, so that no row can point at nothing, and sources before events, so that none is
        missing. The transaction that writes an event's rows, not the look-up before it, decides who was first.
        """
        known = self._known(part)
        groups = _by_source_and_day(_unknown(part, known), receipt.ingest_time)
        new: list[StoredEvent] = []
        for some in chunked(groups, OBJECTS_AT_ONCE):
            stored = self.concurrently(lambda group: self.raw.put_once(group, receipt), some)
            events = [event for group in stored for event in group]
            self.sources.record(events)
            known |= self.identities.admit(events, receipt.request_id, receipt.ingest_time)
            new += events
        return new, known

    def _known(self, part: Sequence[Event]) -> dict[str, StoredEvent]:
        return self.identities.first_seen([event.event_id for event in part])

    def _would_store(self, group: Sequence[Event], receipt: Receipt) -> list[StoredEvent]:
        return stored_events(group, receipt, self.raw.bucket, self.raw.key_of(group, receipt.ingest_time))

    def _concluded(self, request: IngestRequest, verdicts: _Verdicts, receipt: Receipt) -> IngestReport:
        results = [verdicts.of(submission) for submission in request.submissions]
        refused = {
            position: _rejected(submission, result, receipt)
            for position, (submission, result) in enumerate(zip(request.submissions, results, strict=True))
            if result.refused
        }
        kept = objects_of(refused.values())
        self.concurrently(self.quarantine.keep, list({event.rejected_id: event for event in kept.values()}.values()))
        for position, rejected in refused.items():
            results[position] = replace(results[position], rejected_id=kept[rejected.rejected_id].rejected_id)
        unrecorded = self.index.record(list(_arrivals(request.submissions, results, receipt)))
        return IngestReport(tuple(results), request.batch, dry_run=False, unrecorded=tuple(unrecorded))


@dataclass(frozen=True)
class _Verdicts:
    """Who was first: by event id, the first submission of this request, the stored event, and those stored earlier."""

    firsts: Mapping[str, Event]
    stored: dict[str, StoredEvent] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)

    def add(self, new: Iterable[StoredEvent], earlier: Mapping[str, StoredEvent]) -> None:
        """The events of a part are decided."""
        self.stored.update({event.event_id: event for event in new})
        self.stored.update(earlier)
        self.earlier.update(earlier)

    def out_of_time(self) -> OutOfTime:
        """What is said where the time of a request does not suffice for all of its parts."""
        return OutOfTime(
            f"Timed out with at least {len(self.stored):,} of {len(self.firsts):,} events stored."
            " Send the request again: it continues from there."
        )

    def of(self, submission: Submission) -> EventResult:
        if isinstance(submission, InvalidEvent):
            return EventResult(Status.REJECTED, faults=submission.faults)
        stored = self.stored[submission.event_id]
        if submission is self.firsts[submission.event_id] and submission.event_id not in self.earlier:
            return EventResult(Status.ACCEPTED, stored)
        if submission.content_sha256 == stored.content_sha256:
            return EventResult(Status.DUPLICATE, stored)
        return EventResult(Status.CONFLICT, stored, (_other_content(submission, stored),))


def _rejected(submission: Submission, result: EventResult, receipt: Receipt) -> Rejection:
    invalid = submission if isinstance(submission, InvalidEvent) else _refused(submission, result)
    return Rejection(
        RejectionStatus(result.status),
        invalid.body,
        invalid.faults,
        receipt.ingest_time,
        receipt.request_id,
        invalid.content_type,
        invalid.headers,
        tuple(_conflicts(submission, result)),
    )


def _arrivals(submissions: Iterable[Submission], results: Iterable[EventResult], receipt: Receipt) -> Iterable[Arrival]:
    for position, (submission, result) in enumerate(zip(submissions, results, strict=True)):
        if isinstance(submission, Event) and result.status is not Status.ACCEPTED:
            yield Arrival(
                ArrivalKind(result.status),
                submission.event_id,
                receipt.ingest_time,
                receipt.request_id,
                position,
                submission.content_sha256,
                result.rejected_id,
            )


def _first_of_each(request: IngestRequest) -> dict[str, Event]:
    firsts: dict[str, Event] = {}
    for event in events_of(request.submissions):
        firsts.setdefault(event.event_id, event)
    return firsts


def _unknown(part: Iterable[Event], known: Mapping[str, StoredEvent]) -> list[Event]:
    return [event for event in part if event.event_id not in known]


def _by_source_and_day(events: Iterable[Event], ingest_time: Instant) -> list[list[Event]]:
    groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.source, day_of(event_time_of(event, ingest_time))].append(event)
    return list(groups.values())


def _refused(event: Event, result: EventResult) -> InvalidEvent:
    return InvalidEvent(event.text.encode(), result.faults, event.form)


def _conflicts(submission: Submission, result: EventResult) -> Iterable[Conflict]:
    if isinstance(submission, Event) and result.stored is not None:
        yield Conflict(submission.event_id, submission.content_sha256, LineReference.of(result.stored))


_KEY_OF = {Form.NATIVE: "idempotency_key", Form.CLOUDEVENT: "id"}


def _other_content(event: Event, first: StoredEvent) -> Fault:
    return Fault(
        _KEY_OF[event.form],
        f"was first used by this source at {first.ingest_time} for other content"
        f" (content_sha256 {first.content_sha256}, here {event.content_sha256})",
    )
