"""Opens SQLite databases on disk, so that memory stays small for any number of events."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from retrace.problem import Exit, Problem


def temporary_database() -> sqlite3.Connection:
    """A database that vanishes with the process."""
    # An empty name is a private database on disk, deleted when it is closed (https://www.sqlite.org/inmemorydb.html).
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA journal_mode = OFF")
    return database


def execute_many(database: sqlite3.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Execute a statement with each row, in one transaction."""
    database.execute("BEGIN")
    database.executemany(statement, rows)
    database.execute("COMMIT")


@contextmanager
def disk_errors_as_problems(what: str, remedy: str) -> Iterator[None]:
    """Raise Problem in place of an error of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise Problem(f"{what} cannot be written or read: {error}.", remedy, Exit.USAGE) from error
