"""What a rebuild has learnt of identities that several raw lines have, kept in its checkpoint."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import groupby

from chalicelib.core.timestamps import Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.claims import Claim
from retrace.checking.differences import Difference, of_json
from retrace.checking.spool import line_of_json


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
        self._many(
            "INSERT OR IGNORE INTO claim (event_id, told_by, told_at, s3_key, s3_offset, content_sha256, ingest_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((each.event_id, each.told_by, each.told_at, *asdict(each.first).values()) for each in claims),
        )

    def claims(self, event_id: str) -> list[Claim]:
        """What is told of an identity."""
        query = (
            "SELECT s3_key, s3_offset, content_sha256, ingest_time, told_at, told_by FROM claim"
            " WHERE event_id = ? ORDER BY told_at, told_by"
        )
        rows = self._database.execute(query, (event_id,)).fetchall()
        return [Claim(event_id, LineReference(*row[:4]), Instant(row[4]), row[5]) for row in rows]

    def found(self, lines: Iterable[StoredEvent]) -> None:
        """Say of lines that they are there and sound."""
        self._many(
            "UPDATE claim SET found = 1 WHERE event_id = ? AND s3_key = ? AND s3_offset = ?",
            ((each.event_id, each.location.key, each.location.offset) for each in lines),
        )

    def withhold(self, lost: Iterable[tuple[StoredEvent, Claim]]) -> None:
        """Remember lines that get no rows, and the claim by which they get none."""
        self._many(
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

    def tell(self, differences: Iterable[Difference]) -> list[Difference]:
        """Remember differences, so that a rebuild that goes on tells them, too; answers those that are new."""
        remember = "INSERT OR IGNORE INTO difference VALUES (?)"
        return [each for each in differences if self._database.execute(remember, (json.dumps(asdict(each)),)).rowcount]

    def told(self) -> list[Difference]:
        """The differences that were found before."""
        rows = self._database.execute("SELECT said FROM difference ORDER BY rowid").fetchall()
        return [of_json(json.loads(row[0])) for row in rows]

    def _many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")
