"""Digests in S3: one object each, written once, named so that two listings find the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.aws import keys
from chalicelib.aws.errors import translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.digests.digest import KeptDigest


@dataclass(frozen=True)
class S3DigestStore:
    """The part of the raw bucket that holds digests."""

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
        """What lies directly in a folder, in order. A folder has a thousand digests: six weeks of them."""
        found: list[str] = []
        pages = self.objects.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.objects.bucket, Prefix=prefix, Delimiter="/"):
            entries: Any = page.get(kind, [])
            found += [entry[name] for entry in entries]
        return found
