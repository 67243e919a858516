"""One ingest: files read, sent, acknowledged in order, and the checkpoint kept up with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from retrace.ingesting.batching import Batch, batches
from retrace.ingesting.checkpoint import Checkpoint, Reached
from retrace.ingesting.files import File, read_so_far
from retrace.ingesting.flight import Flight
from retrace.ingesting.formats import Format, records
from retrace.ingesting.interrupt import Interrupt
from retrace.ingesting.pace import Pace
from retrace.ingesting.progress import Told
from retrace.ingesting.rejects import Rejects
from retrace.ingesting.sending import Settled
from retrace.ingesting.table import Mapped


@dataclass(frozen=True, slots=True)
class Reading:
    """Which files are read, and how."""

    files: Sequence[File]
    wanted: Format | None = None
    mapped: Mapped = Mapped()  # noqa: RUF009  # it cannot be changed
    pace: Pace = field(default_factory=Pace)

    def batches(self, reached: Reached) -> Iterator[Batch]:
        """What is not acknowledged yet."""
        for index, file in enumerate(self.files):
            if index < reached.file:
                continue
            skipped = reached.events if index == reached.file else 0
            with file.opened() as content:
                found = islice(records(file.name, content, self.wanted, self.mapped), skipped, None)
                yield from batches(index, found, self.pace, lambda of=file, at=content: read_so_far(of, at))  # type: ignore[misc]  # bound as they are now

    @property
    def identity(self) -> list[str]:
        """What a checkpoint must be of, for this to go on from it."""
        mapped = [*sorted(self.mapped.columns.items()), *sorted(self.mapped.constants.items()), self.mapped.delimiter]
        return [*(file.identity for file in self.files), repr((self.wanted, mapped))]

    @property
    def size(self) -> int | None:
        """How many bytes the files have; None if that cannot be known."""
        return None if any(file.is_stream for file in self.files) else sum(file.size for file in self.files)


class Ingest:
    """Sends what is read, from where it stands."""

    def __init__(
        self,
        reading: Reading,
        settle: Callable[[Batch], Settled],
        reached: Reached,
        checkpoint: Checkpoint | None,
        rejects: Rejects | None,
    ) -> None:
        self._reading = reading
        self._settle = settle
        self._checkpoint = checkpoint
        self._rejects = rejects
        self.reached = reached

    def run(self, concurrency: int, told: Told, interrupt: Interrupt) -> None:
        """Send everything; raises Problem where that cannot be, after what was in flight is acknowledged."""
        if self._checkpoint is not None:
            self._checkpoint.check()
        told.skipped(sum(file.size for file in self._reading.files[: self.reached.file]))
        flight = Flight(self._settle, concurrency, told.answered, self._acknowledged)
        with interrupt.watched():
            flight.send(interrupt.through(self._reading.batches(self.reached)))

    def _acknowledged(self, settled: Settled) -> None:
        """All up to and with this batch is answered. A refusal told twice is better than one not told."""
        if self._rejects is not None and settled.refused:
            self._rejects.write(self._reading.files[settled.file].name, settled.refused)
        before = self.reached.events if settled.file == self.reached.file else 0
        self.reached = Reached(settled.file, before + settled.tally.events, self.reached.tally + settled.tally)
        self._keep()

    def _keep(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self.reached)
