"""Executes statements, and reads them from a prompt: with history, completion, and the dot commands of DuckDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.querying.database import COLUMNS
from retrace.querying.results import Results, Shape
from retrace.target_resolution import own_directory

HELP = """\
End a statement with a semicolon. The table is `events`, and it cannot be changed.
.tables            tables: DuckDB's SHOW TABLES
.schema            columns of `events`: DuckDB's DESCRIBE events
.mode SHAPE        write results as table, csv or json
.help              this text
.quit              leave (also .exit, or Ctrl-D)"""

_FIRST, _MORE = "retrace> ", "    ...> "
_STATEMENTS = {".tables": "SHOW TABLES;", ".schema": "DESCRIBE events;"}
_ENDS = (".quit", ".exit")
_WORDS = ("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "events", *COLUMNS)


def execute(database: duckdb.DuckDBPyConnection, text: str, results: Results) -> None:
    """Execute statements one after the other; raises Problem at the first that cannot be."""
    try:
        for statement in duckdb.extract_statements(text):
            results.show(database, statement)
    except duckdb.Error as error:
        remedy = "Columns: DESCRIBE events. Queries: docs/sql.md. DuckDB's SQL: https://duckdb.org/docs/sql"
        raise Problem(str(error), remedy, Exit.USAGE) from error


def converse(database: duckdb.DuckDBPyConnection, output: Output, results: Results) -> None:
    """Execute what is typed until its end. A statement that cannot be executed is told, and does not end it."""
    output.note("Type SQL that ends with a semicolon, or .help. Leave with .quit", "")
    kept = own_directory("XDG_STATE_HOME", ".local/state", os.environ)
    with line_editing(None if kept is None else kept / "sql_history"):
        for text in statements(output, results):
            try:
                execute(database, text, results)
            except Problem as problem:
                output.note(problem.what, "red")
            except KeyboardInterrupt:
                output.note("Interrupted.")


def statements(output: Output, results: Results, read: Callable[[str], str] = input) -> Iterator[str]:
    """What is typed, statement by statement, until the end of input. Commands with a dot are carried out here."""
    typed: list[str] = []
    while True:
        try:
            line = read(_MORE if typed else _FIRST).rstrip()
        except EOFError:
            output.note("")
            return
        except KeyboardInterrupt:
            output.note("")
            typed = []
            continue
        if not typed and line.startswith("."):
            if line in _ENDS:
                return
            yield from _carried_out(line, output, results)
        elif line or typed:
            typed.append(line)
            if line.endswith(";"):
                yield "\n".join(typed)
                typed = []


def _carried_out(line: str, output: Output, results: Results) -> Iterator[str]:
    name, _, argument = line.partition(" ")
    if name in _STATEMENTS:
        yield _STATEMENTS[name]
    elif name == ".mode" and argument.strip() in set(Shape):
        results.shape = Shape(argument.strip())
    elif name == ".help":
        output.note(HELP, "")
    else:
        output.note(f"{line} is not a command. Try .help")


@contextmanager
def line_editing(history: Path | None) -> Iterator[None]:
    """Edit lines with readline, where Python has it, and keep them for the next time."""
    try:
        import readline  # noqa: PLC0415  # Python has none on some systems
    except ImportError:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(history)
    readline.set_completer(completer(_WORDS))
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        with suppress(OSError):
            if history is not None:
                history.parent.mkdir(parents=True, exist_ok=True)
                readline.write_history_file(history)


def completer(words: Iterable[str]) -> Callable[[str, int], str | None]:
    """What readline asks for the words that a text can begin."""
    known = tuple(words)

    def complete(text: str, number: int) -> str | None:
        found = [word for word in known if word.casefold().startswith(text.casefold())]
        return found[number] if number < len(found) else None

    return complete
