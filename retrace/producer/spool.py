"""The spool: events on disk, in SQLite's write-ahead log, from `send` until Retrace has decided about them."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from retrace.producer.encoding import Line, ProducerError, SpoolFull, SpoolInUse

FILE = "spool.sqlite"
_VERSION = 1
_ROW_BYTES = 32
"""What a row takes on disk beside its text, roughly."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the spool. `sent_at` is a time of the monotonic clock of the process that took it."""

    row_id: int
    sent_at: float
    line: Line

    @property
    def size(self) -> int:
        """What it counts for."""
        return len(self.line.text) + _ROW_BYTES


class Spool:
    """One database in a directory, which no other producer can open. It is not thread-safe."""

    def __init__(self, directory: Path, *, fsync: bool) -> None:
        self.directory = directory
        self._database = _opened(directory, fsync=fsync)
        counts = "SELECT COALESCE(MAX(id), 0), COUNT(*), COALESCE(SUM(LENGTH(text) + ?), 0) FROM event"
        last: int
        [(last, events, size)] = self._database.execute(counts, (_ROW_BYTES,))
        self.events: int = events
        self.bytes: int = size
        self.next_id = last + 1
        _OPEN.add(self)

    def append(self, line: Line, now: float) -> Row:
        """Store an event; once this returns, the process can crash. Raises SpoolFull if the disk is."""
        row = Row(self.next_id, now, line)
        try:
            self._database.execute(
                "INSERT INTO event VALUES (?, ?, ?, ?)", (row.row_id, now, line.cloudevent, line.text)
            )
        except sqlite3.OperationalError as error:
            raise SpoolFull(f"{self.directory} cannot be written: {error}. Make room on the disk.") from error
        except sqlite3.Error as error:
            raise _unusable(self.directory, error) from error
        self.next_id += 1
        self.events += 1
        self.bytes += row.size
        return row

    def rows_from(self, row_id: int, most_bytes: int) -> tuple[list[Row], Row | None]:
        """The next events of one form, at least one if there are any, and the event after them."""
        found: list[Row] = []
        size = 0
        selected = self._database.execute(
            "SELECT id, at, cloudevent, text FROM event WHERE id >= ? ORDER BY id", (row_id,)
        )
        for number, sent_at, cloudevent, text in selected:
            row = Row(number, sent_at, Line(text, bool(cloudevent)))
            size += row.size
            if found and (size > most_bytes or row.line.cloudevent != found[0].line.cloudevent):
                selected.close()
                return found, row
            found.append(row)
        return found, None

    def remove(self, rows: list[Row]) -> None:
        """Forget consecutive events, as Retrace has decided about each."""
        self._database.execute("DELETE FROM event WHERE id BETWEEN ? AND ?", (rows[0].row_id, rows[-1].row_id))
        self.events -= len(rows)
        self.bytes -= sum(row.size for row in rows)

    def close(self) -> None:
        """Close it. An empty one gives its room back."""
        if not self.events:
            with suppress(sqlite3.Error):
                self._database.execute("VACUUM")
        self._database.close()
        _OPEN.discard(self)

    def outlive_this_process(self) -> None:
        """In a forked child: never close what the parent uses, as closing checkpoints and deletes its log."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._database))


def _opened(directory: Path, *, fsync: bool) -> sqlite3.Connection:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # only the owner may read events
        database = sqlite3.connect(directory / FILE, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise ProducerError(
            f"The spool {directory} cannot be opened: {error}. Name a directory on a local disk."
        ) from error
    try:
        _prepare(database, fsync=fsync)
    except sqlite3.Error as error:
        database.close()
        raise _unusable(directory, error) from error
    return database


def _prepare(database: sqlite3.Connection, *, fsync: bool) -> None:
    database.execute("PRAGMA locking_mode = EXCLUSIVE")  # until the process ends, however it ends
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
    [version] = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"it is of version {version}, and this producer writes version {_VERSION}")
    database.execute(
        "CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, at REAL, cloudevent INTEGER, text BLOB)"
    )
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _unusable(directory: Path, error: sqlite3.Error) -> ProducerError:
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        remedy = "Close it first, or give each process a directory of its own."
        return SpoolInUse(f"The spool {directory} is in use by another producer. {remedy}")
    remedy = "Name another directory, and keep this one if its events matter."
    return ProducerError(f"The spool {directory} cannot be read: {error}. {remedy}")


_OPEN: WeakSet[Spool] = WeakSet()


def _outlive_parents() -> None:
    for spool in list(_OPEN):
        spool.outlive_this_process()


if sys.platform != "win32":  # which cannot fork
    os.register_at_fork(after_in_child=_outlive_parents)
