"""Answers about rejected events."""

from __future__ import annotations

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
from chalicelib.quarantine.retries import Listed, Retry, RetryResult
from chalicelib.quarantine.use_cases import FoundRejections, KeptRejection


class RejectedItem(Shape):
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


class ConflictShape(Shape):
    """An identity, the content that was rejected, and the first line of the identity."""

    event_id: Sha256
    content_sha256: Sha256
    first: LineReferenceShape


class RejectedAnswer(Shape):
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
    }


def rejection(found: KeptRejection) -> RejectedAnswer:
    """Everything that is kept of a refused event."""
    rejected = found.rejected
    return {
        "rejected_id": rejected.rejected_id,
        "status": rejected.status.value,
        "errors": field_errors(rejected.faults),
        "ingest_time": rejected.ingest_time,
        "request_id": rejected.request_id,
        "size": len(rejected.body),
        "content_type": rejected.content_type,
        "headers": dict(rejected.headers),
        "conflicts": list(map(_conflict, rejected.conflicts)),
        **body_members(rejected.body),
        "retries": list(map(_retry, found.retries)),
    }


def _conflict(conflict: Conflict) -> ConflictShape:
    first = conflict.first
    return {
        "event_id": conflict.event_id,
        "content_sha256": conflict.content_sha256,
        "first": {
            "s3_key": first.s3_key,
            "s3_offset": first.s3_offset,
            "content_sha256": first.content_sha256,
            "ingest_time": first.ingest_time,
        },
    }


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
