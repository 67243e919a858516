"""S3 for digests: reads and hashes versions of objects, and stores each digest once under a name that sorts.

Two listings find the newest digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.errors import code_of, translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.digests.digest import KeptDigest, Notice, WrittenObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20
# Who may not list the bucket is answered 403 of what is not there:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
_MAY_BE_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "AccessDenied"})


@dataclass(frozen=True)
class S3DigestStore:
    """The digests in the raw bucket."""

    objects: WriteOnceBucket

    def newest(self) -> KeptDigest | None:
        """The last digest: that with the greatest name in the last of the folders."""
        with translated("finding the newest digest"):
            for folder in reversed(self._listed(keys.DIGESTS, "CommonPrefixes", "Prefix")):
                sequences = [keys.sequence_of_digest(key) for key in self._listed(folder, "Contents", "Key")]
                newest = max((found for found in sequences if found is not None), default=None)
                if newest is not None:  # else it holds nothing of ours
                    return KeptDigest(newest, self.objects.read(keys.digest(newest)))
        return None

    def keep(self, digest: KeptDigest) -> bool:
        """Write a digest unless its sequence is taken."""
        key = keys.digest(digest.sequence)
        with translated("keeping a digest"):
            written = self.objects.put_if_absent(key, digest.content, "application/x-ndjson")
            # One that is there already may be this one, if only the answer of writing it was lost.
            return written or self.objects.read(key) == digest.content

    def _listed(self, prefix: str, kind: str, name: str) -> list[str]:
        """The objects directly in a folder, in order. A folder has a thousand digests: six weeks of them."""
        found: list[str] = []
        pages = self.objects.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.objects.bucket, Prefix=prefix, Delimiter="/"):
            entries: Any = page.get(kind, [])
            found += [entry[name] for entry in entries]
        return found


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
