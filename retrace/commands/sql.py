"""`retrace sql`: queries the raw events of a window with DuckDB."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from retrace.context import AsJson, command_context
from retrace.event_table import Day, Since, Until, period
from retrace.exporting.selection import window_of_period
from retrace.output import Output
from retrace.problem import extra


def sql(
    context: typer.Context,
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="SQL. Default: standard input, on a terminal a prompt.")
    ] = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="Of this source. Repeat it for several. Default: of all.")
    ] = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Read more than 1 GB without asking.")] = False,
    as_json: AsJson = None,
) -> None:
    """Query raw events with SQL (DuckDB): the table `events` has a row for each event of a day or window.

    retrace sql --day yesterday
    retrace sql --day yesterday "SELECT source, event_type, count(*) FROM events GROUP BY ALL"
    retrace sql --since 7d --source shop/checkout --csv < query.sql > answer.csv

    Raw objects of the days, by default of today, are copied from S3 with your AWS permissions and removed at the end.
    The table cannot be changed. DESCRIBE events lists its columns, docs/sql.md has queries.
    """
    call, output = command_context(context), Output(as_json=as_json)
    if as_csv and as_json is not None:
        raise typer.BadParameter("cannot be combined with --json or --table", param_hint="--csv")
    with extra("sql"):  # it brings DuckDB along, which no other command should wait for
        from retrace.querying import loading, prompt, results  # noqa: PLC0415
    when = period(call, day if day or since or until else "today", since, until, open_ended=False)
    shape = results.Shape
    shown = results.Results(output, shape.CSV if as_csv else shape.JSON if output.as_json else shape.TABLE)
    interactive = query is None and sys.stdin.isatty()
    with tempfile.TemporaryDirectory(prefix="retrace-sql-") as directory:
        table = loading.EventsTable(call.client, output, Path(directory), lambda much: yes or _agreed(much))
        with table.of(sources or [], window_of_period(when)) as database:
            if interactive:
                prompt.converse(database, output, shown)
            else:
                prompt.execute(database, sys.stdin.read() if query is None else query, shown)


def _agreed(much: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(f"Read {much}?", err=True)
