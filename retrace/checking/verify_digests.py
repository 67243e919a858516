"""`retrace verify --digests`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import typer

from chalicelib.domain.timestamps import instant_of
from retrace.calling import Calling
from retrace.checking.deployment import refusals_in_words
from retrace.checking.digest_chain import DigestChain
from retrace.checking.digest_key import public_keys
from retrace.checking.digest_source import BucketOfDigests, DigestSource, DirectoryOfDigests
from retrace.checking.digest_verification import DigestVerification
from retrace.checking.listed import Listed
from retrace.checking.object_versions import VersionsInBucket
from retrace.checking.progress import Progress
from retrace.checking.report import shown
from retrace.checking.succession import Succession
from retrace.problem import Exit, Problem
from retrace.shown import Output


def verify_digests(
    call: Calling, output: Output, prefix: str, key_files: Sequence[Path], directory: Path | None
) -> None:
    """Check every digest, and what lies below a prefix against them; exits with 1 if anything differs."""
    with refusals_in_words(), Progress(output, "Verifying") as progress, closing(Listed()) as listed:
        keys = public_keys(call, output, key_files)
        s3, bucket = call.target.client("s3"), call.target.stored_in("raw_bucket")
        source: DigestSource = BucketOfDigests(s3, bucket) if directory is None else DirectoryOfDigests(directory)
        signers = Succession(keys)
        chain = DigestChain(source, signers, bucket, listed, progress)
        verification = DigestVerification(chain, VersionsInBucket(s3, bucket), progress)
        found = verification.differences(prefix, instant_of(call.clock()))
        kinds = shown(output, progress, ((difference, "") for difference in found), "Nothing differs.")
    output.note(f"Verified: {progress}.")
    for key in signers.unused if key_files else ():
        output.note(f"No digest is signed with the key in {key_files[key]}.")
    if not progress.counts["digests"]:
        remedy = (
            "Where they are enabled (EnableDigests: docs/operations.md) the first comes within an hour."
            " If there were some, somebody has removed them."
        )
        raise Problem("There are no digests, so nothing can be said of any object.", remedy)
    if kinds:
        raise typer.Exit(Exit.DIFFERENT)
