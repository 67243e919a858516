"""`retrace verify`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from chalicelib.aws import keys
from chalicelib.core.timestamps import Day
from retrace.checking.deployment import (
    IdentityTtl,
    LateAfter,
    Shards,
    refusals_in_words,
    row_settings,
    rules_of,
    stores_of,
)
from retrace.checking.differences import Difference
from retrace.checking.inspection import Inspection
from retrace.checking.raw_objects import RAW
from retrace.checking.report import shown
from retrace.checking.verification import Verification
from retrace.commands.verify_digests import verify_digests
from retrace.context import AsJson, calling
from retrace.output import Output
from retrace.problem import Exit
from retrace.progress import Counting


def verify(
    context: typer.Context,
    entity: Annotated[str | None, typer.Argument(help="An entity; then a day.")] = None,
    day: Annotated[str | None, typer.Argument(help="A UTC day: today, yesterday, 3d, 2026-11-21.")] = None,
    replay: Annotated[str | None, typer.Option("--replay", "-r", help="Every aggregate of this replay.")] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", "-p", help="Raw objects whose keys begin so, such as raw/source=shop/.")
    ] = None,
    digests: Annotated[
        bool,
        typer.Option("--digests", help="Check signed digests, and compare objects with them; --prefix: only some."),
    ] = False,
    public_key: Annotated[
        list[Path] | None,
        typer.Option("--public-key", help="With --digests: what they are checked with; else KMS is asked. Repeatable."),
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
    """Compute hashes, ids and aggregates again from the raw bytes, and say what differs. Exits with 1 if anything does.

    retrace verify order-1007 yesterday
    retrace verify --replay 019aa2c4-8f6e-7cc2-a1f3-5d4b1c7f2a10
    retrace verify --prefix raw/source=shop%2Fcheckout/event_date=2026-11-21/
    retrace verify --digests --public-key digests.pem

    It reads S3 and DynamoDB with your own rights. A day costs one GET for each of its objects; --replay also a Scan
    of the table of aggregates, the only way to find all versions of a replay that holds whatever else is damaged.
    --digests costs one GET for each object below --prefix, and looks at nothing in the tables.
    """
    call, output = calling(context), Output(as_json=as_json)
    named = [entity is not None or day is not None, replay is not None, prefix is not None and not digests, digests]
    if named.count(True) != 1:
        raise typer.BadParameter("name one thing to verify: ENTITY DAY, --replay, --prefix or --digests")
    if not digests and (public_key or directory is not None):
        raise typer.BadParameter("--public-key and --directory go with --digests")
    if not digests and replay is None and prefix is None and (entity is None or day is None):
        raise typer.BadParameter("an entity goes with a day: retrace verify ENTITY DAY")
    below = keys.LISTED if digests else (RAW,)
    if prefix is not None and not prefix.startswith(below):
        what = "digests list only objects" if digests else "raw objects are only"
        raise typer.BadParameter(f"{what} below {' and '.join(below)}", param_hint="--prefix")
    if digests:
        verify_digests(call, output, keys.LISTED if prefix is None else [prefix], public_key or [], directory)
        return
    day = call.day(day, "DAY")
    with refusals_in_words(), Counting(output.notes, "Verifying") as progress:
        settings = row_settings(call, shards, late_after_s, identity_ttl_days)
        inspection = Inspection(stores_of(call), rules_of(call, settings))
        verification = Verification(inspection, progress)
        found = _differences(verification, entity, day, replay, prefix)
        kinds = shown(output, progress, ((difference, "") for difference in found), "Nothing differs.")
    output.note(f"Verified: {progress}.")
    if not progress.counts.total():
        output.note("There is nothing there to verify. `retrace events` shows what there is of an entity.")
    for version in verification.being_computed:
        output.note(f"{version.entity_id} {version.day} of {version.replay_id} is being computed; verify it later.")
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
