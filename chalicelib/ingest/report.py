"""What became of each submitted event, in the words of the HTTP contract."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chalicelib.core.errors import Fault
from chalicelib.events.arrivals import Arrival, Status
from chalicelib.events.raw_objects import StoredEvent


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
    """The results of one request, in the order of its submissions, and its arrivals that may not be recorded."""

    results: tuple[EventResult, ...]
    batch: bool
    dry_run: bool
    unrecorded: tuple[Arrival, ...] = ()

    @property
    def refused(self) -> int:
        """How many submissions were not taken in."""
        return sum(result.refused for result in self.results)

    def counts(self) -> dict[str, int]:
        """How many submissions ended in each status, by its name in small letters."""
        found = Counter(result.status.value for result in self.results)
        return {status.value.lower(): found[status.value] for status in Status}
