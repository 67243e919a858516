"""Compares what is stored of a day, a replay or a prefix with the raw bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input, InputKey
from chalicelib.aggregates.ledger import Outcome
from chalicelib.core.calendars import UTC, window_in
from chalicelib.core.errors import NotFound
from chalicelib.core.timestamps import Day, Instant, day_of, window_of
from chalicelib.events.raw_objects import StoredEvent
from retrace.checking.differences import Difference
from retrace.checking.inspection import EVENTS_A_READ, Inspection
from retrace.checking.judging import Group
from retrace.checking.kinds import Kind
from retrace.checking.measured_inputs import MeasuredInputs, PinnedMetrics
from retrace.checking.stores import Row, place
from retrace.checking.totals import ALL_ENTITIES, by_day, check_total, day_of_total, versions_of
from retrace.checking.versions import check_values, check_version, input_of, key_of_input
from retrace.problem import Exit, Problem
from retrace.progress import Counting

_READS = 5
_DOUBTFUL = frozenset({Kind.INPUT_DIFFERS, Kind.INPUT_UNKNOWN})


@dataclass
class Verification:
    """Goes through events and aggregates; answers differences as they are found, each once."""

    inspection: Inspection
    progress: Counting
    pinned: PinnedMetrics
    being_computed: list[Version] = field(default_factory=list)
    lost: list[Version] = field(default_factory=list)
    _seen: set[Difference] = field(default_factory=set)

    def notes(self) -> Iterator[str]:
        """What could not be verified."""
        for version in self.being_computed:
            yield f"{version.entity_id} {version.day} of {version.replay_id} is being computed. Verify it later."
        for version in self.lost:
            yield f"{version.entity_id} {version.day} of {version.replay_id} has metrics whose definitions are lost."

    @cached_property
    def _measured(self) -> MeasuredInputs:
        return MeasuredInputs(self.inspection.stores.bucket)

    def of_day(self, entity_id: str, day: Day, calendar: str = UTC) -> Iterator[Difference]:
        """An entity's day: its index rows, identities and raw lines, and every version of its aggregate."""
        tables = self.inspection.stores.tables
        rows = list(tables.index_rows_of_day(entity_id, window_in(calendar, day)))
        self.progress.add(events=len(rows))
        yield from self._once(self.inspection.of_index_rows(rows))
        if calendar == UTC:
            yield from self._once(self._of_versions(entity_id, day))
            return
        for version in tables.versions(entity_id, day, calendar):
            yield from self._once(self._of_version(version, rows))

    def calendars_with(self, entity_id: str, day: Day) -> list[str]:
        """The calendars that have a version of an entity's day."""
        tables = self.inspection.stores.tables
        return [each for each in tables.calendars_of(entity_id) if tables.versions(entity_id, day, each)]

    def of_replay(self, replay_id: str) -> Iterator[Difference]:
        """Every version that a replay computed, and the events that went into each."""
        tables = self.inspection.stores.tables
        versions = {version for page in tables.versions_of_replay(replay_id) for version in page}
        if not versions:
            remedy = f"Run `retrace replay get {replay_id}` to see whether any of it was processed."
            raise Problem(f"There is no aggregate of a replay {replay_id}.", remedy, Exit.NOT_FOUND)
        for version in sorted(versions, key=lambda version: (version.entity_id, version.day, version.calendar)):
            rows = list(tables.index_rows_of_day(version.entity_id, version.window))
            counted = {key_of_input(entry) for entry in tables.entries(version)}
            own = [row for row in rows if key_of_input(row) in counted]
            self.progress.add(events=len(own))
            yield from self._once(self.inspection.of_index_rows(own))
            yield from self._once(self._of_version(version, rows))
        yield from self._once(self._of_totals(replay_id, versions))

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
        """The versions of a UTC day, and of each the same day in the other calendars that its replay computes."""
        tables = self.inspection.stores.tables
        versions = tables.versions(entity_id, day)
        rows = list(tables.index_rows_of_day(entity_id, window_of(day))) if versions else []
        for version in versions:
            yield from self._of_version(version, rows)
            for calendar in self.pinned.calendars(version.replay_id):
                if calendar != version.calendar:
                    other = replace(version, calendar=calendar)
                    yield from self._of_version(other, list(tables.index_rows_of_day(entity_id, other.window)))

    def _of_version(self, version: Version, rows: Sequence[Row]) -> Iterator[Difference]:
        """What differs in a version. What the index knows otherwise, or not at all, is looked up in the raw lines."""
        read = self._read(version)
        if read is None:
            self.being_computed.append(version)
            return
        row, entries = read
        if row is None and not any(entry.get("outcome") == Outcome.INPUT.value for entry in entries):
            return  # its messages are dead letters, or were sent to another destination
        try:
            shows_some = "m" in (row or {}) or any("c" in entry for entry in entries)
            definitions = self.pinned.of(version, shows_some=shows_some)
        except NotFound:
            self.lost.append(version)
            return
        self.progress.add(aggregates=1)
        known = self._measured.measured(_known(rows), rows, entries, definitions)
        doubted = [each for each in check_version(version, row, entries, known, definitions) if each.kind in _DOUBTFUL]
        for difference in doubted:
            yield from self._looked_up(difference, version, known)
        yield from check_version(version, row, entries, known, definitions)
        if any(each.kind.of_all for each in definitions):
            yield from check_values(version, self.inspection.stores.tables.values(version), entries, known, definitions)

    def _of_totals(self, replay_id: str, versions: Iterable[Version]) -> Iterator[Difference]:
        """What differs in totals of a replay. One that the replay has outgrown, or that is not whole, is not read."""
        tables, days = self.inspection.stores.tables, by_day(versions)
        for row in tables.totals(replay_id):
            of = day_of_total(replay_id, row)
            if of is None or "folded_to" in row or row.get("processed") != self.pinned.processed(replay_id):
                continue
            whole = Version(ALL_ENTITIES, of.day, replay_id, calendar=of.calendar)
            try:
                definitions = self.pinned.of(whole, shows_some=True)
            except NotFound:
                self.lost.append(whole)
                continue
            self.progress.add(totals=1)
            yield from check_total(of, row, versions_of(tables, days.get(of, ()), definitions), definitions)

    def _looked_up(
        self, difference: Difference, version: Version, known: dict[InputKey, Input]
    ) -> Iterator[Difference]:
        """Learn of an input from its raw line; what is wrong with its rows is the difference then."""
        event_id = str(difference.event_id)
        row_key = place(version.entity_id, Instant(str(difference.event_time)), event_id)
        group = self.inspection.again(Group(event_id, index=(row_key,)))
        for event in self.inspection.counted(group):
            said = input_of(event)
            contributed = known[said.key].contributed if said.key in known else {}
            known[said.key] = replace(said, contributed=contributed)
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
