"""How far something is, while it goes on: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from retrace.shown import printable

EVERY_S = 5.0


class Live:
    """A line on standard error that tells how far something is; on a terminal it is replaced as it changes."""

    def __init__(self, notes: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._notes = notes
        self._clock = clock
        self._told = clock()
        self._bars: Progress | None = None
        if notes.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(24))
            self._bars = Progress(*columns, TimeElapsedColumn(), console=notes, transient=True, refresh_per_second=4)
            self._task = self._bars.add_task("", total=None)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, text: str, done: float = 0, of: float | None = None) -> None:
        """Tell how far it is: in words, and as a part of a whole if that is known."""
        if self._bars is not None:
            self._bars.update(self._task, description=printable(text), completed=done, total=of or None)
        elif self._clock() - self._told >= EVERY_S:
            self._told = self._clock()
            self._notes.print(Text(printable(text), style="dim"), soft_wrap=True)
