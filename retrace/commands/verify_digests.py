"""`retrace check verify --digests`: checks signed digests, and objects against them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from chalicelib.core.timestamps import instant_of
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
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.context import CommandContext
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting
from retrace.target_resolution import Chosen


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
