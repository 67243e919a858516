"""Where digests are read from: the bucket, or a copy of its digests in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chalicelib.aws import keys
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
            raise Problem(f"{self.directory} is no directory.", remedy, Exit.USAGE)
        found = {}
        for path in self.directory.rglob("*.ndjson"):
            sequence = keys.sequence_of_digest(f"{keys.DIGESTS}{path.parent.name}/{path.name}")
            if sequence is not None:
                found[sequence] = path
        for sequence, path in sorted(found.items()):
            try:
                yield KeptDigest(sequence, path.read_bytes())
            except OSError as error:
                raise Problem(f"{path} cannot be read: {error}", "Copy it anew: aws s3 sync", Exit.USAGE) from error
