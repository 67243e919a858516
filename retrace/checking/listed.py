"""What digests list, put in order of keys on disk, so that memory stays small however many objects there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

from chalicelib.core.timestamps import Instant
from chalicelib.digests.digest import WrittenObject


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version of an object as a digest lists it, and which digest that is."""

    found: WrittenObject
    sequence: int


class Listed:
    """A temporary database that vanishes with the process."""

    def __init__(self) -> None:
        # An empty name is a private database on disk, deleted when it is closed (https://www.sqlite.org/inmemorydb.html).
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA journal_mode = OFF")
        # Listed twice, by two digests, it is the same; with another hash it is something else.
        self._database.execute(
            "CREATE TABLE listed (s3_key TEXT, version_id TEXT, sha256 TEXT, size INTEGER, written_at TEXT,"
            " sequence INTEGER, UNIQUE (s3_key, version_id, sha256))"
        )

    def add(self, sequence: int, objects: Iterable[WrittenObject]) -> None:
        """Take in what a digest lists."""
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?, ?, ?)",
            ((each.s3_key, each.version_id, each.sha256, each.size, each.written_at, sequence) for each in objects),
        )
        self._database.execute("COMMIT")

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[ListedVersion]]]:
        """What is listed below a prefix, key by key, in the order in which S3 lists keys: that of their bytes."""
        query = (
            "SELECT s3_key, version_id, size, sha256, written_at, sequence FROM listed"
            " WHERE substr(s3_key, 1, ?) = ? ORDER BY s3_key, sequence, version_id"
        )
        with closing(self._database.execute(query, (len(prefix), prefix))) as rows:
            for key, of_key in groupby(rows, key=lambda row: str(row[0])):
                yield (
                    key,
                    [
                        ListedVersion(WrittenObject(key, version_id, size, sha256, Instant(written_at)), sequence)
                        for _, version_id, size, sha256, written_at, sequence in of_key
                    ],
                )

    def close(self) -> None:
        """Delete it."""
        self._database.close()
