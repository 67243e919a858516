"""What became of events, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

THIS_COMMAND = "retrace ingest"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events ended in each way; each event in one."""

    accepted: int = 0
    duplicate: int = 0
    """They were there already: from an earlier run, from a request whose answer got lost, or twice in the files."""
    conflict: int = 0
    rejected: int = 0
    not_sent: int = 0
    """Of the rejected, those that the command refused itself: no quarantine has them."""

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


def tally_of(results: Iterable[Mapping[str, Any]]) -> Tally:
    """Count results by their statuses."""
    found = list(results)
    counts = Counter(result["status"] for result in found)
    not_sent = sum(result.get("refused_by") == THIS_COMMAND for result in found)
    return Tally(counts["ACCEPTED"], counts["DUPLICATE"], counts["CONFLICT"], counts["REJECTED"], not_sent)
