"""Shows what a statement answers: as DuckDB's table, as CSV, or as JSON, an object a line."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Any

import duckdb

from retrace.output import Output, printable

ROWS_SHOWN = 200
"""Of a table on a terminal. DuckDB says how many there are."""

_AT_A_TIME = 1_000
_ALL = 2**31
_NARROWEST = 20
_ZONED = "TIMESTAMP WITH TIME ZONE"
_RFC_3339 = "%Y-%m-%dT%H:%M:%S.%fZ"


class Shape(StrEnum):
    """What results are written as."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass
class Results:
    """Where results are written, and as what."""

    output: Output
    shape: Shape

    def show(self, database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
        """Execute a statement, and show what it answers."""
        show: dict[Shape, Callable[..., None]] = {
            Shape.TABLE: self._table,
            Shape.CSV: self._csv,
            Shape.JSON: self._json,
        }
        show[self.shape](database, statement)

    def _table(self, database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
        relation: duckdb.DuckDBPyRelation | None = database.sql(statement)
        if relation is None or relation.columns == ["Success"]:
            return
        drawn = io.StringIO()
        on_terminal = self.output.console.is_terminal
        with redirect_stdout(drawn):
            relation.show(
                max_width=max(self.output.console.width, _NARROWEST), max_rows=ROWS_SHOWN if on_terminal else _ALL
            )
        self.output.line(printable(drawn.getvalue().rstrip("\n")))

    def _csv(self, database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
        names, _, rows = _answer(database, statement)
        self._write_csv(names)
        for row in rows:
            self._write_csv([_plain(value) for value in row])

    def _write_csv(self, row: list[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        text = line.getvalue()
        self.output.line(printable(text) if self.output.console.is_terminal else text)

    def _json(self, database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
        names, types, rows = _answer(database, statement)
        heads = [json.dumps(name, ensure_ascii=False) for name in names]
        for row in rows:
            members = (f"{head}:{_text(value, kind)}" for head, kind, value in zip(heads, types, row, strict=True))
            self.output.json_text(f"{{{','.join(members)}}}")


def _answer(
    database: duckdb.DuckDBPyConnection, statement: duckdb.Statement
) -> tuple[list[str], list[str], Iterator[tuple[Any, ...]]]:
    """Names and types of the columns, and the rows as they are read."""
    answer = database.execute(statement)
    described = answer.description or []
    names, types = [str(column[0]) for column in described], [str(column[1]) for column in described]
    if _ZONED in types:
        answer = database.execute(_in_utc(_without_end(statement.query), types))

    def rows() -> Iterator[tuple[Any, ...]]:
        while some := answer.fetchmany(_AT_A_TIME):
            yield from some

    return names, types, rows()


def _in_utc(query: str, types: list[str]) -> str:
    """A query with times that have a zone as text, because DuckDB makes them Python's only with another library."""
    in_utc = f"strftime(timezone('UTC', #{{}}), '{_RFC_3339}')"
    columns = [(in_utc if kind == _ZONED else "#{}").format(number) for number, kind in enumerate(types, 1)]
    return f"SELECT {', '.join(columns)} FROM ({query}\n)"  # noqa: S608  # who asks has written the query


def _without_end(query: str) -> str:
    """A statement without its semicolon and what follows."""
    text = query.encode()  # DuckDB counts bytes
    ends = (at for at, _ in duckdb.tokenize(query) if text[at : at + 1] == b";")
    return text[: next(ends, len(text))].decode()


def _text(value: Any, kind: str) -> str:
    """A value as JSON: JSON as it is, numbers digit for digit, and everything else that JSON lacks as text."""
    if value is not None and kind == "JSON":
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(_nested(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _nested(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _nested(member) for name, member in value.items()}
        case list() | tuple():
            return [_nested(element) for element in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return _plain(value)


def _plain(value: Any) -> Any:
    """A value as text if it is a time or bytes."""
    if isinstance(value, date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value
