"""How far it is, in numbers that were answered: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from retrace.ingesting.sending import Settled
from retrace.ingesting.tally import Tally
from retrace.live import EVERY_S


class Told:
    """Counts what is answered, and shows it on standard error."""

    def __init__(
        self, console: Console, total: int | None, *, already: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tally = already
        self.read = 0
        self.total = total
        self._already = already
        self._console = console
        self._clock = clock
        self._begun = self._last = clock()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                BarColumn(16), TextColumn("{task.percentage:>3.0f}%"), _Line(self), console=self._console
            )
            self._task = self._bar.add_task("", total=self.total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

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
        if self._bar is not None:
            self._bar.update(self._task, completed=self.read)
        elif self._clock() - self._last >= EVERY_S:
            self._last = self._clock()
            self._console.print(self.line(), soft_wrap=True)

    def done(self) -> None:
        """All files are read to their ends, and all is answered."""
        self.read = self.total or self.read
        if self._bar is not None:
            self._bar.update(self._task, completed=self.read)

    def line(self) -> str:
        """Where it stands, in one line."""
        total = "" if self.total is None else f" of {self.total / 1e6:,.1f}"
        size = f"{self.read / 1e6:,.1f}{total} MB  " if self.read or self.total else ""
        return f"{size}{self.tally.events:,} events: {self.counts()}"

    def counts(self) -> str:
        """What became of the events, short enough to stand beside a bar."""
        tally = self.tally
        return (
            f"{tally.accepted:,} accepted, {tally.duplicate:,} already there, {tally.refused:,} refused  "
            f"{self.rate:,.0f}/s"
        )


class _Line(ProgressColumn):
    """The numbers beside the bar."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def render(self, task: Task) -> Text:  # noqa: ARG002  # the numbers are not the bar's
        return Text(self._told.counts(), no_wrap=True, overflow="ellipsis")
