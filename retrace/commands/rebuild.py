"""`retrace check rebuild`: writes index and identities again from raw objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import sleep
from typing import Annotated

import typer

from chalicelib.aws.keys import METRICS
from chalicelib.metrics.dynamodb_definitions import DynamoDefinitions
from retrace.checking.checkpoint import Checkpoint
from retrace.checking.deployment import IdentityTtl, LateAfter, RowSettings, Shards, row_settings, stores_of
from retrace.checking.kinds import Kind
from retrace.checking.rebuilding import Rebuilding
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.checking.restoring import MetricRecords, Restore
from retrace.checking.stores import RawBucket, Stores
from retrace.context import AsJson, CommandContext, command_context
from retrace.databases import disk_errors_as_problems
from retrace.output import Output
from retrace.problem import Exit
from retrace.progress import Counting

CHECKPOINT = Path("retrace-rebuild.checkpoint")
_COUNTED = ("objects", "written", "present", "repeated", "conflicting")
_NOT_REBUILT = (
    "Not rebuilt: arrivals (duplicates and conflicts), which are in no raw object, and aggregates."
    " Run `retrace replay create` to compute those."
)


def rebuild(
    context: typer.Context,
    events_table: Annotated[
        str | None, typer.Option("--events-table", help="The table of events to write. Default: the deployment's.")
    ] = None,
    dedupe_table: Annotated[
        str | None, typer.Option("--dedupe-table", help="The table of identities to write. Default: the deployment's.")
    ] = None,
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", help="The file that records progress. It is deleted at the end.")
    ] = CHECKPOINT,
    shards: Shards = None,
    late_after_s: LateAfter = None,
    identity_ttl_days: IdentityTtl = None,
    as_json: AsJson = None,
) -> None:
    """Rebuild index and identities from the raw objects. The tables must exist. Existing rows are not changed.

    retrace check rebuild
    retrace check rebuild --events-table events-new --dedupe-table dedupe-new --shards 8

    Rows are those that ingest writes, each only if it does not exist. So you can rebuild while ingest runs, and stop at
    any time: the same command continues from its checkpoint. --shards and --late-after-s must be what
    the deployment has, or queries by type and of late arrivals find other events than before. --stack reads them.

    A crash or two simultaneous requests can leave two raw lines of one identity. If quarantine or a marker of
    `retrace check audit --repair` records which one had the rows, it gets them. Otherwise the one received first gets
    them, and the other is listed if its content differs. Damaged lines get no rows and are listed. Exits with 1 if
    anything is listed.

    Metrics that are missing get their definitions and names again from the records of their changes.

    It costs two GETs of each raw object, and a transaction for each 50 events.

    Not rebuilt: arrivals (duplicates and conflicts), which are in no raw object, and aggregates: replay for those.
    """
    call, output = command_context(context), Output(as_json=as_json)
    no_room = "Make room, then run the same command again. It continues from the checkpoint."
    with (
        aws_errors_as_problems(),
        disk_errors_as_problems(str(checkpoint), no_room),
        Counting(output.notes, "Rebuilding") as progress,
    ):
        stores = stores_of(call, events_table, dedupe_table)
        settings = row_settings(call, shards, late_after_s, identity_ttl_days)
        with _kept(checkpoint, stores, settings, output) as kept:
            rebuilding = Rebuilding(stores, kept, Restore(stores.tables, settings), progress)
            found = ((each, "") for each in rebuilding.run())
            kinds = report_differences(output, progress, found, "Every raw line is intact.")
            kinds |= _metrics(call, stores.bucket, output, progress)
    _report(output, progress.counts, kinds)
    if kinds:
        raise typer.Exit(Exit.DIFFERENT)


@contextmanager
def _kept(path: Path, stores: Stores, settings: RowSettings, output: Output) -> Iterator[Checkpoint]:
    """The checkpoint of a rebuild into these tables. It stays unless the rebuild comes to its end."""
    tables = {"events_table": stores.tables.events, "dedupe_table": stores.tables.dedupe}
    kept = Checkpoint(path, {"bucket": stores.bucket.name, **tables, **asdict(settings)})
    finished = False
    try:
        if kept.resumed:
            output.note(f"Continuing from {path}.")
        yield kept
        finished = True
    except KeyboardInterrupt:
        output.note(f"Stopped. The same command continues from {path}.")
        raise
    finally:
        kept.close(finished=finished)


def _metrics(call: CommandContext, bucket: RawBucket, output: Output, progress: Counting) -> Mapping[Kind, int]:
    """Write the metrics that are missing; the table of replays is needed only if there are records of some."""
    if not next(bucket.keys(METRICS), []):
        return {}
    records = MetricRecords(bucket)
    target = call.target
    catalogue = DynamoDefinitions(target.client("dynamodb"), target.stored_in("replays_table"), sleep)
    kinds = report_differences(
        output, progress, ((each, "") for each in records.restore(catalogue)), "Every record of a metric is intact."
    )
    output.say(f"{records.restored:,} metrics written.")
    return kinds


def _report(output: Output, counts: Counter[str], kinds: Mapping[Kind, int]) -> None:
    undecided = kinds.get(Kind.CONTENT_UNDECIDED, 0)
    if output.as_json:
        output.json({name: counts[name] for name in _COUNTED} | {"undecided": undecided})
    output.say(f"{counts['objects']:,} raw objects. Rows written of {counts['written']:,} events.")
    if counts["present"]:
        output.say(f"{counts['present']:,} events had their rows.")
    if counts["repeated"]:
        output.say(
            f"{counts['repeated']:,} raw lines have the identity of another line and got no rows"
            f" ({counts['conflicting']:,} with other content, of which {undecided:,} are undecided)."
        )
    output.note(_NOT_REBUILT)
