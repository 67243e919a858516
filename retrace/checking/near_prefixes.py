"""What to say of a prefix that no key begins with: which prefixes there are that are like it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from retrace.problem import Exit, Problem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LIKE = 0.5
_MOST = 3


def nothing_below(s3: S3Client, bucket: str, prefix: str) -> Problem:
    """The problem that no key begins with a prefix, and the nearest that some do."""
    near = _near(s3, bucket, prefix)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Run `retrace sources` to see what was ever accepted."
    return Problem(f"No key of the bucket begins with {prefix}, so nothing was checked.", remedy, Exit.DIFFERENT)


def _near(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    folder = prefix.rstrip("/")
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        below = _folders(s3, bucket, f"{folder}/")
        if below:
            return get_close_matches(prefix, below, _MOST, _LIKE)
    return []


def _folders(s3: S3Client, bucket: str, folder: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
