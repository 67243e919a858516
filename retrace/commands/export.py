"""`retrace export`: the events of a query as NDJSON or Parquet, each checked against its hash."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, BinaryIO

import typer
from botocore.config import Config

from retrace.concurrency import AT_ONCE
from retrace.context import command_context
from retrace.event_table import (
    PAGE,
    Day,
    Entity,
    EventType,
    MinLag,
    Newest,
    Since,
    Source,
    Status,
    Until,
    filters,
    window,
)
from retrace.exporting.events import Fetched, from_s3, through_api
from retrace.exporting.files import STANDARD_OUTPUT, NdjsonWriter, Writer, opened
from retrace.output import Output
from retrace.problem import Exit, Problem, extra
from retrace.progress import Progress

_FAULTS_SHOWN = 20


class Format(StrEnum):
    """What an export is written as."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


def export(
    context: typer.Context,
    entity: Entity = None,
    source: Source = None,
    event_type: EventType = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    min_lag: MinLag = None,
    status: Status = None,
    newest: Newest = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Export at most this many.")] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="The file to write. - is standard output.")] = STANDARD_OUTPUT,
    written_as: Annotated[
        Format | None, typer.Option("--format", help="Default: parquet for a file named .parquet, else ndjson.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    keep_bad: Annotated[
        bool, typer.Option("--keep-bad", help="Also write events that fail their check, with their `fault`.")
    ] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="Read the events from S3 with your own AWS permissions, which is faster.")
    ] = False,
) -> None:
    """Export events of an entity, or of a source and type, as they were sent, with their metadata.

    retrace export order-1007 --day yesterday > order-1007.ndjson
    retrace export --source shop/checkout --type order.paid --since 30d --out paid.parquet

    The command hashes every event again and compares it with the hash recorded at ingest. If one differs or cannot be
    read, the command reports it, leaves it out, and exits with 1.
    """
    call, output = command_context(context), Output(as_json=True)
    query = window(call, entity, source, event_type, day, since, until)
    query |= filters(min_lag, status, newest=newest, page=limit or PAGE)
    chosen = written_as or (Format.PARQUET if out.endswith(".parquet") else Format.NDJSON)
    if chosen is Format.PARQUET and out == STANDARD_OUTPUT and sys.stdout.isatty():
        raise Problem("Parquet cannot be shown on a terminal.", "Name a file with --out, or pipe it.", Exit.USAGE)
    with opened(out, replace=force) as file:
        s3 = call.target.client("s3", Config(max_pool_connections=AT_ONCE)) if direct else None
        events = from_s3(call.client, s3, query, limit) if s3 else through_api(call.client, query, limit)
        exported = Export(output, _writer(chosen, file), keep_bad=keep_bad)
        exported.run(events, limit)
    exported.conclude()


def _writer(chosen: Format, file: BinaryIO) -> Writer:
    if chosen is Format.NDJSON:
        return NdjsonWriter(file)
    with extra("parquet"):
        from retrace.exporting.parquet import ParquetWriter  # noqa: PLC0415  # no other command should wait for pyarrow

    return ParquetWriter(file)


@dataclass
class Export:
    """One export: what was written, and what was wrong."""

    output: Output
    writer: Writer
    keep_bad: bool
    written: int = 0
    written_bytes: int = 0
    bad: int = 0

    def run(self, events: Iterable[Fetched], limit: int | None) -> None:
        """Write events in their order."""
        with Progress(self.output.notes) as progress:
            for event in events:
                self._take(event)
                progress.show(f"{self.written:,} events, {_size(self.written_bytes)}", self.written + self.bad, limit)
        self.writer.close()

    def _take(self, event: Fetched) -> None:
        if event.fault is not None:
            self.bad += 1
            if self.bad <= _FAULTS_SHOWN:
                self.output.note(f"{event.metadata['event_id']}: {event.fault}", "red")
            if not self.keep_bad:
                return
        self.writer.write(event)
        self.written += 1
        self.written_bytes += event.size

    def conclude(self) -> None:
        """Say what was written, and end the command with 1 if something was wrong."""
        if self.written == self.bad == 0:
            self.output.note("No event was found. Run `retrace gaps` or `retrace late` to find out why.")
            return
        sound = self.written - self.bad if self.keep_bad else self.written
        summary = f"{sound:,} events, {_size(self.written_bytes)}. Every hash equals the recorded one."
        self.output.note(summary)
        if self.bad:
            kept = "They are written with their fault." if self.keep_bad else "They are left out."
            self.output.note(f"{self.bad:,} failed their check. {kept} Run `retrace verify` for details.", "red")
            raise typer.Exit(Exit.DIFFERENT)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1_000:
            return f"{count:,.{0 if unit == 'bytes' else 1}f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"
