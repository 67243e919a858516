"""Turns errors of SQLite about a disk into problems that the user can solve."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from retrace.problem import Exit, Problem


@contextmanager
def disk_in_words(what: str, remedy: str) -> Iterator[None]:
    """Raise Problem in place of an error of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise Problem(f"{what} cannot be written or read: {error}.", remedy, Exit.USAGE) from error
