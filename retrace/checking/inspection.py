"""Reads and judges what belongs together, and reads it again if it differs, because events come in meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from chalicelib.core.pagination import chunks
from chalicelib.core.timestamps import Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.claims import Marker
from retrace.checking.differences import Difference, between
from retrace.checking.judging import Group, Judge, Rules
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import Damage, Damages, ReadObject, damaged_line
from retrace.checking.restoring import is_restored
from retrace.checking.stores import Key, Row, Stores, place, place_of
from retrace.concurrency import in_order

EVENTS_A_READ = 1_000
_OBJECTS_KEPT = 32


class Inspection:
    """Judges events against what is stored now."""

    def __init__(self, stores: Stores, rules: Rules) -> None:
        self.stores = stores
        self._damages = Damages()
        self._judge = Judge(rules, self._damages)
        self._read_again = lru_cache(maxsize=_OBJECTS_KEPT)(stores.bucket.read)
        self._reported: set[Damage | str] = set()

    def of_object(self, found: ReadObject) -> Iterator[Difference]:
        """The differences within an object; rows that point at what is damaged are not reported as well."""
        self._damages.add(found)
        yield from found.differences()

    def of_lines(self, lines: Iterable[StoredEvent]) -> Iterator[Difference]:
        """Differences between sound raw lines and their rows."""
        for some in chunks(lines, EVENTS_A_READ):
            tables = self.stores.tables
            identities = {row["event_id"]: row for row in tables.identities(_each_once(line.event_id for line in some))}
            index = _by_id(tables.index_rows(_places_once(map(place_of, some))))
            by_id: dict[str, list[StoredEvent]] = defaultdict(list)
            for line in some:
                by_id[line.event_id].append(line)
            for event_id, own in by_id.items():
                yield from self.judged(
                    Group(event_id, tuple(own), tuple(index.get(event_id, ())), identities.get(event_id))
                )

    def of_index_rows(self, rows: Iterable[Row]) -> Iterator[Difference]:
        """Differences between index rows, their identities, and the raw lines that both point at."""
        for some in chunks(rows, EVENTS_A_READ):
            index = _by_id(some)
            identities = {row["event_id"]: row for row in self.stores.tables.identities(index)}
            lines: dict[str, list[StoredEvent]] = defaultdict(list)
            wanted = _each_once(str(row.get("s3_key")) for row in [*some, *identities.values()])
            for found in in_order(self.stores.bucket.read, wanted):
                if found is not None:
                    yield from self._once(found, index, lines)
            for row in some:
                yield from self._damages_at(row)
            for event_id, own in index.items():
                yield from self.judged(Group(event_id, tuple(lines[event_id]), tuple(own), identities.get(event_id)))

    def judged(self, group: Group) -> list[Difference]:
        """The differences of a group that are there still when it is read again."""
        return self._judge.differences(self.again(group)) if self._judge.differences(group) else []

    def superseded(self, group: Group, found_at: Instant, *, settle: bool) -> Iterator[Difference]:
        """Raw lines without row or marker, whose identity belongs to another line.

        If a rebuild chose between contents, an operator must settle that.
        """
        pointed_at = {(row.get("s3_key"), row.get("s3_offset")) for row in (*group.index, group.identity or {})}
        if all((line.location.key, line.location.offset) in pointed_at for line in group.unmarked):
            return
        now = self.again(group)
        for line, first in self._judge.superseded(now):
            lines = LineReference.of(line), LineReference.of(first)
            marker = Marker(group.event_id, *lines, found_at)
            if line.content_sha256 == first.content_sha256:
                yield between(Kind.LINE_SUPERSEDED, lines[1], line, "the same content", marker)
            elif settle or not is_restored(now.identity or {}):
                yield between(Kind.LINE_SUPERSEDED, lines[1], line, "other content", marker)
            else:
                yield between(Kind.CONTENT_UNDECIDED, lines[1], line, "a rebuild chose it, by age")

    def again(self, group: Group) -> Group:
        """A group with its rows as they are now, and every raw line that they point at."""
        tables = self.stores.tables
        identity = next(tables.identities([group.event_id]), None)
        places = [{"PK": row["PK"], "SK": row["SK"]} for row in group.index]
        places += map(place_of, group.lines)
        if identity is not None:
            places.append(_place_said(identity))
        index = tuple(tables.index_rows(_places_once(places)))
        rows = [*index, *([] if identity is None else [identity])]
        lines = {line.location: line for line in [*group.lines, *self._lines_at(group.event_id, rows)]}
        return replace(group, lines=tuple(lines.values()), index=index, identity=identity)

    def counted(self, group: Group) -> Sequence[StoredEvent | Mapping[str, Any]]:
        """What an aggregate can have counted of a group."""
        return self._judge.counted(group)

    def _once(
        self, found: ReadObject, wanted: Iterable[str], lines: dict[str, list[StoredEvent]]
    ) -> Iterator[Difference]:
        """Take the wanted lines of an object, and report what is wrong with the whole of it if that was not done."""
        self._damages.add(found)
        for line in found.lines:
            if line.event_id in wanted:
                lines[line.event_id].append(line)
        if found.key not in self._reported:
            self._reported.add(found.key)
            yield from replace(found, damages=()).differences()

    def _damages_at(self, row: Row) -> Iterator[Difference]:
        for damage in self._damages.at(row):
            if damage not in self._reported:
                self._reported.add(damage)
                yield damaged_line(damage)

    def _lines_at(self, event_id: str, rows: Iterable[Row]) -> Iterator[StoredEvent]:
        for key in _each_once(str(row.get("s3_key")) for row in rows):
            found = self._read_again(key)
            if found is not None:
                self._damages.add(found)
                yield from (line for line in found.lines if line.event_id == event_id)


def _place_said(row: Row) -> Key:
    return place(str(row.get("entity_id")), Instant(str(row.get("event_time"))), str(row.get("event_id")))


def _by_id(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Index rows by the event id of their sort key, which cannot be edited."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["SK"]).rpartition("#EID#")[2]].append(row)
    return dict(found)


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _places_once(places: Iterable[Key]) -> list[Key]:
    return list({(place["PK"], place["SK"]): place for place in places}.values())
