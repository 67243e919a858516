"""`retrace sql`: queries the raw events of a window with DuckDB."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrace.context import AsJson, command_context
from retrace.event_table import Day, Since, Until, period
from retrace.exporting.selection import window_of_period
from retrace.output import Output
from retrace.problem import Exit, Problem, extra
from retrace.querying.loading import EventsTable
from retrace.querying.prompt import line_editing, statements
from retrace.querying.results import Results, Shape
from retrace.target_resolution import own_directory

if TYPE_CHECKING:
    import duckdb


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
    with extra("sql"):
        import duckdb  # noqa: F401, PLC0415  # before anything is read
    when = period(call, day if day or since or until else "today", since, until, open_ended=False)
    results = Results(output, Shape.CSV if as_csv else Shape.JSON if output.as_json else Shape.TABLE)
    interactive = query is None and sys.stdin.isatty()
    with tempfile.TemporaryDirectory(prefix="retrace-sql-") as directory:
        table = EventsTable(call.client, output, Path(directory), lambda much: yes or _agreed(much))
        with table.of(sources or [], window_of_period(when)) as database:
            if interactive:
                _prompt(database, output, results)
            else:
                _run(database, [sys.stdin.read() if query is None else query], results)


def _agreed(much: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(f"Read {much}?", err=True)


def _run(database: duckdb.DuckDBPyConnection, texts: Iterable[str], results: Results) -> None:
    """Execute statements one after the other; raises Problem at the first that cannot be."""
    import duckdb  # noqa: PLC0415  # it is there by now

    for text in texts:
        try:
            for statement in duckdb.extract_statements(text):
                results.show(database, statement)
        except duckdb.Error as error:
            remedy = "Columns: DESCRIBE events. Queries: docs/sql.md. DuckDB's SQL: https://duckdb.org/docs/sql"
            raise Problem(str(error), remedy, Exit.USAGE) from error


def _prompt(database: duckdb.DuckDBPyConnection, output: Output, results: Results) -> None:
    output.note("Type SQL that ends with a semicolon, or .help. Leave with .quit", "")
    kept = own_directory("XDG_STATE_HOME", ".local/state", os.environ)
    with line_editing(None if kept is None else kept / "sql_history"):
        for text in statements(output, results):
            try:
                _run(database, [text], results)
            except Problem as problem:
                output.note(problem.what, "red")
            except KeyboardInterrupt:
                output.note("Interrupted.")
