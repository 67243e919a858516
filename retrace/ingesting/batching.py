"""Records in batches that a request may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from retrace.ingesting.pace import Pace
from retrace.ingesting.record import Record, Records
from retrace.problem import Problem


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one file, and how many bytes of the file were read for them."""

    file: int
    records: tuple[Record, ...]
    read: int

    @property
    def cloudevents(self) -> bool:
        """Whether its events are CloudEvents; those of one batch are all of one form."""
        return any(record.cloudevent for record in self.records)


def batches(file: int, found: Records, pace: Pace, position: Callable[[], int]) -> Iterator[Batch]:
    """Records of one form in batches of the size that they should have; one that is larger stands alone.

    Where the file cannot be read on, what was read before comes out as a last batch.
    """
    batch: list[Record] = []
    size = begun = 0
    try:
        for record in found:
            length = len(record.text) + 1
            full = len(batch) >= pace.events or size + length > pace.size
            if batch and (full or record.cloudevent != batch[0].cloudevent):
                # The last record read belongs to the next batch; its bytes are few beside what is buffered.
                now = position()
                yield Batch(file, tuple(batch), now - begun)
                batch, size, begun = [], 0, now
            batch.append(record)
            size += length
    except Problem:
        if batch:
            yield Batch(file, tuple(batch), position() - begun)
        raise
    if batch:
        yield Batch(file, tuple(batch), position() - begun)
