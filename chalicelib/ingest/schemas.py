"""Answers to POST /ingest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.core.schemas import Count, FieldError, Sha256, Shape, Time


class Receipt(Shape):
    """When an event was first taken in, and where it lies."""

    ingest_time: Time
    ingest_lag_ms: int
    s3_bucket: str
    s3_key: str
    content_sha256: Sha256


class TakenIn(Receipt):
    """An event that was taken in, or was known already: then everything is of the first."""

    status: Literal["ACCEPTED", "DUPLICATE"]
    event_id: Sha256


class RefusedEvent(Shape):
    """An event that was refused; quarantine keeps it, except in a dry run."""

    status: Literal["REJECTED", "CONFLICT"]
    event_id: Annotated[Sha256 | None, Field(description="Of a conflict: the identity it shares.")] = None
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
