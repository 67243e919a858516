"""Answers about rejected events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NotRequired

from chalicelib.core.schemas import (
    Count,
    Cursor,
    FieldError,
    JsonSchema,
    Sha256,
    Shape,
    Time,
    field_errors,
    states,
)
from chalicelib.ingest.rejection import Conflict, body_members
from chalicelib.quarantine.contents import Contents, Difference, contents_of
from chalicelib.quarantine.retries import Listed, Retry, RetryResult, is_resolved
from chalicelib.quarantine.use_cases import MOST_DIFFERENCES, FoundRejections, KeptRejection

_SHARED = JsonSchema(description="Null if the events differ, or if it cannot be read.")


class RefusedContents(Shape):
    """What the events of a refused body say of themselves, and whether they were taken in since."""

    events: Annotated[Count, JsonSchema(description="1 unless several events are kept together.")]
    source: Annotated[str | None, _SHARED]
    event_type: Annotated[str | None, _SHARED]
    entity_id: Annotated[str | None, _SHARED]
    idempotency_key: Annotated[str | None, _SHARED]
    resolved: Annotated[bool, JsonSchema(description="Whether retries took in as many events.")]


class RejectedItem(RefusedContents):
    """A refused event, without its body."""

    rejected_id: str
    status: Annotated[str, states("REJECTED", "CONFLICT")]
    errors: list[FieldError]
    ingest_time: Time
    request_id: str
    size: Annotated[Count, JsonSchema(description="Of the body, in bytes.")]
    retried: bool


class RejectedList(Shape):
    """A page of refused events."""

    items: list[RejectedItem]
    cursor: Cursor


class RetryResultShape(Shape):
    """What became of one event of a retry."""

    status: Annotated[str, states("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED")]
    event_id: NotRequired[Annotated[Sha256 | None, JsonSchema(default=None)]]
    rejected_id: NotRequired[Annotated[str | None, JsonSchema(default=None)]]


class RetryShape(Shape):
    """A retry of a refused event."""

    requested_at: Time
    requested_by: str
    request_id: str
    corrected: bool
    results: list[RetryResultShape]


class LineReferenceShape(Shape):
    """A raw line, its content, and when it was taken in."""

    s3_key: str
    s3_offset: Count
    content_sha256: Sha256
    ingest_time: Time


class DifferenceShape(Shape):
    """A member that differs from that of the first event, as JSON text; absent where the event does not have it."""

    path: Annotated[str, JsonSchema(examples=["payload.amount"])]
    first: NotRequired[Annotated[str, JsonSchema(examples=["130.77"])]]
    refused: NotRequired[Annotated[str, JsonSchema(examples=["120.77"])]]


class ConflictShape(Shape):
    """An identity, the content that was rejected, and the first line of the identity."""

    event_id: Sha256
    content_sha256: Sha256
    first: LineReferenceShape
    differences: NotRequired[
        Annotated[list[DifferenceShape], JsonSchema(description="The first 20; absent if it was not compared.")]
    ]
    more_differences: NotRequired[Annotated[bool, JsonSchema(description="Whether there are more.")]]


class RejectedAnswer(RefusedContents):
    """Everything that is kept of a refused event; the body is text where its bytes are UTF-8, else base64."""

    rejected_id: str
    status: Annotated[str, states("REJECTED", "CONFLICT")]
    errors: list[FieldError]
    ingest_time: Time
    request_id: str
    size: Count
    content_type: str | None
    headers: dict[str, str]
    conflicts: list[ConflictShape]
    body: NotRequired[Annotated[str | None, JsonSchema(default=None)]]
    body_base64: NotRequired[Annotated[str | None, JsonSchema(default=None)]]
    retries: list[RetryShape]


def rejections(found: FoundRejections) -> RejectedList:
    """A page of refused events, without their bodies."""
    return {"items": list(map(_listed, found.items)), "cursor": found.cursor}


def _listed(item: Listed) -> RejectedItem:
    return {
        "rejected_id": item.rejected_id,
        "status": item.status.value,
        "errors": field_errors(item.faults),
        "ingest_time": item.ingest_time,
        "request_id": item.request_id,
        "size": item.size,
        "retried": item.retried,
        **_contents(item.contents, resolved=item.resolved),
    }


def _contents(contents: Contents, *, resolved: bool) -> RefusedContents:
    return {
        "events": contents.events,
        "source": contents.common("source"),
        "event_type": contents.common("event_type"),
        "entity_id": contents.common("entity_id"),
        "idempotency_key": contents.common("idempotency_key"),
        "resolved": resolved,
    }


def rejection(found: KeptRejection) -> RejectedAnswer:
    """Everything that is kept of a refused event."""
    rejected, contents = found.rejected, contents_of(found.rejected)
    return {
        "rejected_id": rejected.rejected_id,
        "status": rejected.status.value,
        "errors": field_errors(rejected.faults),
        "ingest_time": rejected.ingest_time,
        "request_id": rejected.request_id,
        "size": len(rejected.body),
        "content_type": rejected.content_type,
        "headers": dict(rejected.headers),
        "conflicts": [_conflict(conflict, found.differences.get(conflict)) for conflict in rejected.conflicts],
        **body_members(rejected.body),
        "retries": list(map(_retry, found.retries)),
        **_contents(contents, resolved=is_resolved(contents, found.retries)),
    }


def _conflict(conflict: Conflict, differing: Sequence[Difference] | None) -> ConflictShape:
    first = conflict.first
    shown: ConflictShape = {
        "event_id": conflict.event_id,
        "content_sha256": conflict.content_sha256,
        "first": {
            "s3_key": first.s3_key,
            "s3_offset": first.s3_offset,
            "content_sha256": first.content_sha256,
            "ingest_time": first.ingest_time,
        },
    }
    if differing is not None:
        shown["differences"] = list(map(_difference, differing[:MOST_DIFFERENCES]))
        shown["more_differences"] = len(differing) > MOST_DIFFERENCES
    return shown


def _difference(difference: Difference) -> DifferenceShape:
    shown: DifferenceShape = {"path": difference.path}
    if difference.first is not None:
        shown["first"] = difference.first
    if difference.refused is not None:
        shown["refused"] = difference.refused
    return shown


def _retry(retry: Retry) -> RetryShape:
    return {
        "requested_at": retry.requested_at,
        "requested_by": retry.requested_by,
        "request_id": retry.request_id,
        "corrected": retry.corrected,
        "results": list(map(_result, retry.results)),
    }


def _result(result: RetryResult) -> RetryResultShape:
    shown: RetryResultShape = {"status": result.status.value}
    if result.event_id is not None:
        shown["event_id"] = result.event_id
    if result.rejected_id is not None:
        shown["rejected_id"] = result.rejected_id
    return shown
