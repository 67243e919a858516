"""Which sources and types there are: from recent replays and, for who may read the bucket, from its newest objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from retrace.checkup import PATIENCE
from retrace.client import Client
from retrace.problem import Problem
from retrace.target import Target

Json = dict[str, Any]
Pair = tuple[str, str]

MOST_SOURCES = 50
_SAMPLE = 256 * 1024
_PREFIX = "raw/source="


def sources_of(client: Client) -> Json:
    """Pairs of source and type, and why there are no more if that is known."""
    pairs: dict[Pair, None] = {}
    told = ""
    try:
        pairs |= dict.fromkeys(_of_replays(client))
    except Problem as problem:
        told = problem.what
    try:
        pairs |= dict.fromkeys(_of_bucket(client.target))
    except (BotoCoreError, ClientError, Problem) as error:
        told = str(error)
    return {"items": [{"source": source, "event_type": kind} for source, kind in sorted(pairs)], "not_found": told}


def _of_replays(client: Client) -> Iterator[Pair]:
    for job in client.get("/replay", {"limit": "25"})["items"]:
        request = job["request"]
        if request.get("source") and request.get("event_type"):
            yield request["source"], request["event_type"]


def _of_bucket(target: Target) -> Iterator[Pair]:
    bucket = target.stored_in("raw_bucket")
    s3 = target.client("s3", PATIENCE)
    for prefix in islice(_folders(s3, bucket, _PREFIX), MOST_SOURCES):
        source = unquote(prefix.removeprefix(_PREFIX).rstrip("/"))
        yield from ((source, kind) for kind in _types_in_newest(s3, bucket, prefix))


def _folders(s3: Any, bucket: str, prefix: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [folder["Prefix"] for folder in found.get("CommonPrefixes", [])]


def _types_in_newest(s3: Any, bucket: str, prefix: str) -> set[str]:
    """The types in the newest objects of the last day of a source: a sample, and no promise."""
    days = _folders(s3, bucket, f"{prefix}event_date=")
    if not days:
        return set()
    objects = s3.list_objects_v2(Bucket=bucket, Prefix=days[-1], MaxKeys=3).get("Contents", [])
    return {kind for one in objects for kind in _types_in(s3, bucket, one["Key"])}


def _types_in(s3: Any, bucket: str, key: str) -> Iterator[str]:
    sample = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_SAMPLE - 1}")["Body"].read()
    lines = sample.splitlines()
    for line in lines if len(sample) < _SAMPLE else lines[:-1]:
        # An object may be damaged; that is found elsewhere, and keeps nobody from seeing the others.
        with suppress(ValueError, AttributeError):
            kind = json.loads(line).get("event_type")
            if isinstance(kind, str):
                yield kind
