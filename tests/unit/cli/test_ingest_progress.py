"""What `retrace ingest` shows of its progress was answered, and it needs little memory however large the file."""

from __future__ import annotations

import io
import re
import tracemalloc
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import zstandard
from rich.console import Console

from retrace.ingesting.checkpoint import Reached
from retrace.ingesting.files import look_at
from retrace.ingesting.report import IngestProgress
from retrace.ingesting.run import Ingest, Interrupt, Reading
from retrace.ingesting.sending import Batch, BatchResult, Pace, Tally
from tests.unit.cli.ingest_api import numbered

pytestmark = pytest.mark.long

MOST_MEMORY = 64_000_000


def accepted(batch: Batch) -> BatchResult:
    return BatchResult(batch.file, Tally(accepted=len(batch.records)), (), batch.read)


def written(tmp_path: Path, lines: int) -> Reading:
    for name in ("a.ndjson", "b.ndjson"):
        (tmp_path / name).write_bytes(b"\n".join(numbered(lines)) + b"\n\n")
    return Reading([look_at(str(tmp_path / name)) for name in ("a.ndjson", "b.ndjson")], pace=Pace(10))


@pytest.mark.parametrize("terminal", [True, False])
def test_every_number_shown_was_answered_before(tmp_path: Path, *, terminal: bool) -> None:
    reading, shown, answered = written(tmp_path, 100), io.StringIO(), Tally()
    ticks = count(0, 10)
    console = Console(file=shown, force_terminal=terminal, width=200)
    told = IngestProgress(console, reading.size, already=Tally(), clock=lambda: float(next(ticks)))
    seen: list[tuple[int, int]] = []

    def settle(batch: Batch) -> BatchResult:
        nonlocal answered
        seen.append((told.tally.events, answered.events))
        answered += accepted(batch).tally
        return accepted(batch)

    with told:
        Ingest(reading, settle, Reached(), None).run(1, told, Interrupt())
        told.done()

    assert all(said <= true for said, true in seen)
    assert told.tally == answered == Tally(accepted=200)
    assert told.read == reading.size
    numbers = [int(found) for found in re.findall(r"(\d+) accepted", shown.getvalue())]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 200
    if not terminal:
        assert numbers == list(range(10, 201, 10))


def test_the_rate_is_that_of_this_run_and_the_counts_are_of_all() -> None:
    times = iter([0.0, 0.0, 10.0, 10.0])
    told = IngestProgress(
        Console(file=io.StringIO()), 1_000_000, already=Tally(accepted=900), clock=lambda: next(times, 10.0)
    )

    told.answered(BatchResult(0, Tally(50, 30, 15, 5), (), 500_000))

    assert told.line() == "500.0 kB of 1.0 MB  1,000 events: 950 accepted, 30 duplicates, 20 refused  10/s"


def test_resumed_in_a_later_file_the_earlier_ones_count_as_read(tmp_path: Path) -> None:
    reading = written(tmp_path, 100)
    told = IngestProgress(Console(file=io.StringIO()), reading.size, already=Tally(accepted=150))
    sent: list[Batch] = []

    def settle(batch: Batch) -> BatchResult:
        sent.append(batch)
        return accepted(batch)

    Ingest(reading, settle, Reached(1, 50, told.tally), None).run(1, told, Interrupt())

    assert [batch.records[0].text for batch in sent] == numbered(100)[50::10]
    assert {batch.file for batch in sent} == {1}
    assert told.tally == Tally(accepted=200)
    assert told.read == reading.size


def pieces(kind: str, megabytes: int) -> Iterator[bytes]:
    """The text of a large file, made as it is asked for."""
    record = b'{"eventSource":"s","eventName":"n","eventTime":"t","eventID":"i","userIdentity":{"arn":"a"}}'
    event = (record if kind == "cloudtrail" else numbered(1)[0])[:-1] + b',"x":"%s"}' % (b"y" * 1_900)
    joined = {"ndjson": b"\n", "array": b",\n", "cloudtrail": b","}[kind].join([event] * 500)
    yield {"ndjson": b"", "array": b"[\n", "cloudtrail": b'{"Records":['}[kind]
    for number in range(megabytes):
        yield (b"\n" if kind == "ndjson" else b",") * bool(number) + joined
    yield {"ndjson": b"\n", "array": b"]", "cloudtrail": b"]}"}[kind]


@pytest.mark.parametrize(("kind", "megabytes"), [("ndjson", 200), ("array", 40), ("cloudtrail", 20)])
def test_memory_stays_bounded_however_large_the_file(tmp_path: Path, kind: str, megabytes: int) -> None:
    path = tmp_path / f"{kind}.zst"
    with path.open("wb") as packed, zstandard.ZstdCompressor().stream_writer(packed) as writer:
        for piece in pieces(kind, megabytes):
            writer.write(piece)
    reading = Reading([look_at(str(path))])
    told = IngestProgress(Console(file=io.StringIO()), reading.size, already=Tally())

    tracemalloc.start()
    try:
        Ingest(reading, accepted, Reached(), None).run(8, told, Interrupt())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert told.tally == Tally(accepted=megabytes * 500)
    assert peak < MOST_MEMORY
