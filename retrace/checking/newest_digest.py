"""How old the newest digest is: what `retrace doctor` says of them."""

from __future__ import annotations

from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import keys
from chalicelib.core.timestamps import instant_of, lag_ms
from retrace.checking.digest_chain import LATE_MS
from retrace.checkup import PATIENCE, Finding, Level
from retrace.output import duration
from retrace.problem import Problem
from retrace.target import DIGEST_KEY, Target

_CHECK = "digests"
_RUNBOOK = "docs/runbook.md#digest-missing"


def newest_digest(target: Target, now: datetime) -> Finding:
    """Whether digests are written, and on time; their signatures are for `retrace verify --digests`."""
    try:
        bucket = target.known("raw_bucket")
        if bucket is None:
            remedy = "Give --stack, or write `stack` into the profile."
            return Finding(_CHECK, Level.WARNING, "Nothing says what the raw bucket is called.", remedy)
        written = _written(target, bucket)
        enabled = target.known(DIGEST_KEY) is not None
    except Problem as problem:
        return Finding(_CHECK, Level.WARNING, problem.what, problem.remedy)
    except (BotoCoreError, ClientError) as error:
        remedy = "It takes s3:ListBucket; the API works without."
        return Finding(_CHECK, Level.WARNING, f"They cannot be looked at: {error}", remedy)
    if written is None:
        said = "There are none yet; the first comes within an hour." if enabled else "There are none."
        return Finding(_CHECK, Level.WARNING, said, f"If none come: the parameter EnableDigests, and {_RUNBOOK}")
    age = lag_ms(instant_of(written[1]), instant_of(now))
    said = f"The newest, {written[0]}, was written {duration(max(age, 0))} ago."
    if age > LATE_MS:
        return Finding(_CHECK, Level.PROBLEM, f"{said} They are disabled or delayed.", _RUNBOOK)
    return Finding(_CHECK, Level.OK, said)


def _written(target: Target, bucket: str) -> tuple[int, datetime] | None:
    """The sequence of the newest digest, and when S3 says that it was written."""
    s3 = target.client("s3", PATIENCE)
    pages = s3.get_paginator("list_objects_v2")
    folders = [
        found["Prefix"]
        for page in pages.paginate(Bucket=bucket, Prefix=keys.DIGESTS, Delimiter="/")
        for found in page.get("CommonPrefixes", [])
    ]
    found = [
        (sequence, each["LastModified"])
        for folder in folders[-1:]
        for page in pages.paginate(Bucket=bucket, Prefix=folder)
        for each in page.get("Contents", [])
        if (sequence := keys.sequence_of_digest(each["Key"])) is not None
    ]
    return max(found, default=None)
