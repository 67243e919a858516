"""Answers about what was refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.core.schemas import Count, Cursor, FieldError, Sha256, Shape, Time


class RejectedItem(Shape):
    """A refused event, without its body."""

    rejected_id: str
    status: Literal["REJECTED", "CONFLICT"]
    errors: list[FieldError]
    ingest_time: Time
    request_id: str
    size: Annotated[Count, Field(description="Of the body, in bytes.")]
    retried: bool


class RejectedList(Shape):
    """A page of refused events."""

    items: list[RejectedItem]
    cursor: Cursor


class RetryResultShape(Shape):
    """What became of one event of a retry."""

    status: Literal["ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED"]
    event_id: Sha256 | None = None
    rejected_id: str | None = None


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
    """An identity, the content that was refused, and the first line of the identity."""

    event_id: Sha256
    content_sha256: Sha256
    first: LineReferenceShape


class RejectedAnswer(Shape):
    """Everything that is kept of a refused event; the body is text where its bytes are UTF-8, else base64."""

    rejected_id: str
    status: Literal["REJECTED", "CONFLICT"]
    errors: list[FieldError]
    ingest_time: Time
    request_id: str
    size: Count
    content_type: str | None
    headers: dict[str, str]
    conflicts: list[ConflictShape]
    body: str | None = None
    body_base64: str | None = None
    retries: list[RetryShape]
