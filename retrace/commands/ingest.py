"""The command `retrace ingest`: what it is told, what it tells, and how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from retrace.client import Client
from retrace.context import AsJson, Calling, calling
from retrace.ingesting import options
from retrace.ingesting.checkpoint import Checkpoint, Reached, checkpoint_file
from retrace.ingesting.files import look_at
from retrace.ingesting.report import Rejects, Summary, Told
from retrace.ingesting.run import Ingest, Interrupt, Reading
from retrace.ingesting.sending import MOST_BYTES, MOST_EVENTS, Pace, Sender
from retrace.output import Output
from retrace.problem import Exit, Problem

CONCURRENCY = 8
_FINISHING = b"\nFinishing the batches in flight; Ctrl-C again ends at once.\n"


def ingest(
    context: typer.Context,
    files: options.Files,
    wanted: options.FormatOption = None,
    columns: options.Columns = None,
    constants: options.Constants = None,
    delimiter: options.Delimiter = None,
    rejects: options.RejectsFile = None,
    resume: options.Resume = False,
    dry_run: options.DryRun = False,
    concurrency: options.Concurrency = CONCURRENCY,
    batch_events: options.BatchEvents = MOST_EVENTS,
    batch_bytes: options.BatchBytes = MOST_BYTES,
    checkpoint: options.CheckpointFile = None,
    as_json: AsJson = None,
) -> None:
    """Send files of events: JSON, CSV, CloudTrail logs; each event is taken in once, however often sent.

    retrace ingest day.ndjson.gz --rejects refused.ndjson

    retrace ingest orders.csv --map event_time=paid_at --map entity_id=order --set source=shop/csv --set event_type=paid

    Ctrl-C finishes the batches in flight, a second one ends at once; the same command with --resume goes on.
    Exits with 1 if events were refused.
    """
    found = [look_at(name) for name in files]
    options.check(found, resume=resume, dry_run=dry_run, rejects=rejects, checkpoint=checkpoint)
    call, output = calling(context), Output(as_json=as_json)
    mapped = options.mapped_of(columns or [], constants or [], delimiter)
    reading = Reading(found, wanted, mapped, Pace(batch_events, batch_bytes))
    kept = None if dry_run or reading.size is None else _checkpoint(call, reading, checkpoint)
    reached = _reached(kept, resume, output)
    refused = None if rejects is None else Rejects(rejects, resumed=reached.tally.events > 0)
    sender = Sender(Client(call.target, connections=concurrency), reading.pace, dry_run=dry_run)
    sending = Ingest(reading, sender.settle, reached, kept, refused)
    told = Told(output.notes, reading.size, already=reached.tally)
    summary = Summary(call.target.url, files, dry_run, rejects, kept, reached.tally.events)
    try:
        finished = _sent(sending, concurrency, told, output)
    except Problem as problem:
        summary.show(output, told, finished=False)
        if problem.exit_code is Exit.USAGE:  # what is put right is another file, or another command
            raise
        raise Problem(problem.what, f"{problem.remedy} {summary.how_on}", problem.exit_code) from problem
    summary.show(output, told, finished=finished)
    if not finished:
        output.note(summary.how_on)
        raise typer.Exit(Exit.INTERRUPTED)
    if kept is not None:
        kept.remove()
    if told.tally.refused:
        raise typer.Exit(Exit.DIFFERENT)


def _sent(sending: Ingest, concurrency: int, told: Told, output: Output) -> bool:
    """Whether all was sent, and it was not stopped before."""
    interrupt = Interrupt(lambda: os.write(2, _FINISHING))
    try:
        with told:
            sending.run(concurrency, told, interrupt)
            if not interrupt.cut_short:
                told.done()
    except KeyboardInterrupt:
        output.note("Ended at once; what was in flight may or may not have been taken in.")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)  # the threads that send would be waited for
    return not interrupt.cut_short


def _checkpoint(call: Calling, reading: Reading, path: Path | None) -> Checkpoint | None:
    path = path or checkpoint_file(call.target.url, [file.name for file in reading.files])
    return None if path is None else Checkpoint(path, [call.target.url, *reading.identity])


def _reached(kept: Checkpoint | None, resume: bool, output: Output) -> Reached:
    """Where to begin; raises Problem if that is not known."""
    if resume and kept is None:
        raise Problem("There is no home directory with a checkpoint.", "Give --checkpoint FILE.", Exit.USAGE)
    earlier = None if kept is None else kept.load()
    if resume:
        if earlier is None:
            output.note(
                "There is nothing to go on with: no run of these files, as they are now, and these options was stopped."
                " It begins at the beginning; nothing is taken twice."
            )
        return earlier or Reached()
    if earlier is not None and earlier.tally.events:
        output.note(f"An earlier run got as far as event {earlier.tally.events:,}; --resume would go on from there.")
    return Reached()
