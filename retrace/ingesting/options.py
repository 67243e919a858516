"""The options of `retrace ingest`, and what they mean together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from retrace.ingesting.files import STDIN, File, Format
from retrace.ingesting.foreign_formats import FIELDS, Mapped
from retrace.ingesting.report import reasons_file
from retrace.ingesting.sending import MOST_BYTES, MOST_EVENTS

Files = Annotated[list[str], typer.Argument(help="Files, plain, .gz or .zst; - is standard input.", show_default=False)]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Of all files; else told by their names and first bytes.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help=f"CSV: the column that a field is taken from. Fields: {', '.join(FIELDS)}.",
    ),
]
Constants = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=TEXT", help="CSV: a field that is the same in each row.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", help="CSV: the delimiter; if not given, detected from the heading.")
]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=64, help="Batches in flight at a time.")]
BatchEvents = Annotated[int, typer.Option("--batch-events", min=1, max=MOST_EVENTS, help="At most, in a batch.")]
BatchBytes = Annotated[int, typer.Option("--batch-bytes", min=1, max=MOST_BYTES, help="At most, in a batch.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the same command was stopped.")]
CheckpointFile = Annotated[
    Path | None, typer.Option("--checkpoint", help="Where it is kept how far this got; else in ~/.local/state/retrace.")
]
RejectsFile = Annotated[
    Path | None,
    typer.Option("--rejects", help="Write refused events to FILE, to correct and send, and why to FILE.reasons."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; tell what would become of the events.")]


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
        if not equals or name not in FIELDS or name in pairs:
            raise typer.BadParameter(f"{text!r}: write FIELD=…, each of {', '.join(FIELDS)} once", param_hint=option)
        pairs[name] = value
    return pairs


def check(files: Sequence[File], *, resume: bool, dry_run: bool, rejects: Path | None, checkpoint: Path | None) -> None:
    """Refuse what makes no sense together."""
    if len(files) > 1 and any(file.name == STDIN for file in files):
        raise typer.BadParameter("- stands alone", param_hint="FILES")
    if resume and any(file.is_stream for file in files):
        raise typer.BadParameter(
            "a pipe cannot be read again; send everything anew, nothing is taken twice", param_hint="--resume"
        )
    if resume and dry_run:
        raise typer.BadParameter("a dry run leaves nothing to go on with", param_hint="--resume")
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
