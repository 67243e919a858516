"""Suggests prefixes that are like one that no key begins with."""

from __future__ import annotations

from difflib import get_close_matches

from retrace.checking.stores import RawBucket
from retrace.problem import Exit, Problem

_LIKE = 0.5
_MOST = 3


def nothing_below(bucket: RawBucket, prefix: str) -> Problem:
    """The problem that no key begins with a prefix, and the nearest that some do."""
    near = _near(bucket, prefix)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Run `retrace sources` to see what was ever accepted."
    return Problem(f"No key of the bucket begins with {prefix}, so nothing was checked.", remedy, Exit.DIFFERENT)


def _near(bucket: RawBucket, prefix: str) -> list[str]:
    folder = prefix.rstrip("/")
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        below = _folders(bucket, f"{folder}/")
        if below:
            return get_close_matches(prefix, below, _MOST, _LIKE)
    return []


def _folders(bucket: RawBucket, folder: str) -> list[str]:
    pages = bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=folder, Delimiter="/")
    return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
