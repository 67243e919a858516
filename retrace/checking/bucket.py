"""The raw bucket, read as the caller: keys page by page, objects whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.seam import code_of
from chalicelib.domain.raw_line import INGEST_TIME_RANGE
from retrace.ahead import in_order
from retrace.checking.raw_objects import RAW, ReadObject, read_object

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
        content = self._get(key) if key.startswith(RAW) else None
        return None if content is None else read_object(self.name, key, content)

    def ingest_time(self, key: str) -> str:
        """When an object's events were taken in, as it says; empty if it is too short to say so."""
        start, end = INGEST_TIME_RANGE
        return (self._get(key, Range=f"bytes={start}-{end - 1}") or b"").decode(errors="replace")

    def _get(self, key: str, **part: Any) -> bytes | None:
        try:
            return self.s3.get_object(Bucket=self.name, Key=key, **part)["Body"].read()
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise
