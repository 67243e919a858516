"""Finds raw objects of sources and days, and markers of superseded lines, by listing the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chalicelib.aws.keys import RAW, SUPERSEDED
from chalicelib.core.percent_encoding import for_path
from chalicelib.core.timestamps import Day
from retrace.checking.stores import RawBucket
from retrace.concurrency import in_order
from retrace.problem import Exit, Problem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SOURCE = "source="
_DAY = "event_date="


@dataclass(frozen=True, slots=True)
class Found:
    """Raw objects by key, with their sizes, and the lines among them that are superseded."""

    sizes: dict[str, int] = field(default_factory=dict)
    superseded: frozenset[tuple[str, int]] = frozenset()

    @property
    def size(self) -> int:
        """How many bytes they have together."""
        return sum(self.sizes.values())

    @property
    def sources(self) -> int:
        """How many sources have any."""
        return len({key.split("/")[1] for key in self.sizes})


@dataclass(frozen=True)
class Listing:
    """Lists the bucket with the caller's rights."""

    s3: S3Client
    bucket: str

    def find(self, sources: Sequence[str], first: Day, last: Day) -> Found:
        """The objects of sources, of all if none is named, with events of these days."""
        names = [f"{_SOURCE}{for_path(source)}/" for source in sources] or list(self._sources())
        raw = in_order(lambda name: list(self._of_days(f"{RAW}{name}", first, last)), names)
        marked = in_order(lambda name: list(self._of_days(f"{SUPERSEDED}{name}", first, last)), names)
        sizes = {key: size for some in raw for key, size in some}
        return Found(sizes, frozenset(_line(key) for some in marked for key, _ in some))

    def _sources(self) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=RAW, Delimiter="/")
        return (found["Prefix"].removeprefix(RAW) for page in pages for found in page.get("CommonPrefixes", []))

    def _of_days(self, prefix: str, first: Day, last: Day) -> Iterator[tuple[str, int]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{prefix}{_DAY}", StartAfter=f"{prefix}{_DAY}{first}"
        )
        for page in pages:
            for found in page.get("Contents", []):
                if found["Key"][len(prefix) + len(_DAY) :][: len(last)] > last:
                    return
                yield found["Key"], found["Size"]


def _line(marker: str) -> tuple[str, int]:
    """The object and the place of a superseded line, by the key of its marker."""
    key, _, offset = marker.removeprefix(SUPERSEDED).removesuffix(".json").rpartition("/")
    return f"{RAW}{key}.ndjson", int(offset)


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
