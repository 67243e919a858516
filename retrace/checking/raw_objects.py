"""Reads raw objects back: finds sound lines, and checks the bytes against the name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import day_of
from chalicelib.events.event import Event
from chalicelib.events.raw_objects import (
    RawLocation,
    StoredEvent,
    line_of,
    name_of,
    parse_line,
    stored_event,
    verify,
)
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind

RAW = keys.RAW
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z", re.ASCII)
_KEY = re.compile(r"raw/source=[^/]+/event_date=[\d-]{10}/ingest_date=[\d-]{10}/([0-9a-f]{64})\.ndjson", re.ASCII)


@dataclass(frozen=True, slots=True)
class Damage:
    """A range of an object that is not a sound line, and the event that it says it is, if it says one."""

    key: str
    offset: int
    length: int
    why: str
    event_id: str | None = None

    def covers(self, offset: int, length: int) -> bool:
        """Whether a range of the same object overlaps it."""
        return offset < self.offset + self.length and self.offset < offset + length


@dataclass(frozen=True, slots=True)
class ReadObject:
    """A raw object: its sound lines, what is damaged, and what is wrong with the whole of it."""

    key: str
    lines: tuple[StoredEvent, ...]
    damages: tuple[Damage, ...]
    whole: Kind | None

    def differences(self) -> Iterable[Difference]:
        """What differs within the object itself."""
        if self.whole is not None:
            yield Difference(self.whole, s3_key=self.key)
        for damage in self.damages:
            yield damaged_line(damage)


def damaged_line(damage: Damage) -> Difference:
    """The difference that a damage is."""
    return Difference(
        Kind.LINE_CHANGED, event_id=damage.event_id, s3_key=damage.key, s3_offset=damage.offset, detail=damage.why
    )


class Damages:
    """Damages by place, so that rows that point at one are not reported as well."""

    def __init__(self) -> None:
        self._by_key: dict[str, set[Damage]] = defaultdict(set)
        self._changed: set[str] = set()

    def add(self, found: ReadObject) -> None:
        """Remember what is damaged in an object."""
        for damage in found.damages:
            self._by_key[damage.key].add(damage)
        if found.damages or found.whole is Kind.OBJECT_CHANGED:
            self._changed.add(found.key)

    def moved(self, row: Mapping[str, Any], line: StoredEvent) -> bool:
        """Whether a line stands elsewhere than a row says only because its object was changed, which is told once."""
        return line.location.key == row.get("s3_key") and line.location.key in self._changed

    def at(self, row: Mapping[str, Any]) -> list[Damage]:
        """The damages that a row points at."""
        offset, length = row.get("s3_offset"), row.get("s3_length")
        if not isinstance(offset, int) or not isinstance(length, int):
            return []
        return [damage for damage in self._by_key.get(str(row.get("s3_key")), ()) if damage.covers(offset, length)]


def read_object(bucket: str, key: str, content: bytes) -> ReadObject:
    """Check every line of an object, and the object as a whole if no line is damaged."""
    match = _KEY.fullmatch(key)
    if match is None:
        return ReadObject(key, (), (), Kind.FOREIGN_OBJECT)
    lines: list[StoredEvent] = []
    events: list[Event] = []
    damages: list[Damage] = []
    offset = 0
    for line in _lines_of(content):
        location = RawLocation(bucket, key, offset, len(line))
        try:
            event, stored = _sound(line, location, match[1])
        except IntegrityFailure as error:
            damages.append(Damage(key, offset, len(line), str(error), _claimed_id(line)))
        else:
            events.append(event)
            lines.append(stored)
        offset += len(line) + 1
    whole = bool(events) and content.endswith(b"\n") and name_of(events) == match[1]
    return ReadObject(key, tuple(lines), tuple(damages), None if damages or whole else Kind.OBJECT_CHANGED)


def _lines_of(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _sound(line: bytes, location: RawLocation, name: str) -> tuple[Event, StoredEvent]:
    """The event of a line; raises IntegrityFailure unless it is, to the byte, the line of that event in that place."""
    said = parse_line(line)
    if _INSTANT.fullmatch(str(said.ingest_time)) is None:
        raise IntegrityFailure("The line has no time of ingest.")
    event = verify(said)
    if line_of(event, said.receipt) != line:
        raise IntegrityFailure("The line says the same in other bytes than Retrace writes.")
    stored = stored_event(event, said.receipt, location)
    if keys.raw_object(event.source, day_of(stored.event_time), day_of(said.ingest_time), name) != location.key:
        raise IntegrityFailure("The line is stored under another source or day than its own.")
    return event, stored


def _claimed_id(line: bytes) -> str | None:
    try:
        return str(parse_line(line).event_id)
    except IntegrityFailure:
        return None
