"""Every version and delete marker below a prefix of the raw bucket, key by key, and the hash of a version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.errors import code_of
from chalicelib.core.timestamps import Instant, instant_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})


@dataclass(frozen=True, slots=True)
class PresentVersion:
    """A version of an object, or a delete marker, as the bucket has it."""

    s3_key: str
    version_id: str
    modified: Instant
    latest: bool
    is_marker: bool = False


@dataclass(frozen=True)
class VersionsInBucket:
    """The raw bucket, version by version."""

    s3: S3Client
    bucket: str
    keeps_versions: bool = True

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[PresentVersion]]]:
        """What there is, in the order of keys; of each key the newest first."""
        for key, of_key in groupby(self._listed(prefix), key=lambda each: each.s3_key):
            yield key, list(of_key)

    def _listed(self, prefix: str) -> Iterator[PresentVersion]:
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
            versions = (_present(each) for each in page.get("Versions", []))
            markers = (_present(each, is_marker=True) for each in page.get("DeleteMarkers", []))
            yield from merge(versions, markers, key=lambda each: each.s3_key.encode())

    def sha256(self, s3_key: str, version_id: str) -> str | None:
        """The hash of a version's bytes; None if it is gone."""
        digest = sha256()
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=s3_key, VersionId=version_id)
            for chunk in found["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise
        return digest.hexdigest()


def _present(said: Any, *, is_marker: bool = False) -> PresentVersion:
    return PresentVersion(
        said["Key"], said["VersionId"], instant_of(said["LastModified"]), bool(said["IsLatest"]), is_marker
    )
