"""`retrace check audit`: compares bucket and index both ways, and writes missing rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Annotated

import typer

from chalicelib.aws.keys import SUPERSEDED
from chalicelib.core.timestamps import instant_of
from retrace.checking.deployment import IdentityTtl, LateAfter, Shards, row_settings, rules_of, stores_of
from retrace.checking.differences import Difference
from retrace.checking.inspection import Inspection
from retrace.checking.judging import Group
from retrace.checking.listing import nothing_below
from retrace.checking.raw_objects import RAW
from retrace.checking.records import Records
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.checking.restoring import Restore
from retrace.checking.safeguards import safeguards
from retrace.checkup import Level
from retrace.context import AsJson, CommandContext, command_context
from retrace.databases import disk_errors_as_problems
from retrace.output import Output
from retrace.problem import Exit
from retrace.progress import Counting

NOT_REPAIRED = "no"
REPAIRED = "done"
WOULD_BE_REPAIRED = "with --repair"


def audit(
    context: typer.Context,
    prefix: Annotated[
        str, typer.Option("--prefix", "-p", help="Only raw objects with this key prefix, and rows that point at them.")
    ] = RAW,
    repair: Annotated[
        bool,
        typer.Option("--repair/--dry-run", help="Write missing rows and markers instead of listing them."),
    ] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Also mark lines that a rebuild chose against. Review them first.")
    ] = False,
    shards: Shards = None,
    late_after_s: LateAfter = None,
    identity_ttl_days: IdentityTtl = None,
    as_json: AsJson = None,
) -> None:
    """Compare bucket, index and identities: raw without index, index without raw, identity without either.

    retrace check audit
    retrace check audit --prefix raw/source=shop%2Fcheckout/ --repair

    Exits with 1 if a difference was not repaired, or if the protection of a stack's bucket and tables differs from its
    deployment. --repair adds missing rows, as ingest writes them. It only reports a row without a raw line. For
    aggregates run `retrace check verify`.

    Of two raw lines of one identity only one has rows. --repair marks the other in the bucket, so that a rebuild knows
    which was acknowledged. Run it every night, because it needs the tables.

    It reads everything once, with your own rights: one GET for each raw object, and one Scan of the tables of events
    and identities, also with --prefix. Temporary disk (TMPDIR): about 2 KB for each event.
    """
    call, output = command_context(context), Output(as_json=as_json)
    if not prefix.startswith(RAW):
        raise typer.BadParameter(f"raw objects begin with {RAW}", param_hint="--prefix")
    with aws_errors_as_problems(), Counting(output.notes, "Auditing") as progress:
        stores = stores_of(call)
        settings = row_settings(call, shards, late_after_s, identity_ttl_days)
        inspection = Inspection(stores, rules_of(call, settings))
        superseded = partial(inspection.superseded, found_at=instant_of(call.clock()), settle=settle)
        found = _differences(inspection, progress, prefix, superseded)
        outcomes = _repaired(inspection, Restore(stores.tables, settings), found) if repair else map(_as_found, found)
        open_ones = [0]
        report_differences(output, progress, _counted(outcomes, open_ones), "Bucket, index and identities agree.")
    if prefix != RAW and not progress.counts.total():
        raise nothing_below(stores.bucket, prefix)
    output.note(f"Audited: {progress}.")
    if open_ones[0] + _unprotected(call, output):
        raise typer.Exit(Exit.DIFFERENT)


def _unprotected(call: CommandContext, output: Output) -> int:
    """How much of the protection is not as deployed: what agrees today can be deleted tomorrow."""
    findings = [each for each in safeguards(call.target) if each.level is not Level.OK]
    for each in findings:
        output.note(f"{each.check}: {each.said} {each.remedy}")
    return sum(each.level is Level.PROBLEM for each in findings)


_NO_ROOM = "Make room, or let TMPDIR name a directory with room: an event needs about 2 KB."


def _differences(
    inspection: Inspection, progress: Counting, prefix: str, superseded: Callable[[Group], Iterable[Difference]]
) -> Iterator[Difference]:
    """Rows are read before objects, so that whatever a row points at is there when objects are listed."""
    stores = inspection.stores
    with disk_errors_as_problems("Temporary files", _NO_ROOM), closing(Records()) as records:
        for rows in stores.tables.every_index_row(prefix):
            records.add_index(rows)
            progress.add(index_rows=len(rows))
        for rows in stores.tables.every_identity(prefix):
            records.add_identities(rows)
            progress.add(identities=len(rows))
        for found in stores.bucket.objects(prefix):
            records.add_lines(found.lines)
            progress.add(objects=1, raw_lines=len(found.lines))
            yield from inspection.of_object(found)
        for marker_keys in stores.bucket.keys(f"{SUPERSEDED}{prefix.removeprefix(RAW)}"):
            records.add_markers(marker_keys)
            progress.add(markers=len(marker_keys))
        for group in records.groups():
            yield from inspection.judged(group)
            yield from superseded(group)


def _as_found(difference: Difference) -> tuple[Difference, str]:
    return difference, WOULD_BE_REPAIRED if difference.repairable else NOT_REPAIRED


def _repaired(
    inspection: Inspection, restore: Restore, differences: Iterable[Difference]
) -> Iterator[tuple[Difference, str]]:
    """Write what each difference lacks, and see whether the difference is gone."""
    for difference in differences:
        if difference.marker is not None:
            inspection.stores.bucket.keep(difference.marker)
            yield difference, REPAIRED
            continue
        if difference.repair is None:
            yield difference, NOT_REPAIRED
            continue
        restore.write([difference.repair])
        group = Group(difference.repair.event_id, lines=(difference.repair,))
        left = {each.kind for each in inspection.judged(group)}
        yield difference, NOT_REPAIRED if difference.kind in left else REPAIRED


def _counted(outcomes: Iterable[tuple[Difference, str]], open_ones: list[int]) -> Iterator[tuple[Difference, str]]:
    for difference, becomes in outcomes:
        open_ones[0] += becomes != REPAIRED
        yield difference, becomes
