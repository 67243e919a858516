"""Runs an export: part after part into one file, or each into a file of its own, and counts what was sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from retrace.concurrency import begun
from retrace.exporting.events import Fetched
from retrace.exporting.files import Writer, made_directory, opened, require_new
from retrace.exporting.selection import Part, Query
from retrace.output import Output
from retrace.progress import Progress, size_text

_FAULTS_SHOWN = 20
_SHOWN_EVERY = 100
_PARTS_AHEAD = 4
"""Each keeps two pages of events in memory."""


@dataclass
class Export:
    """One export: what is read, what was written, and what was wrong."""

    output: Output
    parts: Sequence[Part]
    read: Callable[[Query, int | None], Iterator[Fetched]]
    writer: Callable[[BinaryIO], Writer]
    limit: int | None = None
    keep_bad: bool = False
    replace: bool = False
    files: int = 0
    written: int = 0
    written_bytes: int = 0
    bad: int = 0

    def into_file(self, out: str) -> None:
        """Write all parts into one file, or to standard output."""
        with opened(out, replace=self.replace) as file, Progress(self.output.notes) as progress:
            writer = self.writer(file)
            for events in self._events_of_each_part(progress):
                self._write(events, writer)
            writer.close()

    def into_directory(self, directory: Path, suffix: str) -> None:
        """Write each part that has events into a file of its own."""
        paths = [directory / f"{part.path}.{suffix}" for part in self.parts]
        if not self.replace:
            for path in paths:
                require_new(path)
        with Progress(self.output.notes) as progress:
            for events, path in zip(self._events_of_each_part(progress), paths, strict=True):
                self._into_own_file(events, path)

    def _into_own_file(self, events: Iterator[Fetched], path: Path) -> None:
        first = next(events, None)
        if first is None:
            return
        made_directory(path.parent)
        with opened(str(path), replace=self.replace) as file:
            writer = self.writer(file)
            self._write(chain([first], events), writer)
            writer.close()
        self.files += 1

    def _events_of_each_part(self, progress: Progress) -> Iterator[Iterator[Fetched]]:
        """The events of each part, of which the next ones are begun meanwhile, unless a limit may end it before."""
        makers = [partial(self._events, part) for part in self.parts]
        each = begun(makers, _PARTS_AHEAD) if self.limit is None else (make() for make in makers)
        for number, (part, events) in enumerate(zip(self.parts, each, strict=True)):
            yield self._shown(events, number, part, progress)

    def _events(self, part: Part) -> Iterator[Fetched]:
        for query in part.queries:
            left = None if self.limit is None else self.limit - self.taken
            if left == 0:
                return
            yield from self.read(query, left)

    def _shown(self, events: Iterator[Fetched], number: int, part: Part, progress: Progress) -> Iterator[Fetched]:
        for event in events:
            yield event
            if self.taken % _SHOWN_EVERY == 0:
                self._show(progress, number, part, event)

    def _show(self, progress: Progress, number: int, part: Part, event: Fetched) -> None:
        told = f"{self.written:,} events, {size_text(self.written_bytes)}"
        if len(self.parts) > 1:
            told += f", {number + 1} of {len(self.parts)}: {part.name}"
        if self.limit is not None:
            progress.show(told, self.taken, self.limit)
        else:
            progress.show(told, number + part.reached(event.metadata["event_time"]), len(self.parts))

    def _write(self, events: Iterable[Fetched], writer: Writer) -> None:
        for event in events:
            if event.fault is not None:
                self._tell(event)
                if not self.keep_bad:
                    continue
            writer.write(event)
            self.written += 1
            self.written_bytes += event.size

    def _tell(self, event: Fetched) -> None:
        self.bad += 1
        if self.bad <= _FAULTS_SHOWN:
            self.output.note(f"{event.metadata['event_id']}: {event.fault}", "red")

    @property
    def taken(self) -> int:
        """How many events were found, sound ones and others."""
        return self.sound + self.bad

    @property
    def sound(self) -> int:
        """How many of those that were written are sound."""
        return self.written - self.bad if self.keep_bad else self.written

    def conclude(self) -> None:
        """Say what was written."""
        if not self.taken:
            self.output.note("No event was found. Run `retrace gaps` or `retrace late` to find out why.")
            return
        where = f" in {self.files:,} files" if self.files else ""
        self.output.note(
            f"{self.sound:,} events, {size_text(self.written_bytes)}{where}. Every hash equals the recorded one."
        )
        if self.bad:
            kept = "They are written with their fault." if self.keep_bad else "They are left out."
            self.output.note(f"{self.bad:,} failed their check. {kept} Run `retrace check verify` for details.", "red")
