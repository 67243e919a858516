"""Reports how far an ingest is, how it ended, and which events were refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from retrace.ingesting.checkpoint import Checkpoint
from retrace.ingesting.sending import Answered, BatchResult, Tally
from retrace.output import Output, duration
from retrace.problem import Exit, Problem
from retrace.progress import Progress, size_text


def reasons_file(path: Path) -> Path:
    """Where the reasons are, for a file of rejects."""
    return path.with_name(f"{path.name}.reasons")


class Rejects:
    """Two files, written as events are refused, whole events and lines at a time."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self._events = path
        self._reasons = reasons_file(path)
        for file in (self._events, self._reasons):
            _opened(file, resumed=resumed)
        self._lines = path.read_bytes().count(b"\n") if resumed else 0

    def write(self, file: str, result: BatchResult) -> None:
        """Add what was refused of a batch of a file."""
        refused = result.refused
        if not refused:
            return
        texts, reasons = [], []
        for one in refused:
            reasons.append(_reason(self._lines + 1 if one.record.text else None, file, one))
            if one.record.text:
                texts.append(one.record.text + b"\n")
                self._lines += texts[-1].count(b"\n")
        with _whole(self._events), _whole(self._reasons):
            _append(self._events, b"".join(texts))
            _append(self._reasons, b"".join(reasons))


def _opened(path: Path, *, resumed: bool) -> None:
    try:
        path.open("ab" if resumed else "wb").close()
    except OSError as error:
        remedy = "Give --rejects a file that can be written."
        raise Problem(f"{path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Cut a file back to its former size if writing fails, so that no partial event stays in it."""
    before = path.stat().st_size
    try:
        yield
    except Problem:
        if path.is_file():
            os.truncate(path, before)
        raise


def _append(path: Path, lines: bytes) -> None:
    try:
        with path.open("ab") as written:
            written.write(lines)
    except OSError as error:
        remedy = "Make room, then run the same command again, with --resume if all FILES are files."
        raise Problem(f"{path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error


def _reason(line: int | None, file: str, refused: Answered) -> bytes:
    members = {"rejects_line": line, "file": file, "line": refused.record.line, **refused.result}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


class IngestProgress(Progress):
    """Counts what is answered, and shows it."""

    def __init__(
        self, notes: Console, total: int | None, *, already: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(notes, clock)
        self.tally = already
        self.read = 0
        self.total = total
        self.counts: Callable[[], str] = self._by_status
        """What was found so far. A listing has names of its own."""
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
        """Count bytes that an earlier run has sent."""
        self.read += read

    def answered(self, result: BatchResult) -> None:
        """A batch was answered."""
        self.tally += result.tally
        self.read += result.read
        self.show(self.line(), self.read, self.total)

    def done(self) -> None:
        """All files are read to their ends, and all is answered."""
        self.read = self.total or self.read

    def line(self) -> str:
        """The progress in one line."""
        total = "" if self.total is None else f" of {size_text(self.total)}"
        size = f"{size_text(self.read)}{total}  " if self.read or self.total else ""
        return f"{size}{self.tally.events:,} events: {self.counts()}  {self.rate:,.0f}/s"

    def _by_status(self) -> str:
        tally = self.tally
        return f"{tally.accepted:,} accepted, {tally.duplicate:,} duplicates, {tally.refused:,} refused"


@dataclass(frozen=True, slots=True)
class Summary:
    """One run of the command; its counts include those of the runs that it goes on from."""

    target: str
    files: Sequence[str]
    dry_run: bool
    rejects: Path | None
    checkpoint: Checkpoint | None
    resumed_at: int

    @property
    def how_on(self) -> str:
        """How to send the rest."""
        if self.checkpoint is None:
            return "Send it again from the beginning: no event counts twice."
        return "Add --resume to the same command to continue."

    def show(self, output: Output, progress: IngestProgress, *, finished: bool) -> None:
        """As one JSON object, or as a few lines for people."""
        tally = progress.tally
        if output.as_json:
            output.json(self._facts(progress, finished=finished))
            return
        would = "would be " if self.dry_run else ""
        refused = f"{tally.refused:,} ({tally.rejected:,} not valid, {tally.conflict:,} in conflict)"
        before = f", {self.resumed_at:,} of them by earlier runs" if self.resumed_at else ""
        output.facts(
            [
                ("events", f"{tally.events:,}{'' if finished else ', and there are more'}{before}"),
                (f"{would}accepted", f"{tally.accepted:,}"),
                ("duplicates", f"{tally.duplicate:,}"),
                (f"{would}refused", refused),
                *self._where(tally),
                ("rate", f"{progress.rate:,.0f} events/s for {duration(progress.seconds * 1_000)}"),
            ]
        )

    def _where(self, tally: Tally) -> Iterator[tuple[str, str]]:
        """Where to find what was refused."""
        quarantined = 0 if self.dry_run else tally.refused - tally.not_sent
        if quarantined:
            yield "  in quarantine", f"{quarantined:,}: retrace rejected list"
        if tally.not_sent:
            keep = "" if self.rejects else ": run it again with --rejects FILE to keep them"
            yield "  not sent", f"{tally.not_sent:,}, in no quarantine{keep}"
        if tally.refused and self.rejects:
            yield "  to correct", f"{self.rejects} (reasons: {reasons_file(self.rejects)})"

    def _facts(self, progress: IngestProgress, *, finished: bool) -> dict[str, object]:
        return {
            "target": self.target,
            "files": list(self.files),
            "dry_run": self.dry_run,
            "finished": finished,
            "events": progress.tally.events,
            **asdict(progress.tally),
            "resumed_at": self.resumed_at,
            "seconds": round(progress.seconds, 3),
            "events_per_s": round(progress.rate, 1),
            "rejects": None if self.rejects is None else str(self.rejects),
            "reasons": None if self.rejects is None else str(reasons_file(self.rejects)),
        }
