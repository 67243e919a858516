"""`retrace check verify`: computes stored data again from the raw bytes, or checks it against signed digests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.aws import keys
from chalicelib.core.calendars import UTC, time_zones
from chalicelib.core.timestamps import Day, instant_of
from retrace.checking.deployment import IdentityTtl, LateAfter, Shards, row_settings, rules_of, stores_of
from retrace.checking.differences import Difference
from retrace.checking.digest_chain import DigestChain, Listed
from retrace.checking.digest_keys import Succession, public_keys
from retrace.checking.digest_sources import (
    BucketOfDigests,
    CopiedObjects,
    DigestSource,
    DirectoryOfDigests,
    VersionsInBucket,
)
from retrace.checking.digest_verification import DigestVerification, Versions
from retrace.checking.inspection import Inspection
from retrace.checking.listing import nothing_below
from retrace.checking.measured_inputs import PinnedMetrics
from retrace.checking.raw_objects import RAW
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.checking.stores import RawBucket
from retrace.checking.verification import Verification
from retrace.client import Client
from retrace.commands.aggregates import OfCalendar
from retrace.context import AsJson, CommandContext, command_context
from retrace.known_names import near_names, nothing_of_day
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting
from retrace.replay_table import whole_replay_id
from retrace.target_resolution import Chosen


def verify(
    context: typer.Context,
    entity: Annotated[str | None, typer.Argument(help="An entity, followed by a day.")] = None,
    day: Annotated[str | None, typer.Argument(help="A day: today, yesterday, 3d, 2026-11-21.")] = None,
    calendar: OfCalendar = None,
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
    --digests costs one GET for each object below --prefix, and reads no table. It takes 400 bytes of temporary disk
    (TMPDIR) for each listed object.
    """
    call, output = command_context(context), Output(as_json=as_json)
    _require_one_thing(entity, day, replay, prefix, digests=digests)
    _require_calendar(calendar, day)
    _require_prefix(
        prefix, keys.LISTED if digests else (RAW,), "digests list only objects" if digests else "raw objects are only"
    )
    if digests:
        verify_digests(call, output, keys.LISTED if prefix is None else [prefix], public_key or [], directory)
        return
    if public_key or directory is not None:
        raise typer.BadParameter("--public-key and --directory go with --digests")
    replay_id = None if replay is None else whole_replay_id(call.client, replay)
    asked = _Asked(entity or "", Day(call.day(day, "DAY") or ""), calendar or UTC, replay_id, prefix)
    with aws_errors_as_problems(), Counting(output.notes, "Verifying") as progress:
        settings = row_settings(call, shards, late_after_s, identity_ttl_days)
        inspection = Inspection(stores_of(call), rules_of(call, settings))
        verification = Verification(inspection, progress, _pinned(call))
        found = ((each, "") for each in asked.differences(verification))
        kinds = report_differences(output, progress, found, "Nothing differs.")
    notes = [*verification.notes(), *(() if progress.counts["aggregates"] else asked.elsewhere(verification))]
    if not (progress.counts.total() or kinds or notes):
        asked.require_anything(call.client, inspection.stores.bucket)
    for note in (f"Verified: {progress}.", *notes):
        output.note(note)
    if kinds or verification.lost:
        raise typer.Exit(Exit.DIFFERENT)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be verified: what a replay computed, raw objects below a prefix, or else an entity's day."""

    entity: str
    day: Day
    calendar: str
    replay_id: str | None
    prefix: str | None

    @property
    def is_day(self) -> bool:
        """Whether it is an entity's day."""
        return self.replay_id is None and self.prefix is None

    def differences(self, verification: Verification) -> Iterator[Difference]:
        """All that differs from what the raw bytes say."""
        if self.replay_id is not None:
            return verification.of_replay(self.replay_id)
        if self.prefix is not None:
            return verification.of_prefix(self.prefix)
        return verification.of_day(self.entity, self.day, self.calendar)

    def elsewhere(self, verification: Verification) -> Iterator[str]:
        """How to verify the day in other calendars in which it has versions, as it has none in this one."""
        if not self.is_day:
            return
        with aws_errors_as_problems():
            calendars = verification.calendars_with(self.entity, self.day)
        for other in calendars:
            option = "" if other == UTC else f" --calendar {other}"
            command = f"retrace check verify {shlex.quote(self.entity)} {self.day}{option}"
            yield f"The day has versions in the calendar {other}. Verify them: {command}"

    def require_anything(self, client: Client, bucket: RawBucket) -> None:
        """Raise Problem, as nothing was found to verify; a replay may have computed nothing."""
        if self.prefix is not None:
            raise nothing_below(bucket, self.prefix)
        if self.is_day:
            raise nothing_of_day(client, self.entity, self.day)


def _require_one_thing(
    entity: str | None, day: str | None, replay: str | None, prefix: str | None, *, digests: bool
) -> None:
    of_day = entity is not None or day is not None
    if [of_day, replay is not None, prefix is not None and not digests, digests].count(True) != 1:
        raise typer.BadParameter("name one thing to verify: ENTITY DAY, --replay, --prefix or --digests")
    if of_day and (entity is None or day is None):
        raise typer.BadParameter("an entity goes with a day: retrace check verify ENTITY DAY")


def _require_prefix(prefix: str | None, below: tuple[str, ...], what: str) -> None:
    if prefix is not None and not prefix.startswith(below):
        raise typer.BadParameter(f"{what} below {' and '.join(below)}", param_hint="--prefix")


def _pinned(call: CommandContext) -> PinnedMetrics:
    def replays_table(required: bool) -> str | None:  # only called here
        name = "replays_table"
        return call.target.stored_in(name) if required else call.target.known(name)

    return PinnedMetrics(call.target.client("dynamodb"), replays_table)


def _require_calendar(calendar: str | None, day: str | None) -> None:
    if calendar is None:
        return
    if day is None:
        raise typer.BadParameter("goes with ENTITY DAY", param_hint="--calendar")
    if calendar not in time_zones():
        near = near_names(calendar, time_zones())
        raise typer.BadParameter(f"{calendar} is not a time zone. {near}", param_hint="--calendar")


def verify_digests(
    call: CommandContext, output: Output, prefixes: Sequence[str], key_files: Sequence[Path], directory: Path | None
) -> None:
    """Check every digest, and what lies below some prefixes against them; exits with 1 if anything differs."""
    with aws_errors_as_problems(), Counting(output.notes, "Verifying") as progress, closing(Listed()) as listed:
        keys = public_keys(call, output, key_files)
        source, bucket, objects = _places(call, output, directory)
        signers = Succession(keys)
        chain = DigestChain(source, signers, bucket, listed, progress)
        found = DigestVerification(chain, objects, progress).differences(prefixes, instant_of(call.clock()))
        kinds = report_differences(output, progress, ((difference, "") for difference in found), "Nothing differs.")
    output.note(f"Verified: {progress}.")
    for key in signers.unused if key_files else ():
        output.note(f"No digest is signed with the key in {key_files[key]}.")
    if not progress.counts["digests"]:
        remedy = "Wait an hour for the first. If none comes, run `retrace doctor` to see whether digests are enabled."
        if directory is not None:
            remedy = f"Copy digests/ of the bucket into {directory}, too: aws s3 sync"
        raise Problem("There are no digests yet, so no object can be verified.", remedy, Exit.NOT_FOUND)
    if kinds:
        raise typer.Exit(Exit.DIFFERENT)


_Places = tuple[DigestSource, str | None, Versions | None]


def _places(call: CommandContext, output: Output, directory: Path | None) -> _Places:
    """Where digests are read, what their bucket is called if that is known, and where its objects are if anywhere."""
    if directory is None:
        s3, bucket = _bucket(call)
        return BucketOfDigests(s3, bucket), bucket, VersionsInBucket(s3, bucket)
    copy, objects = DirectoryOfDigests(directory), CopiedObjects(directory)
    if objects.are_there:
        output.note(f"Objects are read from {directory}, which has one version of each.")
        return copy, None, objects
    try:
        s3, bucket = _bucket(call)
    except Problem as problem:
        if call.chosen != Chosen() or problem.exit_code != Exit.UNREACHABLE:
            raise  # who names a target means it
        output.note(f"Objects are not checked: {problem.what} Only the digests themselves are verified.")
        return copy, None, None
    return copy, bucket, VersionsInBucket(s3, bucket)


def _bucket(call: CommandContext) -> tuple[Any, str]:
    """A client and the raw bucket; raises Problem if nothing says which, or there are no credentials."""
    _ = call.target.credentials  # else the lack of them is told by the first call, when much is done
    return call.target.client("s3"), call.target.stored_in("raw_bucket")
