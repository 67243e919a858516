"""Reads what is stored, computes it again from the raw bytes, compares, and reports differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input, InputKey
from chalicelib.aws import keys
from chalicelib.core.timestamps import Day, Instant, day_of
from chalicelib.events.raw_objects import StoredEvent
from retrace.checking.deployment import IdentityTtl, LateAfter, Shards, row_settings, rules_of, stores_of
from retrace.checking.differences import Difference
from retrace.checking.inspection import EVENTS_A_READ, Inspection
from retrace.checking.judging import Group
from retrace.checking.kinds import Kind
from retrace.checking.near_prefixes import nothing_below
from retrace.checking.raw_objects import RAW
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.checking.stores import Row, place
from retrace.checking.versions import check_version, input_of, key_of_input
from retrace.commands.verify_digests import verify_digests
from retrace.context import AsJson, command_context
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting
from retrace.replay_table import whole_replay_id

_READS = 5
_DOUBTFUL = frozenset({Kind.INPUT_DIFFERS, Kind.INPUT_UNKNOWN})


def verify(
    context: typer.Context,
    entity: Annotated[str | None, typer.Argument(help="An entity, followed by a day.")] = None,
    day: Annotated[str | None, typer.Argument(help="A UTC day: today, yesterday, 3d, 2026-11-21.")] = None,
    replay: Annotated[str | None, typer.Option("--replay", "-r", help="Verify every aggregate of this replay.")] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", "-p", help="Raw objects with this key prefix, such as raw/source=shop/.")
    ] = None,
    digests: Annotated[
        bool,
        typer.Option("--digests", help="Check signed digests, and compare objects with them; --prefix: only some."),
    ] = False,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(
            "--public-key", help="With --digests: the public key to check them with. Default: from KMS. Repeatable."
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="With --digests: a copy of the bucket, or of its digests/."),
    ] = None,
    shards: Shards = None,
    late_after_s: LateAfter = None,
    identity_ttl_days: IdentityTtl = None,
    as_json: AsJson = None,
) -> None:
    """Recompute hashes, ids and aggregates from the raw bytes, and report differences. Exits with 1 if there are any.

    retrace check verify order-1007 yesterday
    retrace check verify --replay 019aa2c4-8f6e-7cc2-a1f3-5d4b1c7f2a10
    retrace check verify --prefix raw/source=shop%2Fcheckout/event_date=2026-11-21/
    retrace check verify --digests --public-key digests.pem

    It reads S3 and DynamoDB with your own rights. A day costs one GET for each of its objects; --replay also a Scan
    of the table of aggregates, which finds all versions of a replay even if other rows are damaged.
    --digests costs one GET for each object below --prefix, and reads no table.
    """
    call, output = command_context(context), Output(as_json=as_json)
    named = [entity is not None or day is not None, replay is not None, prefix is not None and not digests, digests]
    if named.count(True) != 1:
        raise typer.BadParameter("name one thing to verify: ENTITY DAY, --replay, --prefix or --digests")
    if not digests and (public_key or directory is not None):
        raise typer.BadParameter("--public-key and --directory go with --digests")
    if not digests and replay is None and prefix is None and (entity is None or day is None):
        raise typer.BadParameter("an entity goes with a day: retrace check verify ENTITY DAY")
    below = keys.LISTED if digests else (RAW,)
    if prefix is not None and not prefix.startswith(below):
        what = "digests list only objects" if digests else "raw objects are only"
        raise typer.BadParameter(f"{what} below {' and '.join(below)}", param_hint="--prefix")
    if digests:
        verify_digests(call, output, keys.LISTED if prefix is None else [prefix], public_key or [], directory)
        return
    day = call.day(day, "DAY")
    replay = None if replay is None else whole_replay_id(call.client, replay)
    with aws_errors_as_problems(), Counting(output.notes, "Verifying") as progress:
        settings = row_settings(call, shards, late_after_s, identity_ttl_days)
        inspection = Inspection(stores_of(call), rules_of(call, settings))
        verification = Verification(inspection, progress)
        found = ((each, "") for each in _differences(verification, entity, day, replay, prefix))
        kinds = report_differences(output, progress, found, "Nothing differs.")
    if prefix is not None and not progress.counts.total():
        bucket = inspection.stores.bucket
        raise nothing_below(bucket.s3, bucket.name, prefix)
    output.note(f"Verified: {progress}.")
    if not progress.counts.total():
        output.note("There is nothing to verify. Run `retrace events` to see an entity's events.")
    for version in verification.being_computed:
        output.note(f"{version.entity_id} {version.day} of {version.replay_id} is being computed. Verify it later.")
    if kinds:
        raise typer.Exit(Exit.DIFFERENT)


def _differences(
    verification: Verification, entity: str | None, day: str | None, replay: str | None, prefix: str | None
) -> Iterator[Difference]:
    if replay is not None:
        return verification.of_replay(replay)
    if prefix is not None:
        return verification.of_prefix(prefix)
    return verification.of_day(entity or "", Day(day or ""))


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
            remedy = f"Run `retrace replay get {replay_id}` to see whether any of it was processed."
            raise Problem(f"There is no aggregate of a replay {replay_id}.", remedy, Exit.NOT_FOUND)
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
        event_id = str(difference.event_id)
        row_key = place(version.entity_id, Instant(str(difference.event_time)), event_id)
        group = self.inspection.again(Group(event_id, index=(row_key,)))
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
