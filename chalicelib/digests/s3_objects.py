"""Versions of objects, hashed byte by byte for digests."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws.errors import code_of, translated
from chalicelib.digests.digest import WrittenObject
from chalicelib.digests.notifications import Notice

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20
# Who may not list the bucket is answered 403 of what is not there:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
_MAY_BE_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "AccessDenied"})


@dataclass(frozen=True)
class S3WrittenObjects:
    """The raw bucket, version by version."""

    s3: S3Client
    bucket: str

    def hashed(self, notice: Notice) -> WrittenObject:
        """A version with its hash; without one if it was removed after it was written."""
        with translated("hashing an object"):
            digest = self._sha256(notice)
        return WrittenObject(notice.s3_key, notice.version_id, notice.size, digest, notice.written_at)

    def _sha256(self, notice: Notice) -> str | None:
        digest = sha256()
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=notice.s3_key, VersionId=notice.version_id)
            for chunk in found["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
        except ClientError as error:
            if code_of(error) in _MAY_BE_GONE and not self._is_there(notice):
                return None
            raise
        return digest.hexdigest()

    def _is_there(self, notice: Notice) -> bool:
        """Whether a version is listed under its key."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=notice.s3_key)
        versions = (version for page in pages for version in page.get("Versions", []))
        return any((each["Key"], each["VersionId"]) == (notice.s3_key, notice.version_id) for each in versions)
