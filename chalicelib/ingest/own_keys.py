"""An event's key must be in its own text, as that alone is stored and identifies it: a key in a header is refused."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core.errors import Fault
from chalicelib.ingest.request import IngestRequest, InvalidEvent, Submission

HEADER = "Idempotency-Key"
_FAULT = Fault(
    HEADER,
    "is not stored with an event: put the key into the event as idempotency_key, or leave this header out",
)


def with_own_keys(request: IngestRequest) -> IngestRequest:
    """A request that came with the header: events that have no key of their own are refused."""
    return replace(request, submissions=tuple(map(_with_own_key, request.submissions)))


def _with_own_key(submission: Submission) -> Submission:
    if isinstance(submission, InvalidEvent) or submission.has_own_key:
        return submission
    return InvalidEvent(submission.text.encode(), (_FAULT,), submission.form)
