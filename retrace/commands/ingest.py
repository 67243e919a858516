"""`retrace ingest`: its options and what they mean together, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from retrace.client import Client
from retrace.context import AsJson, CommandContext, command_context
from retrace.ingesting.checkpoint import Checkpoint, Reached, checkpoint_file
from retrace.ingesting.files import STDIN, File, Format, look_at
from retrace.ingesting.foreign_formats import EXTENSION, FIELDS, Mapped, is_field
from retrace.ingesting.report import IngestProgress, Rejects, Summary, reasons_file
from retrace.ingesting.run import Ingest, Interrupt, Reading
from retrace.ingesting.sending import MOST_BYTES, MOST_EVENTS, Pace, Sender
from retrace.output import Output
from retrace.problem import Exit, Problem

Files = Annotated[list[str], typer.Argument(help="Files, plain, .gz or .zst. - is standard input.", show_default=False)]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="The format of all files. Default: detected from names and first bytes."),
]
_FIELDS = f"{', '.join(FIELDS)} and {EXTENSION}NAME"
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help=f"CSV: the column that a field is taken from. Fields: {_FIELDS}.",
    ),
]
Constants = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=TEXT", help="CSV: a field that is the same in each row.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", help="CSV: the delimiter. Default: detected from the heading.")
]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=64, help="Batches in flight at a time.")]
BatchEvents = Annotated[int, typer.Option("--batch-events", min=1, max=MOST_EVENTS, help="At most, in a batch.")]
BatchBytes = Annotated[int, typer.Option("--batch-bytes", min=1, max=MOST_BYTES, help="At most, in a batch.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue where the same command was stopped.")]
CheckpointFile = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="The file that records progress. Default: in ~/.local/state/retrace."),
]
RejectsFile = Annotated[
    Path | None,
    typer.Option(
        "--rejects", help="Write rejected events to FILE, to correct and send, and the reasons to FILE.reasons."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing. Report what would happen to the events.")]


def mapped_of(columns: Sequence[str], constants: Sequence[str], delimiter: str | None) -> Mapped:
    """The mapping of CSV."""
    separator = "\t" if delimiter in ("tab", "\\t") else delimiter
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise typer.BadParameter("give one character, or tab; no quote and no line break", param_hint="--delimiter")
    by_column, by_constant = _pairs(columns, "--map"), _pairs(constants, "--set")
    both = sorted(by_column.keys() & by_constant.keys())
    if both:
        raise typer.BadParameter(f"{both[0]} is mapped to a column, too", param_hint="--set")
    return Mapped(by_column, by_constant, separator)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not is_field(name) or name in pairs:
            raise typer.BadParameter(f"{text!r}: write FIELD=…, each of {_FIELDS} once", param_hint=option)
        pairs[name] = value
    return pairs


def _check(
    files: Sequence[File], *, resume: bool, dry_run: bool, rejects: Path | None, checkpoint: Path | None
) -> None:
    """Refuse what makes no sense together."""
    if len(files) > 1 and any(file.name == STDIN for file in files):
        raise typer.BadParameter("- cannot be combined with files", param_hint="FILES")
    if resume and any(file.is_stream for file in files):
        raise typer.BadParameter(
            "a pipe cannot be read again: send everything again, duplicates count once", param_hint="--resume"
        )
    if resume and dry_run:
        raise typer.BadParameter("a dry run cannot be resumed", param_hint="--resume")
    reasons = None if rejects is None else reasons_file(rejects)
    written = {"--rejects": rejects, "--rejects (reasons)": reasons, "--checkpoint": checkpoint}
    used = {_identity(Path(file.name)): "is one of the files that are read" for file in files}
    for option, path in written.items():
        if path is None:
            continue
        identity = _identity(path)
        if identity in used:
            raise typer.BadParameter(used[identity], param_hint=option)
        used[identity] = f"is the file of {option}"


def _identity(path: Path) -> object:
    """What two names of one file have in common, hard links included."""
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino


CONCURRENCY = 8
_FINISHING = b"\nFinishing the batches in flight; Ctrl-C again ends at once.\n"


def ingest(
    context: typer.Context,
    files: Files,
    wanted: FormatOption = None,
    columns: Columns = None,
    constants: Constants = None,
    delimiter: Delimiter = None,
    rejects: RejectsFile = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    concurrency: Concurrency = CONCURRENCY,
    batch_events: BatchEvents = MOST_EVENTS,
    batch_bytes: BatchBytes = MOST_BYTES,
    checkpoint: CheckpointFile = None,
    as_json: AsJson = None,
) -> None:
    """Send files of events: JSON, CSV, CloudTrail logs, exports. An event sent again is a duplicate and counts once.

    retrace ingest day.ndjson.gz --rejects refused.ndjson

    retrace ingest orders.csv --map event_time=paid_at --map entity_id=order --set source=shop/csv --set event_type=paid

    Ctrl-C finishes the batches in flight. A second Ctrl-C ends at once. Add --resume to the same command to continue.
    Exits with 1 if events were rejected.
    """
    found = [look_at(name) for name in files]
    _check(found, resume=resume, dry_run=dry_run, rejects=rejects, checkpoint=checkpoint)
    call, output = command_context(context), Output(as_json=as_json)
    mapped = mapped_of(columns or [], constants or [], delimiter)
    reading = Reading(found, wanted, mapped, Pace(batch_events, batch_bytes))
    kept = None if dry_run or reading.size is None else _checkpoint(call, reading, checkpoint)
    reached = _reached(kept, resume, output)
    refused = None if rejects is None else Rejects(rejects, resumed=reached.tally.events > 0)
    sender = Sender(Client(call.target, connections=concurrency), reading.pace, dry_run=dry_run)
    sending = Ingest(reading, sender.send, reached, kept, refused)
    progress = IngestProgress(output.notes, reading.size, already=reached.tally)
    summary = Summary(call.target.url, files, dry_run, rejects, kept, reached.tally.events)
    try:
        finished = _sent(sending, concurrency, progress, output)
    except Problem as problem:
        summary.show(output, progress, finished=False)
        if problem.exit_code is Exit.USAGE:  # what is put right is another file, or another command
            raise
        raise Problem(problem.what, f"{problem.remedy} {summary.how_on}", problem.exit_code) from problem
    summary.show(output, progress, finished=finished)
    if not finished:
        output.note(summary.how_on)
        raise typer.Exit(Exit.INTERRUPTED)
    if kept is not None:
        kept.remove()
    if progress.tally.refused:
        raise typer.Exit(Exit.DIFFERENT)


def _sent(sending: Ingest, concurrency: int, progress: IngestProgress, output: Output) -> bool:
    """Whether all was sent, and it was not stopped before."""
    interrupt = Interrupt(lambda: os.write(2, _FINISHING))
    try:
        with progress:
            sending.run(concurrency, progress, interrupt)
            if not interrupt.cut_short:
                progress.done()
    except KeyboardInterrupt:
        output.note("Ended at once. Events in flight may or may not have been accepted.")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)  # the threads that send would be waited for
    return not interrupt.cut_short


def _checkpoint(call: CommandContext, reading: Reading, path: Path | None) -> Checkpoint | None:
    path = path or checkpoint_file(call.target.url, [file.name for file in reading.files])
    return None if path is None else Checkpoint(path, [call.target.url, *reading.identity])


def _reached(kept: Checkpoint | None, resume: bool, output: Output) -> Reached:
    """Where to begin; raises Problem if that is not known."""
    if resume and kept is None:
        raise Problem("There is no home directory to keep a checkpoint in.", "Give --checkpoint FILE.", Exit.USAGE)
    earlier = None if kept is None else kept.load()
    if resume:
        if earlier is None:
            output.note(
                "There is nothing to resume: no run of these files, as they are now, and these options was stopped."
                " It begins at the beginning. No event counts twice."
            )
        return earlier or Reached()
    if earlier is not None and earlier.tally.events:
        output.note(
            f"An earlier run got as far as event {earlier.tally.events:,}. Add --resume to continue from there."
        )
    return Reached()
