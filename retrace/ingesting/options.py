"""The options of `retrace ingest`, and the combinations that it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from chalicelib.core.timestamps import Window, days_in
from chalicelib.quarantine.retries import MAX_DAYS
from retrace.context import TIME_HELP, CommandContext
from retrace.ingesting.files import STDIN, File, Format
from retrace.ingesting.foreign_formats import EXTENSION, FIELDS, Mapped, is_field
from retrace.ingesting.listed import Found
from retrace.ingesting.refused_events import RefusedEvents
from retrace.ingesting.report import reasons_file
from retrace.ingesting.sending import MOST_BYTES, MOST_EVENTS

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
Listed = Annotated[
    bool,
    typer.Option(
        "--list", help="With --dry-run: list the events that are missing, in quarantine, of other content or not valid."
    ),
]
Only = Annotated[
    list[Found] | None,
    typer.Option("--only", case_sensitive=False, help="With --list: only these, which may be known, too. Repeatable."),
]
RefusedSince = Annotated[
    str,
    typer.Option(
        "--refused-since", metavar="TIME", help=f"With --list: search quarantine from this time on. {TIME_HELP}"
    ),
]


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


def check(files: Sequence[File], *, resume: bool, dry_run: bool, rejects: Path | None, checkpoint: Path | None) -> None:
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


def check_listing(*, listed: bool, only: Sequence[Found] | None, dry_run: bool) -> None:
    """Refuse to list without a dry run."""
    if listed and not dry_run:
        raise typer.BadParameter("lists what would happen: add --dry-run", param_hint="--list")
    if only and not listed:
        raise typer.BadParameter("says what to list: add --list", param_hint="--only")


def refused_events(call: CommandContext, since: str) -> RefusedEvents:
    """Those that were refused since a time that an option gives."""
    start, end = call.time(since, "--refused-since"), call.now
    days = days_in(Window(start, end)) if start else 0
    if not 0 < days <= MAX_DAYS:
        raise typer.BadParameter(f"must lie in the last {MAX_DAYS} days", param_hint="--refused-since")
    return RefusedEvents(call.client, {"start_time": str(start), "end_time": str(end)}, days)


def _identity(path: Path) -> object:
    """What two names of one file have in common, hard links included."""
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino
