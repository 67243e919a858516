"""What is told at the end of `retrace ingest`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from retrace.ingesting.checkpoint import Checkpoint
from retrace.ingesting.progress import Told
from retrace.ingesting.rejects import reasons_file
from retrace.ingesting.tally import Tally
from retrace.output import Output, duration


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
            return "Send it again from the beginning: what was taken in is not taken twice."
        return "The same command with --resume goes on."

    def show(self, output: Output, told: Told, *, finished: bool) -> None:
        """As one JSON object, or as a few lines for people."""
        tally = told.tally
        if output.as_json:
            output.json(self._facts(told, finished=finished))
            return
        would = "would be " if self.dry_run else ""
        refused = f"{tally.refused:,} ({tally.rejected:,} not valid, {tally.conflict:,} in conflict)"
        before = f", {self.resumed_at:,} of them by earlier runs" if self.resumed_at else ""
        output.facts(
            [
                ("events", f"{tally.events:,}{'' if finished else ', and there are more'}{before}"),
                (f"{would}accepted", f"{tally.accepted:,}"),
                ("already there", f"{tally.duplicate:,}"),
                (f"{would}refused", refused),
                *self._where(tally),
                ("rate", f"{told.rate:,.0f} events/s for {duration(told.seconds * 1_000)}"),
            ]
        )

    def _where(self, tally: Tally) -> Iterator[tuple[str, str]]:
        """Where to find what was refused."""
        quarantined = 0 if self.dry_run else tally.refused - tally.not_sent
        if quarantined:
            yield "  in quarantine", f"{quarantined:,}: retrace rejected"
        if tally.not_sent:
            keep = "" if self.rejects else ": run it again with --rejects FILE to keep them"
            yield "  not sent", f"{tally.not_sent:,}, in no quarantine{keep}"
        if tally.refused and self.rejects:
            yield "  to correct", f"{self.rejects} (reasons: {reasons_file(self.rejects)})"

    def _facts(self, told: Told, *, finished: bool) -> dict[str, object]:
        return {
            "target": self.target,
            "files": list(self.files),
            "dry_run": self.dry_run,
            "finished": finished,
            "events": told.tally.events,
            **asdict(told.tally),
            "resumed_at": self.resumed_at,
            "seconds": round(told.seconds, 3),
            "events_per_s": round(told.rate, 1),
            "rejects": None if self.rejects is None else str(self.rejects),
            "reasons": None if self.rejects is None else str(reasons_file(self.rejects)),
        }
