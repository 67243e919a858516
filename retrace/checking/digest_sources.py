"""Reads digests and the objects that they list, from the bucket or from a copy in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.errors import code_of
from chalicelib.core.timestamps import Instant, instant_of
from chalicelib.digests.digest import KeptDigest
from retrace.concurrency import in_order
from retrace.problem import Exit, Problem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class DigestSource(Protocol):
    """Digests as they lie somewhere."""

    def digests(self) -> Iterator[KeptDigest]:
        """Every digest there is, in the order of their sequence."""


@dataclass(frozen=True)
class BucketOfDigests:
    """The digests in the raw bucket."""

    s3: S3Client
    bucket: str

    def digests(self) -> Iterator[KeptDigest]:
        """Each fetched once, some ahead."""
        return in_order(self._read, self._sequences())

    def _sequences(self) -> Iterator[int]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=keys.DIGESTS):
            found = (keys.sequence_of_digest(each["Key"]) for each in page.get("Contents", []))
            yield from (sequence for sequence in found if sequence is not None)

    def _read(self, sequence: int) -> KeptDigest:
        answer = self.s3.get_object(Bucket=self.bucket, Key=keys.digest(sequence))
        return KeptDigest(sequence, answer["Body"].read())


@dataclass(frozen=True)
class DirectoryOfDigests:
    """A copy, as `aws s3 sync` makes it of the bucket's digests/ or of all of it."""

    directory: Path

    def digests(self) -> Iterator[KeptDigest]:
        """Those whose folder and name are those of a digest."""
        if not self.directory.is_dir():
            remedy = "Name a copy of the bucket's digests/, as `aws s3 sync` makes it."
            raise Problem(f"{self.directory} is not a directory.", remedy, Exit.USAGE)
        found = {}
        for path in self.directory.rglob("*.ndjson"):
            sequence = keys.sequence_of_digest(f"{keys.DIGESTS}{path.parent.name}/{path.name}")
            if sequence is not None:
                found[sequence] = path
        for sequence, path in sorted(found.items()):
            try:
                yield KeptDigest(sequence, path.read_bytes())
            except OSError as error:
                raise Problem(f"{path} cannot be read: {error}", "Copy it again: aws s3 sync", Exit.USAGE) from error


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


@dataclass(frozen=True)
class CopiedObjects:
    """A copy of a whole bucket, as `aws s3 sync` makes it: with the times that S3 tells."""

    directory: Path
    keeps_versions: bool = False

    @property
    def are_there(self) -> bool:
        """Whether objects were copied, too."""
        return any((self.directory / each).is_dir() for each in keys.LISTED)

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[PresentVersion]]]:
        """Each file in the order of the keys' bytes."""
        folder = self.directory / prefix.rpartition("/")[0]
        names = (path.relative_to(self.directory).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in sorted((name for name in names if name.startswith(prefix)), key=str.encode):
            modified = datetime.fromtimestamp((self.directory / key).stat().st_mtime, UTC)
            yield key, [PresentVersion(key, "", instant_of(modified), latest=True)]

    def sha256(self, s3_key: str, version_id: str) -> str | None:  # noqa: ARG002  # files have no versions
        """The hash of a file."""
        try:
            with (self.directory / s3_key).open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Problem(f"{s3_key} cannot be read: {error}", "Copy it again: aws s3 sync", Exit.USAGE) from error
