"""How far `retrace ingest` is, in numbers that were answered."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

from retrace.ingesting.sending import Settled
from retrace.ingesting.tally import Tally
from retrace.progress import Progress


class Told(Progress):
    """Counts what is answered, and shows it."""

    def __init__(
        self, notes: Console, total: int | None, *, already: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(notes, clock)
        self.tally = already
        self.read = 0
        self.total = total
        self._already = already
        self._begun = clock()

    @property
    def seconds(self) -> float:
        """How long this run takes."""
        return self._clock() - self._begun

    @property
    def rate(self) -> float:
        """Events a second, of those that this run sent."""
        return (self.tally.events - self._already.events) / max(self.seconds, 1e-6)

    def skipped(self, read: int) -> None:
        """So many bytes were done by an earlier run."""
        self.read += read

    def answered(self, settled: Settled) -> None:
        """A batch was answered."""
        self.tally += settled.tally
        self.read += settled.read
        self.show(self.line(), self.read, self.total)

    def done(self) -> None:
        """All files are read to their ends, and all is answered."""
        self.read = self.total or self.read

    def line(self) -> str:
        """Where it stands, in one line."""
        tally = self.tally
        total = "" if self.total is None else f" of {self.total / 1e6:,.1f}"
        size = f"{self.read / 1e6:,.1f}{total} MB  " if self.read or self.total else ""
        counts = f"{tally.accepted:,} accepted, {tally.duplicate:,} already there, {tally.refused:,} refused"
        return f"{size}{tally.events:,} events: {counts}  {self.rate:,.0f}/s"
