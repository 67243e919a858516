"""An entity's day, a replay, or what lies below a prefix, computed again from raw bytes and held against the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chalicelib.aggregates.aggregate import Input, InputKey, Version
from chalicelib.aws import keys
from chalicelib.core.timestamps import Day, day_of
from chalicelib.events.raw_objects import StoredEvent
from retrace.checking.differences import Difference
from retrace.checking.inspection import EVENTS_A_READ, Inspection
from retrace.checking.judging import Group
from retrace.checking.kinds import Kind
from retrace.checking.stores import Row
from retrace.checking.versions import check_version, input_of, key_of_input
from retrace.problem import Problem
from retrace.progress import Counting

_READS = 5
_DOUBTFUL = frozenset({Kind.INPUT_DIFFERS, Kind.INPUT_UNKNOWN})


@dataclass
class Verification:
    """Goes through events and aggregates; answers differences as they are found, each once."""

    inspection: Inspection
    progress: Counting
    being_computed: list[Version] = field(default_factory=list)
    _seen: set[Difference] = field(default_factory=set)

    def of_day(self, entity_id: str, day: Day) -> Iterator[Difference]:
        """An entity's day: its index rows, identities and raw lines, and every version of its aggregate."""
        tables = self.inspection.stores.tables
        rows = list(tables.index_rows_of_day(entity_id, day))
        self.progress.add(events=len(rows))
        yield from self._once(self.inspection.of_index_rows(rows))
        known = _known(rows)
        for version in tables.versions(entity_id, day):
            yield from self._once(self._of_version(version, known))

    def of_replay(self, replay_id: str) -> Iterator[Difference]:
        """Every version that a replay computed, and the events that went into each."""
        tables = self.inspection.stores.tables
        versions = {version for page in tables.versions_of_replay(replay_id) for version in page}
        if not versions:
            remedy = "Is it the id of a replay, and was anything of it processed? GET /replay/{replay_id} tells."
            raise Problem(f"There is no aggregate of a replay {replay_id}.", remedy)
        for version in sorted(versions, key=lambda version: (version.entity_id, version.day)):
            rows = list(tables.index_rows_of_day(version.entity_id, version.day))
            counted = {key_of_input(entry) for entry in tables.entries(version)}
            own = [row for row in rows if key_of_input(row) in counted]
            self.progress.add(events=len(own))
            yield from self._once(self.inspection.of_index_rows(own))
            yield from self._once(self._of_version(version, _known(rows)))

    def of_prefix(self, prefix: str) -> Iterator[Difference]:
        """Every raw object below a prefix, the rows of its lines, and the aggregates of the days that they touch."""
        days: set[tuple[str, Day]] = set()
        lines: list[StoredEvent] = []
        for found in self.inspection.stores.bucket.objects(prefix):
            self.progress.add(objects=1, events=len(found.lines))
            yield from self.inspection.of_object(found)
            days |= {(line.entity_id, day_of(line.event_time)) for line in found.lines}
            lines += found.lines
            if len(lines) >= EVENTS_A_READ:
                yield from self._once(self.inspection.of_lines(lines))
                lines = []
        yield from self._once(self.inspection.of_lines(lines))
        for entity_id, day in sorted(days):
            yield from self._once(self._of_versions(entity_id, day))

    def _of_versions(self, entity_id: str, day: Day) -> Iterator[Difference]:
        tables = self.inspection.stores.tables
        versions = tables.versions(entity_id, day)
        known = _known(tables.index_rows_of_day(entity_id, day)) if versions else {}
        for version in versions:
            yield from self._of_version(version, known)

    def _of_version(self, version: Version, known: dict[InputKey, Input]) -> Iterator[Difference]:
        """What differs in a version. What the index knows otherwise, or not at all, is looked up in the raw lines."""
        read = self._read(version)
        if read is None:
            self.being_computed.append(version)
            return
        self.progress.add(aggregates=1)
        row, entries = read
        doubted = [each for each in check_version(version, row, entries, known) if each.kind in _DOUBTFUL]
        for difference in doubted:
            yield from self._looked_up(difference, version, known)
        yield from check_version(version, row, entries, known)

    def _looked_up(
        self, difference: Difference, version: Version, known: dict[InputKey, Input]
    ) -> Iterator[Difference]:
        """Learn of an input from its raw line; what is wrong with its rows is the difference then."""
        row_key = {
            "PK": keys.entity(version.entity_id),
            "SK": f"TS#{difference.event_time}#EID#{difference.event_id}",
        }
        group = self.inspection.again(Group(str(difference.event_id), index=(row_key,)))
        for event in self.inspection.counted(group):
            said = input_of(event)
            known[said.key] = said
        yield from self.inspection.judged(group)

    def _read(self, version: Version) -> tuple[Row | None, list[Row]] | None:
        """A version and its messages as they were at one moment; None if it never stands still."""
        tables = self.inspection.stores.tables
        for _ in range(_READS):
            row = tables.version_row(version)
            entries = list(tables.entries(version))
            again = tables.version_row(version)
            if (row or {}).get("revision") == (again or {}).get("revision"):
                return again, entries
        return None

    def _once(self, differences: Iterable[Difference]) -> Iterator[Difference]:
        for difference in differences:
            if difference not in self._seen:
                self._seen.add(difference)
                yield difference


def _known(rows: Iterable[Row]) -> dict[InputKey, Input]:
    """What index rows say of events, by the time and id in their keys."""
    return {key_of_input(row): input_of(row) for row in rows}
