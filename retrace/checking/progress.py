"""How far a long command is: true counts on standard error, in a line that changes, or one now and then."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.status import Status

from retrace.live import EVERY_S
from retrace.shown import Output


class Progress:
    """Counts what was done, and says so while it goes on."""

    def __init__(self, output: Output, doing: str) -> None:
        self._output = output
        self._doing = doing
        self.counts: Counter[str] = Counter()
        self._said_at = time.monotonic()
        on_terminal = output.notes.is_terminal
        self._status = Status(doing, console=output.notes) if on_terminal else None

    def __enter__(self) -> Self:
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pause()

    def add(self, **done: int) -> None:
        """Count what was done, by what it is."""
        self.counts.update(done)
        if self._status is not None:
            self._status.update(f"{self._doing}: {self}")
        elif time.monotonic() - self._said_at >= EVERY_S:
            self._said_at = time.monotonic()
            self._output.note(f"{self._doing}: {self}")

    def pause(self) -> None:
        """Clear the line, so that something else can be written."""
        if self._status is not None:
            self._status.stop()

    def go_on(self) -> None:
        """Show the line again."""
        if self._status is not None:
            self._status.start()

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in self.counts.items()) or "nothing yet"
