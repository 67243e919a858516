"""The status of an event that was sent, and its duplicates and conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.timestamps import Instant


class Status(StrEnum):
    """What became of one submission."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"
    REJECTED = "REJECTED"


class ArrivalKind(StrEnum):
    """Whether an arrival has the content of the first event of its identity, or other content."""

    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A duplicate or a conflict: when it arrived, in which request and position, and with which content."""

    kind: ArrivalKind
    event_id: str
    ingest_time: Instant
    request_id: str
    position: int
    content_sha256: str
    rejected_id: str | None = None
