"""Answers to POST /ingest."""

from __future__ import annotations

from typing import Annotated, NotRequired

from chalicelib.core.schemas import (
    Count,
    FieldError,
    JsonSchema,
    Sha256,
    Shape,
    Time,
    field_errors,
)
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.report import EventResult, IngestReport


class Receipt(Shape):
    """When an event was first taken in, and where it lies."""

    ingest_time: Time
    ingest_lag_ms: int
    s3_bucket: str
    s3_key: str
    content_sha256: Sha256


class TakenIn(Receipt):
    """An event that was taken in, or was known already: then everything is of the first."""

    status: Annotated[str, JsonSchema(enum=["ACCEPTED", "DUPLICATE"])]
    event_id: Sha256


class RefusedEvent(Shape):
    """An event that was refused; quarantine keeps it, except in a dry run."""

    status: Annotated[str, JsonSchema(enum=["REJECTED", "CONFLICT"])]
    event_id: NotRequired[
        Annotated[Sha256 | None, JsonSchema(description="Of a conflict: the identity it shares.", default=None)]
    ]
    errors: list[FieldError]
    rejected_id: str | None


class RefusedEventProblem(RefusedEvent):
    """A single refused event: its result, as a problem. `status` is the event's."""

    type: str
    title: str
    detail: str


class IngestCounts(Shape):
    """How many events of a batch ended in each status."""

    accepted: Count
    duplicate: Count
    conflict: Count
    rejected: Count


class IngestAnswer(Shape):
    """The results of a batch, in the order of its events."""

    results: list[TakenIn | RefusedEvent]
    counts: IngestCounts


def event_result(result: EventResult) -> TakenIn | RefusedEvent:
    """What became of one submitted event."""
    status, stored = result.status.value, result.stored
    if not result.refused:
        assert stored is not None, "an event that was taken in is stored"  # noqa: S101  # narrows the type
        return {"status": status, "event_id": stored.event_id, **receipt(stored)}
    errors = field_errors(result.faults)
    if stored is None:
        return {"status": status, "errors": errors, "rejected_id": result.rejected_id}
    return {"status": status, "event_id": stored.event_id, "errors": errors, "rejected_id": result.rejected_id}


def receipt(stored: StoredEvent) -> Receipt:
    """When an event was first taken in, and where it lies."""
    return {
        "ingest_time": stored.ingest_time,
        "ingest_lag_ms": stored.ingest_lag_ms,
        "s3_bucket": stored.location.bucket,
        "s3_key": stored.location.key,
        "content_sha256": stored.content_sha256,
    }


def ingest_report(report: IngestReport) -> IngestAnswer:
    """The results of a batch, in order, and how many there are of each status."""
    counts = report.counts()
    return {
        "results": [event_result(result) for result in report.results],
        "counts": {
            "accepted": counts["accepted"],
            "duplicate": counts["duplicate"],
            "conflict": counts["conflict"],
            "rejected": counts["rejected"],
        },
    }
