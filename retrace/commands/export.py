"""`retrace export`: events as NDJSON or Parquet, each checked against its hash, or what they contributed to metrics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from botocore.config import Config

from chalicelib.events.index_pages import days_of
from retrace.concurrency import AT_ONCE
from retrace.context import CommandContext, command_context
from retrace.event_table import PAGE, Day, MinLag, Newest, Since, Status, Until, filters, period
from retrace.exporting.contributions import ExportContributions, RowWriter
from retrace.exporting.events import Fetched, from_s3, through_api
from retrace.exporting.files import STANDARD_OUTPUT, NdjsonWriter, Writer
from retrace.exporting.run import Export
from retrace.exporting.selection import Query, of_entity, of_sources, window_of_period
from retrace.known_names import require_known, require_known_entity
from retrace.output import Output
from retrace.problem import Exit, Problem, extra
from retrace.replay_table import whole_replay_id

if TYPE_CHECKING:
    from retrace.exporting.parquet import ParquetWriter


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
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="What each event contributed to it, in place of events. Repeatable."),
    ] = None,
    replay: Annotated[
        str | None, typer.Option("--replay", help="With --metric: from the versions of this replay.")
    ] = None,
) -> None:
    """Export events of an entity, a source, several types or everything, as they were sent, with their metadata.

    retrace export order-1007 --day yesterday > order-1007.ndjson
    retrace export --source shop/checkout --since 7d --out checkout.parquet
    retrace export --since 7d --format parquet --out week/
    retrace export --metric revenue --day yesterday --out revenue.parquet

    One file has the events of one source and type after the other, each in the order of time. With --out DIR/ each
    type has a file, DIR/source=SOURCE/TYPE.ndjson. A file gets its name when it is complete.

    The command hashes every event again and compares it with the hash recorded at ingest. If one differs or cannot be
    read, the command reports it, leaves it out, and exits with 1.

    With --metric a row says what an event contributed, or why it was skipped, in the version that the day's value is
    folded from. Days are those of the metric's time zone.
    """
    call, output, kinds = command_context(context), Output(as_json=True), list(dict.fromkeys(types or []))
    if metrics or replay is not None:
        of_events = (source, types, min_lag, status, newest or None, keep_bad or None, direct or None)
        _require_contributions(metrics, out, of_events=any(each is not None for each in of_events))
        query = {**_days(call, day, since, until), **_versions(call, entity, replay)}
        contributions = ExportContributions(call.client, output, list(dict.fromkeys(metrics or [])), query)
        contributions.into_file(out, _row_writer(_chosen(written_as, out)), limit, replace=force)
        if not contributions.written:
            require_known_entity(call.client, entity)
        contributions.conclude()
        return
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


def _require_contributions(metrics: list[str] | None, out: str, *, of_events: bool) -> None:
    if not metrics:
        raise typer.BadParameter("goes with --metric", param_hint="--replay")
    if of_events:
        raise typer.BadParameter("goes with ENTITY, days, --replay, --limit, --out and --format", param_hint="--metric")
    if out.endswith("/") or Path(out).is_dir():
        raise typer.BadParameter("is one file with --metric", param_hint="--out")


def _days(call: CommandContext, day: str | None, since: str | None, until: str | None) -> dict[str, str | None]:
    days = list(days_of(window_of_period(period(call, day, since, until, open_ended=False))))
    return {"start_day": days[0], "end_day": days[-1]}


def _versions(call: CommandContext, entity: str | None, replay: str | None) -> dict[str, str | None]:
    """What selects the versions of a day: those of every entity, or that of one."""
    replay_id = None if replay is None else whole_replay_id(call.client, replay)
    return {"by": "entity" if entity is None else None, "entity_id": entity, "replay_id": replay_id}


def _row_writer(chosen: Format) -> Callable[[BinaryIO], RowWriter]:
    return NdjsonWriter if chosen is Format.NDJSON else _parquet_writer().of_contributions


def _chosen(written_as: Format | None, out: str) -> Format:
    """The format that was given, or that the name of the file says; raises Problem for Parquet on a terminal."""
    chosen = written_as or (Format.PARQUET if out.endswith(".parquet") else Format.NDJSON)
    if chosen is Format.PARQUET and out == STANDARD_OUTPUT and sys.stdout.isatty():
        raise Problem("Parquet cannot be shown on a terminal.", "Name a file with --out, or pipe it.", Exit.USAGE)
    return chosen


def _writer(chosen: Format) -> Callable[[BinaryIO], Writer]:
    return NdjsonWriter if chosen is Format.NDJSON else _parquet_writer()


def _parquet_writer() -> type[ParquetWriter]:
    with extra("parquet"):
        from retrace.exporting.parquet import ParquetWriter  # noqa: PLC0415  # no other command should wait for pyarrow

    return ParquetWriter


def _reader(call: CommandContext, *, direct: bool) -> Callable[[Query, Query, int | None], Iterator[Fetched]]:
    s3 = call.target.client("s3", Config(max_pool_connections=AT_ONCE)) if direct else None

    def read(filtered: Query, query: Query, at_most: int | None) -> Iterator[Fetched]:
        wanted = {**query, **filtered}
        return from_s3(call.client, s3, wanted, at_most) if s3 else through_api(call.client, wanted, at_most)

    return read
