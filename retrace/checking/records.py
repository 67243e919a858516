"""Sorts what is read of many events by their ids on disk, so that memory stays small."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from enum import IntEnum
from itertools import groupby
from typing import Any

from chalicelib.aws import keys
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from retrace.checking.judging import Group
from retrace.databases import execute_many, temporary_database

Record = tuple[str, int, str]


class _Of(IntEnum):
    """What a record is of."""

    LINE = 0
    INDEX = 1
    IDENTITY = 2


class Records:
    """Records of raw lines and rows in a temporary database that vanishes with the process."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute("CREATE TABLE record (event_id TEXT, kind INTEGER, said TEXT)")
        self._database.execute("CREATE TABLE marker (key TEXT PRIMARY KEY)")

    def add_lines(self, lines: Iterable[StoredEvent]) -> None:
        """Take sound raw lines in."""
        self._add((line.event_id, _Of.LINE, json.dumps(asdict(line))) for line in lines)

    def add_index(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take index rows in, by the event id of their sort key, which cannot be edited."""
        self._add((row["SK"].rpartition("#EID#")[2], _Of.INDEX, json.dumps(row, default=repr)) for row in rows)

    def add_identities(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take identity rows in."""
        self._add((row["event_id"], _Of.IDENTITY, json.dumps(row, default=repr)) for row in rows)

    def add_markers(self, marker_keys: Iterable[str]) -> None:
        """Take in the keys of markers, each of which tells its line."""
        self._database.executemany("INSERT OR IGNORE INTO marker VALUES (?)", ((key,) for key in marker_keys))

    def groups(self) -> Iterator[Group]:
        """Everything that was taken in, by event id."""
        query = "SELECT event_id, kind, said FROM record ORDER BY event_id, kind"
        with closing(self._database.execute(query)) as records:
            for event_id, of_event in groupby(records, key=lambda record: str(record[0])):
                group = _group(event_id, of_event)
                yield replace(group, marked=frozenset(self._marked(group.lines)))

    def _marked(self, lines: Iterable[StoredEvent]) -> Iterator[RawLocation]:
        for line in lines:
            key = keys.superseded(line.location.key, line.location.offset)
            if self._database.execute("SELECT 1 FROM marker WHERE key = ?", (key,)).fetchone():
                yield line.location

    def close(self) -> None:
        """Delete it."""
        self._database.close()

    def _add(self, records: Iterable[Record]) -> None:
        execute_many(self._database, "INSERT INTO record VALUES (?, ?, ?)", records)


def _group(event_id: str, records: Iterable[Record]) -> Group:
    said: dict[int, list[Any]] = {kind: [] for kind in _Of}
    for _, kind, text in records:
        said[kind].append(json.loads(text))
    return Group(
        event_id,
        lines=tuple(map(line_of_json, said[_Of.LINE])),
        index=tuple(said[_Of.INDEX]),
        identity=next(iter(said[_Of.IDENTITY]), None),
    )


def line_of_json(said: dict[str, Any]) -> StoredEvent:
    """A line whose members were kept as JSON."""
    return StoredEvent(**{**said, "location": RawLocation(**said["location"])})
