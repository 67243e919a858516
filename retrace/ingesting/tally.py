"""What became of events, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events ended in each way; each event in one."""

    accepted: int = 0
    duplicate: int = 0
    """They were there already: from an earlier run, from a request whose answer got lost, or twice in the files."""
    conflict: int = 0
    rejected: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def events(self) -> int:
        """All of them."""
        return self.accepted + self.duplicate + self.conflict + self.rejected

    @property
    def refused(self) -> int:
        """Those that were not taken in."""
        return self.conflict + self.rejected


def tally_of(statuses: Iterable[str]) -> Tally:
    """Count the statuses of results."""
    counts = Counter(statuses)
    return Tally(counts["ACCEPTED"], counts["DUPLICATE"], counts["CONFLICT"], counts["REJECTED"])
