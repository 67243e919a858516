"""What became of each submitted event, in the words of the HTTP contract."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import Fault
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.timestamps import Instant


class Status(StrEnum):
    """What became of one submission."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class EventResult:
    """One submission's result. `stored` is the first event of that identity, if there is one."""

    status: Status
    stored: StoredEvent | None = None
    faults: tuple[Fault, ...] = ()
    rejected_id: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the submission was not taken in."""
        return self.status in (Status.CONFLICT, Status.REJECTED)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The results of one request, in the order of its submissions, and its later arrivals that may not be recorded."""

    results: tuple[EventResult, ...]
    batch: bool
    dry_run: bool
    unrecorded: tuple[Arrival, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many submissions ended in each status, by its name in small letters."""
        found = Counter(result.status.value for result in self.results)
        return {status.value.lower(): found[status.value] for status in Status}


class ArrivalKind(StrEnum):
    """What a later send of a known identity was."""

    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A later send of a known identity: when, in which request and place, and with which content."""

    kind: ArrivalKind
    event_id: str
    ingest_time: Instant
    request_id: str
    position: int
    content_sha256: str
    rejected_id: str | None = None
