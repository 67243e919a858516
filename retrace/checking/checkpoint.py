"""The checkpoint of a rebuild: raw objects and which are done, and lines that claim the same identity."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from chalicelib.core.timestamps import Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.claims import Claim
from retrace.checking.differences import Difference, of_json
from retrace.checking.records import line_of_json
from retrace.databases import execute_many
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
            remedy = f"It is of {self._said('rebuild')}. Delete it to start over, or name another with --checkpoint."
            raise Problem(f"{self.path} is the checkpoint of another rebuild.", remedy, Exit.USAGE)

    def _is_ours(self) -> bool:
        """Whether the file was begun by a rebuild; raises Problem if it holds something else."""
        [application] = self._database.execute("PRAGMA application_id").fetchone()
        [tables] = self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION_ID:
            remedy = "Name another file with --checkpoint."
            raise Problem(f"{self.path} is not a Retrace checkpoint.", remedy, Exit.USAGE)
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
        execute_many(self._database, "INSERT OR IGNORE INTO object (key, ingest_time) VALUES (?, ?)", objects)

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


class Contested:
    """Claims, lines that lost by them, and differences that were found; what is added twice is there once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(
            "CREATE TABLE IF NOT EXISTS claim (event_id TEXT, told_by TEXT, told_at TEXT, s3_key TEXT,"
            " s3_offset INTEGER, content_sha256 TEXT, ingest_time TEXT, found INTEGER DEFAULT 0,"
            " PRIMARY KEY (event_id, told_by));"
            "CREATE TABLE IF NOT EXISTS withheld"
            " (event_id TEXT, told_by TEXT, ingest_time TEXT, s3_key TEXT, s3_offset INTEGER, line TEXT,"
            " PRIMARY KEY (event_id, told_by, ingest_time, s3_key, s3_offset));"
            "CREATE TABLE IF NOT EXISTS difference (said TEXT PRIMARY KEY);"
        )

    def learn(self, claims: Iterable[Claim]) -> None:
        """Take in claims."""
        execute_many(
            self._database,
            "INSERT OR IGNORE INTO claim (event_id, told_by, told_at, s3_key, s3_offset, content_sha256, ingest_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((each.event_id, each.told_by, each.told_at, *asdict(each.first).values()) for each in claims),
        )

    def claims(self, event_id: str) -> list[Claim]:
        """The claims about an identity."""
        query = (
            "SELECT s3_key, s3_offset, content_sha256, ingest_time, told_at, told_by FROM claim"
            " WHERE event_id = ? ORDER BY told_at, told_by"
        )
        rows = self._database.execute(query, (event_id,)).fetchall()
        return [Claim(event_id, LineReference(*row[:4]), Instant(row[4]), row[5]) for row in rows]

    def found(self, lines: Iterable[StoredEvent]) -> None:
        """Say of lines that they are there and sound."""
        execute_many(
            self._database,
            "UPDATE claim SET found = 1 WHERE event_id = ? AND s3_key = ? AND s3_offset = ?",
            ((each.event_id, each.location.key, each.location.offset) for each in lines),
        )

    def withhold(self, lost: Iterable[tuple[StoredEvent, Claim]]) -> None:
        """Remember lines that get no rows, and the claim by which they get none."""
        execute_many(
            self._database,
            "INSERT OR IGNORE INTO withheld VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    line.event_id,
                    claim.told_by,
                    line.ingest_time,
                    line.location.key,
                    line.location.offset,
                    json.dumps(asdict(line)),
                )
                for line, claim in lost
            ),
        )

    def without_first(self) -> Iterator[tuple[Claim, list[StoredEvent]]]:
        """By claim whose line was not found, the lines that lost by it, in the order in which they were taken in."""
        query = (
            "SELECT event_id, told_by, line FROM withheld JOIN claim USING (event_id, told_by) WHERE NOT found"
            " ORDER BY event_id, told_by, withheld.ingest_time, withheld.s3_key, withheld.s3_offset"
        )
        with closing(self._database.execute(query)) as rows:
            for (event_id, told_by), lost in groupby(rows, key=lambda row: (row[0], row[1])):
                [claim] = [each for each in self.claims(event_id) if each.told_by == told_by]
                yield claim, [line_of_json(json.loads(row[2])) for row in lost]

    def remember(self, differences: Iterable[Difference]) -> list[Difference]:
        """Remember differences, so that a rebuild that goes on tells them, too; answers those that are new."""
        statement = "INSERT OR IGNORE INTO difference VALUES (?)"
        return [each for each in differences if self._database.execute(statement, (json.dumps(asdict(each)),)).rowcount]

    def remembered(self) -> list[Difference]:
        """The differences that were found before."""
        rows = self._database.execute("SELECT said FROM difference ORDER BY rowid").fetchall()
        return [of_json(json.loads(row[0])) for row in rows]
