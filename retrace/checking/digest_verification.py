"""What digests list held against what the bucket has, key by key, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from chalicelib.domain.timestamps import Instant
from retrace.ahead import in_order
from retrace.checking.differences import Difference
from retrace.checking.digest_chain import DigestChain
from retrace.checking.kinds import Kind
from retrace.checking.listed import ListedVersion
from retrace.checking.object_versions import PresentVersion
from retrace.checking.progress import Progress

_SECONDS = len("2026-11-21T23:59:59")

Sha256Of = Callable[[str, str], str | None]


class Versions(Protocol):
    """What there is in the raw bucket."""

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[PresentVersion]]]:
        """Versions and delete markers below a prefix, in the order of keys; of each key the newest first."""

    def sha256(self, s3_key: str, version_id: str) -> str | None:
        """The hash of a version's bytes; None if it is gone."""


@dataclass(frozen=True, slots=True)
class OneKey:
    """All that digests and bucket say of one key."""

    s3_key: str
    listed: Sequence[ListedVersion]
    present: Sequence[PresentVersion]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wrong with a key, and how many of its versions no digest can say anything of: too old, or too new."""

    differences: tuple[Difference, ...]
    versions: int
    before_the_first: int = 0
    since_the_newest: int = 0


@dataclass(frozen=True)
class DigestVerification:
    """Goes through digests first, and then through all that lies below a prefix."""

    chain: DigestChain
    bucket: Versions
    progress: Progress

    def differences(self, prefix: str, now: Instant) -> Iterator[Difference]:
        """What is wrong, as it is found."""
        yield from self.chain.differences(now)
        if not self.progress.counts["digests"]:
            return
        judge = KeyJudge(self.bucket.sha256, self.chain.covered_from, self.chain.listed_to)
        for judged in in_order(judge, self._keys(prefix)):
            self.progress.add(object_versions=judged.versions)
            if judged.before_the_first:
                self.progress.add(older_than_the_first_digest=judged.before_the_first)
            if judged.since_the_newest:
                self.progress.add(waiting_for_the_next_digest=judged.since_the_newest)
            yield from judged.differences

    def _keys(self, prefix: str) -> Iterator[OneKey]:
        """Both lists side by side: each is in the order of keys, and held in memory only as far as they are apart."""
        listed = self.chain.listed.by_key(prefix)
        present = self.bucket.by_key(prefix)
        of_list, of_bucket = next(listed, None), next(present, None)
        while of_list is not None or of_bucket is not None:
            key = min((each[0] for each in (of_list, of_bucket) if each is not None), key=str.encode)
            found = OneKey(
                key,
                of_list[1] if of_list is not None and of_list[0] == key else (),
                of_bucket[1] if of_bucket is not None and of_bucket[0] == key else (),
            )
            yield found
            of_list = next(listed, None) if found.listed else of_list
            of_bucket = next(present, None) if found.present else of_bucket


@dataclass(frozen=True)
class KeyJudge:
    """Judges one key: what is listed is there and unchanged, there is one version of it, and it is listed."""

    sha256_of: Sha256Of
    covered_from: Instant
    listed_to: Instant | None

    def __call__(self, key: OneKey) -> Judged:
        """What is wrong with a key."""
        versions = [each for each in key.present if not each.is_marker]
        over_the_first = set(_in_order_of_time(key.listed, versions)[1:])
        known = {each.found.version_id for each in key.listed}
        unlisted = [each for each in versions if each.version_id not in known | over_the_first]
        older = [each for each in unlisted if each.modified < self.covered_from]
        newer = [each for each in unlisted if self.listed_to is None or each.modified >= self.listed_to]
        found = chain(
            self._of_listed(key.listed, {each.version_id for each in versions}),
            (_of(Kind.OBJECT_OVERWRITTEN, key.s3_key, version) for version in sorted(over_the_first)),
            (
                _of(Kind.OBJECT_UNLISTED, key.s3_key, e.version_id)
                for e in unlisted
                if e not in older and e not in newer
            ),
            (_of(Kind.OBJECT_HIDDEN, key.s3_key, e.version_id) for e in key.present if e.is_marker and e.latest),
        )
        since = [each for each in newer if each not in older]
        return Judged(tuple(found), len(versions), len(older), len(since))

    def _of_listed(self, listed: Sequence[ListedVersion], there: set[str]) -> Iterator[Difference]:
        missing: set[str] = set()
        for each in listed:
            said = each.found
            actual = self.sha256_of(said.s3_key, said.version_id) if said.version_id in there else None
            if actual is None:
                if said.version_id not in missing:
                    detail = "" if said.sha256 else "it was gone when its digest was made"
                    yield _of(Kind.LISTED_MISSING, said.s3_key, said.version_id, each.sequence, detail)
                missing.add(said.version_id)
            elif actual != said.sha256:
                yield _of(Kind.LISTED_CHANGED, said.s3_key, said.version_id, each.sequence, f"sha256 is {actual}")


def _in_order_of_time(listed: Sequence[ListedVersion], versions: Sequence[PresentVersion]) -> list[str]:
    """Every version that is there or was, oldest first.

    The bucket tells of the newest first, and of times in seconds.
    """
    places = {each.found.version_id: (each.found.written_at[:_SECONDS], -1) for each in listed}
    places |= {each.version_id: (each.modified[:_SECONDS], place) for place, each in enumerate(reversed(versions))}
    return sorted(places, key=lambda version: places[version])


def _of(kind: Kind, s3_key: str, version_id: str, sequence: int | None = None, detail: str = "") -> Difference:
    return Difference(kind, s3_key=s3_key, version_id=version_id, sequence=sequence, detail=detail)
