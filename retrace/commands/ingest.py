"""`retrace ingest`: its options, which of them go together, and its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from retrace.client import Client
from retrace.context import AsJson, CommandContext, command_context
from retrace.ingesting.checkpoint import Checkpoint, Reached, checkpoint_file
from retrace.ingesting.files import look_at
from retrace.ingesting.listing import Listing
from retrace.ingesting.options import (
    BatchBytes,
    BatchEvents,
    CheckpointFile,
    Columns,
    Concurrency,
    Constants,
    Delimiter,
    DryRun,
    Files,
    FormatOption,
    Listed,
    Only,
    RefusedSince,
    RejectsFile,
    Resume,
    check,
    check_listing,
    mapped_of,
    refused_events,
)
from retrace.ingesting.report import IngestProgress, Rejects, Summary
from retrace.ingesting.run import Ingest, Interrupt, Reading
from retrace.ingesting.sending import MOST_BYTES, MOST_EVENTS, Pace, Sender
from retrace.output import Output
from retrace.problem import Exit, Problem

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
    listed: Listed = False,
    only: Only = None,
    refused_since: RefusedSince = "yesterday",
    concurrency: Concurrency = CONCURRENCY,
    batch_events: BatchEvents = MOST_EVENTS,
    batch_bytes: BatchBytes = MOST_BYTES,
    checkpoint: CheckpointFile = None,
    as_json: AsJson = None,
) -> None:
    """Send files of events: JSON, CSV, CloudTrail logs, exports. An event sent again is a duplicate and counts once.

    retrace ingest day.ndjson.gz --rejects refused.ndjson

    retrace ingest orders.csv --map event_time=paid_at --map entity_id=order --set source=shop/csv --set event_type=paid

    retrace ingest day.ndjson.gz --dry-run --list

    --dry-run --list says which events never arrived. Send only these:

    retrace ingest day.ndjson.gz --dry-run --list --only missing --json | retrace ingest -

    Ctrl-C finishes the batches in flight. A second Ctrl-C ends at once. Add --resume to the same command to continue.
    Exits with 1 if events were rejected, or with --list if one is not known.
    """
    found = [look_at(name) for name in files]
    check_listing(listed=listed, only=only, dry_run=dry_run)
    check(found, resume=resume, dry_run=dry_run, rejects=rejects, checkpoint=checkpoint)
    call, output = command_context(context), Output(as_json=as_json)
    mapped = mapped_of(columns or [], constants or [], delimiter)
    reading = Reading(found, wanted, mapped, Pace(batch_events, batch_bytes))
    kept = None if dry_run or reading.size is None else _checkpoint(call, reading, checkpoint)
    reached = _reached(kept, resume, output)
    progress = IngestProgress(output.notes, reading.size, already=reached.tally)
    listing = None
    told = [] if rejects is None else [Rejects(rejects, resumed=reached.tally.events > 0).write]
    if listed:
        listing = Listing(call.client, refused_events(call, refused_since), output, files, only or [], progress)
        told.append(listing.add)
    sender = Sender(Client(call.target, connections=concurrency), reading.pace, dry_run=dry_run, listed=listed)
    sending = Ingest(reading, sender.send, reached, kept, told)
    summary = listing or Summary(call.target.url, files, dry_run, rejects, kept, reached.tally.events)
    with _problems_as_told_by(summary, progress, output):
        finished = _sent(sending, concurrency, progress, output)
    summary.show(output, progress, finished=finished)
    if not finished:
        output.note(summary.how_on)
        raise typer.Exit(Exit.INTERRUPTED)
    if kept is not None:
        kept.remove()
    if progress.tally.refused or (listing is not None and not listing.is_complete):
        raise typer.Exit(Exit.DIFFERENT)


@contextmanager
def _problems_as_told_by(summary: Listing | Summary, progress: IngestProgress, output: Output) -> Iterator[None]:
    """Show how far it came before a problem is told, with how to continue unless another command is needed."""
    try:
        yield
    except Problem as problem:
        summary.show(output, progress, finished=False)
        if problem.exit_code is Exit.USAGE:  # what is put right is another file, or another command
            raise
        raise Problem(problem.what, f"{problem.remedy} {summary.how_on}".lstrip(), problem.exit_code) from problem


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
