"""Shows how far a command is, on standard error: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console
from rich.table import Column
from rich.text import Text

from retrace.output import printable

EVERY_S = 5.0


class Progress:
    """A line on standard error that tells how far something is; on a terminal it is replaced as it changes."""

    def __init__(self, notes: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._notes = notes
        self._clock = clock
        self._shown_at = clock()
        self._bars: bars.Progress | None = None
        if notes.is_terminal:
            text = bars.TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
            columns = (bars.SpinnerColumn(), text, bars.BarColumn(24), bars.TimeElapsedColumn())
            self._bars = bars.Progress(*columns, console=notes, transient=True, refresh_per_second=4)
            self._task = self._bars.add_task("", total=None)

    def __enter__(self) -> Self:
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Clear the line, so that something else can be written."""
        if self._bars is not None:
            self._bars.stop()

    def go_on(self) -> None:
        """Show the line again."""
        if self._bars is not None:
            self._bars.start()

    def show(self, text: str, done: float = 0, of: float | None = None) -> None:
        """Show the progress: in words, and as a part of the whole if that is known."""
        if self._bars is not None:
            self._bars.update(self._task, description=printable(text), completed=done, total=of or None)
        elif self._clock() - self._shown_at >= EVERY_S:
            self._shown_at = self._clock()
            self._notes.print(Text(printable(text), style="dim"), soft_wrap=True)


class Counting(Progress):
    """Counts what was done, by what it is, and shows the counts."""

    def __init__(self, notes: Console, doing: str) -> None:
        super().__init__(notes)
        self._doing = doing
        self.counts: Counter[str] = Counter()

    def add(self, **done: int) -> None:
        """Count what was done."""
        self.counts.update(done)
        self.show(f"{self._doing}: {self}")

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in self.counts.items()) or "nothing yet"


def size_text(count: float) -> str:
    """A number of bytes in a unit that people read."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1_000:
            return f"{count:,.{0 if unit == 'bytes' else 1}f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"
