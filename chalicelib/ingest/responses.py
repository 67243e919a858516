"""Answers to POST /ingest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, NotRequired

from chalicelib.core.schemas import (
    Count,
    FieldError,
    JsonSchema,
    Sha256,
    Shape,
    Time,
    field_errors,
    states,
)
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.queries import Listed
from chalicelib.ingest.report import EventResult, IngestReport

REFUSED_HEADER = "Retrace-Refused"
"""How many events of a batch were refused; absent if none was."""

MOST_BYTES = 4_096
"""Of an answer with its headers, unless it lists all results. Fluent Bit sends a request again if the answer is larger:
https://github.com/fluent/fluent-bit/blob/master/include/fluent-bit/flb_http_client.h (FLB_HTTP_DATA_SIZE_MAX)."""

HEADER_BYTES = 1_024
"""More than API Gateway, its trace header and our own headers need, with CloudFront in front of them."""

_COUNTS_BYTES = 256
"""More than an answer needs that lists nothing."""

Position = Annotated[int, JsonSchema(minimum=0, description="In the request, from 0; of a batch.")]


class Receipt(Shape):
    """When an event was first taken in, and where it lies."""

    ingest_time: Time
    ingest_lag_ms: int
    s3_bucket: str
    s3_key: str
    content_sha256: Sha256


class TakenIn(Receipt):
    """An event that was taken in, or was known already: then everything is of the first."""

    position: NotRequired[Position]
    status: Annotated[str, JsonSchema(enum=["ACCEPTED", "DUPLICATE"])]
    event_id: Sha256


class RefusedEvent(Shape):
    """An event that was refused; quarantine keeps it, except in a dry run."""

    position: NotRequired[Position]
    status: Annotated[str, states("REJECTED", "CONFLICT")]
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
    erased: NotRequired[
        Annotated[Count, JsonSchema(description="Reserved: absent until events can be erased.", default=0)]
    ]


class IngestAnswer(Shape):
    """What became of a batch: counts, and results in the order of its events, of which ?results= says which."""

    counts: IngestCounts
    results: NotRequired[list[TakenIn | RefusedEvent]]
    more_refused: Annotated[Count, JsonSchema(description="Refused events that `results` does not list.")]


def event_result(result: EventResult) -> TakenIn | RefusedEvent:
    """What became of one submitted event."""
    status, stored = result.status.value, result.stored
    if not result.refused:
        assert stored is not None, "an event that was taken in is stored"  # noqa: S101  # narrows the type
        return {"status": status, "event_id": stored.event_id, **receipt(stored)}  # type: ignore[typeddict-item]  # a batch adds the position
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


def ingest_report(report: IngestReport, listed: Listed) -> IngestAnswer:
    """How many events of a batch ended in each status, and the results that are to be listed."""
    found = report.counts()
    counts: IngestCounts = {
        "accepted": found["accepted"],
        "duplicate": found["duplicate"],
        "conflict": found["conflict"],
        "rejected": found["rejected"],
    }
    match listed:
        case Listed.ALL:
            return {"counts": counts, "results": list(_results(report)), "more_refused": 0}
        case Listed.REFUSED:
            results = list(_first_that_fit(_results(report, refused_only=True)))
            return {"counts": counts, "results": results, "more_refused": report.refused - len(results)}
        case Listed.NONE:
            return {"counts": counts, "more_refused": report.refused}


def _results(report: IngestReport, *, refused_only: bool = False) -> Iterator[TakenIn | RefusedEvent]:
    for position, result in enumerate(report.results):
        if result.refused or not refused_only:
            shown = event_result(result)
            shown["position"] = position
            yield shown


def _first_that_fit(results: Iterable[TakenIn | RefusedEvent]) -> Iterator[TakenIn | RefusedEvent]:
    room = MOST_BYTES - HEADER_BYTES - _COUNTS_BYTES
    for result in results:
        room -= len(json.dumps(result, ensure_ascii=False).encode())
        if room < 0:
            return
        yield result
