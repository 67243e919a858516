"""`retrace export`: events as NDJSON or Parquet, each checked against its hash, in one file or one for each type."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from botocore.config import Config

from retrace.concurrency import AT_ONCE
from retrace.context import CommandContext, command_context
from retrace.event_table import PAGE, Day, MinLag, Newest, Since, Status, Until, filters, period
from retrace.exporting.events import Fetched, from_s3, through_api
from retrace.exporting.files import STANDARD_OUTPUT, NdjsonWriter, Writer
from retrace.exporting.run import Export
from retrace.exporting.selection import Query, of_entity, of_sources
from retrace.known_names import require_known, require_known_entity
from retrace.output import Output
from retrace.problem import Exit, Problem, extra


class Format(StrEnum):
    """What an export is written as."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


def export(
    context: typer.Context,
    entity: Annotated[
        str | None, typer.Argument(help="The entity. Without one: all events, or those of --source and --type.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Of this source. Default: of all.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Of this type. Repeat it for several. Default: of all.")
    ] = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    min_lag: MinLag = None,
    status: Status = None,
    newest: Newest = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Export at most this many.")] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="A file for all events, or DIR/ for a file for each type. - is standard output."
        ),
    ] = STANDARD_OUTPUT,
    written_as: Annotated[
        Format | None, typer.Option("--format", help="Default: parquet for a file named .parquet, else ndjson.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    keep_bad: Annotated[
        bool, typer.Option("--keep-bad", help="Also write events that fail their check, with their `fault`.")
    ] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="Read the events from S3 with your own AWS permissions, which is faster.")
    ] = False,
) -> None:
    """Export events of an entity, a source, several types or everything, as they were sent, with their metadata.

    retrace export order-1007 --day yesterday > order-1007.ndjson
    retrace export --source shop/checkout --since 7d --out checkout.parquet
    retrace export --since 7d --format parquet --out week/

    One file has the events of one source and type after the other, each in the order of time. With --out DIR/ each
    type has a file, DIR/source=SOURCE/TYPE.ndjson. A file gets its name when it is complete.

    The command hashes every event again and compares it with the hash recorded at ingest. If one differs or cannot be
    read, the command reports it, leaves it out, and exits with 1.
    """
    call, output, kinds = command_context(context), Output(as_json=True), list(dict.fromkeys(types or []))
    when = period(call, day, since, until, open_ended=entity is not None)
    chosen = _chosen(written_as, out)
    parts = of_sources(call.client, source, kinds, when) if entity is None else of_entity(entity, source, kinds, when)
    read = partial(_reader(call, direct=direct), filters(min_lag, status, newest=newest, page=limit or PAGE))
    exported = Export(output, parts, read, _writer(chosen), limit, keep_bad=keep_bad, replace=force)
    if out.endswith("/") or Path(out).is_dir():
        exported.into_directory(Path(out), chosen)
    else:
        exported.into_file(out)
    if not exported.taken:
        require_known(call.client, source, *kinds)
        require_known_entity(call.client, entity)
    exported.conclude()
    if exported.bad:
        raise typer.Exit(Exit.DIFFERENT)


def _chosen(written_as: Format | None, out: str) -> Format:
    """The format that was given, or that the name of the file says; raises Problem for Parquet on a terminal."""
    chosen = written_as or (Format.PARQUET if out.endswith(".parquet") else Format.NDJSON)
    if chosen is Format.PARQUET and out == STANDARD_OUTPUT and sys.stdout.isatty():
        raise Problem("Parquet cannot be shown on a terminal.", "Name a file with --out, or pipe it.", Exit.USAGE)
    return chosen


def _writer(chosen: Format) -> Callable[[BinaryIO], Writer]:
    if chosen is Format.NDJSON:
        return NdjsonWriter
    with extra("parquet"):
        from retrace.exporting.parquet import ParquetWriter  # noqa: PLC0415  # no other command should wait for pyarrow

    return ParquetWriter


def _reader(call: CommandContext, *, direct: bool) -> Callable[[Query, Query, int | None], Iterator[Fetched]]:
    s3 = call.target.client("s3", Config(max_pool_connections=AT_ONCE)) if direct else None

    def read(filtered: Query, query: Query, at_most: int | None) -> Iterator[Fetched]:
        wanted = {**query, **filtered}
        return from_s3(call.client, s3, wanted, at_most) if s3 else through_api(call.client, wanted, at_most)

    return read
