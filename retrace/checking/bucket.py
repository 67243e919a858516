"""The raw bucket, read as the caller: keys page by page, objects whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.errors import code_of
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.events.raw_objects import INGEST_TIME_RANGE
from retrace.checking.markers import Marker
from retrace.checking.raw_objects import RAW, ReadObject, read_object
from retrace.concurrency import in_order

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = frozenset({"NoSuchKey", "InvalidRange"})


@dataclass(frozen=True)
class RawBucket:
    """The raw bucket."""

    s3: S3Client
    name: str

    def keys(self, prefix: str, after: str = "") -> Iterator[list[str]]:
        """The keys that begin so, in order, after one, a thousand at a time."""
        wanted: dict[str, Any] = {"StartAfter": after} if after else {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, **wanted):
            yield [found["Key"] for found in page.get("Contents", [])]

    def objects(self, prefix: str) -> Iterator[ReadObject]:
        """Every object whose key begins so, each fetched once and checked."""
        every_key = (key for page in self.keys(prefix) for key in page)
        return (found for found in in_order(self.read, every_key) if found is not None)

    def read(self, key: str) -> ReadObject | None:
        """An object, checked; None if there is none, or none among raw objects."""
        content = self.content(key) if key.startswith(RAW) else None
        return None if content is None else read_object(self.name, key, content)

    def keep(self, marker: Marker) -> None:
        """Keep a marker, unless one of its line is there."""
        bucket = WriteOnceBucket(self.s3, self.name, pause=sleep)
        bucket.put_if_absent(marker.key, marker.to_json(), "application/json")

    def ingest_time(self, key: str) -> str:
        """When an object's events were taken in, as it says; empty if it is too short to say so."""
        start, end = INGEST_TIME_RANGE
        return (self.content(key, Range=f"bytes={start}-{end - 1}") or b"").decode(errors="replace")

    def content(self, key: str, **part: Any) -> bytes | None:
        """The bytes of an object, or a part of them; None if there is none."""
        try:
            return self.s3.get_object(Bucket=self.name, Key=key, **part)["Body"].read()
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise
