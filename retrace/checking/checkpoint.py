"""How far a rebuild is, in a file: which raw objects there are, when each was taken in, and which are done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from retrace.checking.contested import Contested
from retrace.problem import Exit, Problem

_AT_ONCE = 500
_APPLICATION_ID = 0x52545243
"""Marks the file as ours (https://www.sqlite.org/pragma.html#pragma_application_id): any other is left alone."""


class Checkpoint:
    """An SQLite database. Killed at any moment, it says at most too little: what is done twice is the same."""

    def __init__(self, path: Path, about: Mapping[str, object]) -> None:
        """Open the file, or begin a new one; raises Problem if it is of another rebuild, which `about` tells."""
        self.path = path
        try:
            with ExitStack() as unless_it_is_ours:
                self._database = unless_it_is_ours.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
                self.resumed = self._is_ours()
                self._begin(json.dumps(about, sort_keys=True))
                unless_it_is_ours.pop_all()
        except sqlite3.Error as error:
            remedy = "Name another file with --checkpoint."
            raise Problem(f"{path} cannot be used as a checkpoint: {error}", remedy, Exit.USAGE) from error

    def _begin(self, about: str) -> None:
        """Make the tables that are not there; raises Problem if they are of another rebuild."""
        self._database.executescript(
            f"PRAGMA application_id = {_APPLICATION_ID};"
            "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, said TEXT);"
            "CREATE TABLE IF NOT EXISTS object"
            " (key TEXT PRIMARY KEY, ingest_time TEXT, done INTEGER DEFAULT 0, damaged INTEGER DEFAULT 0);"
            "CREATE TABLE IF NOT EXISTS tally (name TEXT PRIMARY KEY, events INTEGER);"
            "CREATE INDEX IF NOT EXISTS todo ON object (done, ingest_time, key);"
        )
        self.contested = Contested(self._database)
        self._database.execute("INSERT OR IGNORE INTO about VALUES ('rebuild', ?)", (about,))
        if self._said("rebuild") != about:
            remedy = f"It is of {self._said('rebuild')}. Delete it to begin anew, or name another with --checkpoint."
            raise Problem(f"{self.path} is the checkpoint of another rebuild.", remedy, Exit.USAGE)

    def _is_ours(self) -> bool:
        """Whether the file was begun by a rebuild; raises Problem if it holds something else."""
        [application] = self._database.execute("PRAGMA application_id").fetchone()
        [tables] = self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION_ID:
            remedy = "Name another file with --checkpoint."
            raise Problem(f"{self.path} is a database of something else.", remedy, Exit.USAGE)
        return bool(tables)

    @property
    def listed(self) -> bool:
        """Whether every object is known."""
        return self._said("listed") is not None

    @property
    def listed_to(self) -> str:
        """The last key that is known."""
        found = self._database.execute("SELECT MAX(key) FROM object").fetchone()[0]
        return str(found or "")

    def add(self, objects: Iterable[tuple[str, str]]) -> None:
        """Take in keys, in their order, and the ingest time of each."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO object (key, ingest_time) VALUES (?, ?)", objects)
        self._database.execute("COMMIT")

    def end_listing(self) -> None:
        """Say that every object is known."""
        self._database.execute("INSERT OR IGNORE INTO about VALUES ('listed', 'yes')")

    @property
    def learnt(self) -> bool:
        """Whether every record and marker was read."""
        return self._said("learnt") is not None

    def end_learning(self) -> None:
        """Say that every record and marker was read."""
        self._database.execute("INSERT OR IGNORE INTO about VALUES ('learnt', 'yes')")

    def counts(self) -> tuple[int, int]:
        """How many objects there are, and how many of them are done."""
        objects, done = self._database.execute("SELECT COUNT(*), COALESCE(SUM(done), 0) FROM object").fetchone()
        return int(objects), int(done)

    def todo(self) -> Iterator[str]:
        """The keys of objects that are not done, in the order in which they were taken in."""
        ingest_time, key = "", ""
        while True:
            query = (
                "SELECT ingest_time, key FROM object WHERE done = 0 AND (ingest_time, key) > (?, ?)"
                " ORDER BY ingest_time, key LIMIT ?"
            )
            with closing(self._database.execute(query, (ingest_time, key, _AT_ONCE))) as found:
                some = found.fetchall()
            if not some:
                return
            yield from (str(row[1]) for row in some)
            ingest_time, key = some[-1]

    def done(self, some: Mapping[str, bool], events: Mapping[str, int]) -> None:
        """Say of objects that they are done, and whether they are damaged; and what became of their events."""
        self._database.execute("BEGIN")
        self._database.executemany(
            "UPDATE object SET done = 1, damaged = ? WHERE key = ?", [(damaged, key) for key, damaged in some.items()]
        )
        self._database.executemany(
            "INSERT INTO tally VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET events = events + excluded.events",
            events.items(),
        )
        self._database.execute("COMMIT")

    def damaged(self) -> list[str]:
        """The keys of objects that are done and were found damaged."""
        rows = self._database.execute("SELECT key FROM object WHERE damaged ORDER BY ingest_time, key").fetchall()
        return [str(row[0]) for row in rows]

    def tally(self) -> dict[str, int]:
        """What became of the events of the objects that are done."""
        return dict(self._database.execute("SELECT name, events FROM tally").fetchall())

    def close(self, *, finished: bool) -> None:
        """Close the file, and delete it if there is nothing left to do."""
        self._database.close()
        if finished:
            self.path.unlink(missing_ok=True)

    def _said(self, name: str) -> str | None:
        row = self._database.execute("SELECT said FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
