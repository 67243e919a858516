"""Compares what digests list with what the bucket has, key by key, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from chalicelib.aws import keys
from chalicelib.core.timestamps import Instant
from retrace.checking.differences import Difference
from retrace.checking.digest_chain import DigestChain, ListedVersion
from retrace.checking.digest_sources import PresentVersion
from retrace.checking.kinds import Kind
from retrace.concurrency import in_order
from retrace.progress import Counting

_SECONDS = len("2026-11-21T23:59:59")

Sha256Of = Callable[[str, str], str | None]


class Versions(Protocol):
    """What there is in the raw bucket, or in a copy of it."""

    @property
    def keeps_versions(self) -> bool:
        """Whether there is more than the newest of each object."""

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
    """Goes through digests first, and then through all that lies below some prefixes."""

    chain: DigestChain
    bucket: Versions | None
    progress: Counting

    def differences(self, prefixes: Iterable[str], now: Instant) -> Iterator[Difference]:
        """What is wrong, as it is found."""
        yield from self.chain.differences(now)
        if self.bucket is not None and self.bucket.keeps_versions:
            yield from _rewritten(self.bucket)
        if self.bucket is None or not self.progress.counts["digests"]:
            return
        judge_of = KeyJudge if self.bucket.keeps_versions else CopyJudge
        judge = judge_of(self.bucket.sha256, self.chain.covered_from, self.chain.listed_to)
        for judged in in_order(judge.judge, self._keys_below(prefixes, self.bucket)):
            self.progress.add(object_versions=judged.versions)
            if judged.before_the_first:
                self.progress.add(older_than_the_first_digest=judged.before_the_first)
            if judged.since_the_newest:
                self.progress.add(waiting_for_the_next_digest=judged.since_the_newest)
            yield from judged.differences

    def _keys_below(self, prefixes: Iterable[str], bucket: Versions) -> Iterator[OneKey]:
        return chain.from_iterable(self._keys(prefix, bucket) for prefix in prefixes)

    def _keys(self, prefix: str, bucket: Versions) -> Iterator[OneKey]:
        """Both lists side by side: each is in the order of keys, and held in memory only as far as they are apart."""
        listed = self.chain.listed.by_key(prefix)
        present = bucket.by_key(prefix)
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


def _rewritten(bucket: Versions) -> Iterator[Difference]:
    """Digests that were overwritten or hidden, also if the function wrote them again."""
    for key, versions in bucket.by_key(keys.DIGESTS):
        sequence = keys.sequence_of_digest(key)
        if sequence is not None and (len(versions) > 1 or versions[0].is_marker):
            detail = ", ".join(f"{'marker' if e.is_marker else 'version'} {e.version_id}" for e in versions)
            yield Difference(Kind.DIGEST_REWRITTEN, sequence=sequence, detail=detail)


@dataclass(frozen=True)
class KeyJudge:
    """Judges one key: what is listed is there and unchanged, there is one version of it, and it is listed."""

    sha256_of: Sha256Of
    covered_from: Instant
    listed_to: Instant | None

    def judge(self, key: OneKey) -> Judged:
        """What is wrong with a key."""
        versions = [each for each in key.present if not each.is_marker]
        over_the_first = set(_in_order_of_time(key.listed, versions)[1:])
        known = {each.found.version_id for each in key.listed}
        of_unlisted = self._of_unlisted([each for each in versions if each.version_id not in known | over_the_first])
        found = chain(
            self._of_listed(key.listed, {each.version_id for each in versions}),
            (_of(Kind.OBJECT_OVERWRITTEN, key.s3_key, version) for version in sorted(over_the_first)),
            of_unlisted.differences,
            (_of(Kind.OBJECT_HIDDEN, key.s3_key, e.version_id) for e in key.present if e.is_marker and e.latest),
        )
        return replace(of_unlisted, differences=tuple(found), versions=len(versions))

    def _of_unlisted(self, versions: Sequence[PresentVersion]) -> Judged:
        """Which of them must have been listed."""
        older = [each for each in versions if each.modified < self.covered_from]
        since = [e for e in versions if e not in older and (self.listed_to is None or e.modified >= self.listed_to)]
        due = [each for each in versions if each not in older and each not in since]
        found = tuple(_of(Kind.OBJECT_UNLISTED, each.s3_key, each.version_id or None) for each in due)
        return Judged(found, len(versions), len(older), len(since))

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


class CopyJudge(KeyJudge):
    """Judges one key of a copy, which has one file for it: that of any version that is listed."""

    def judge(self, key: OneKey) -> Judged:
        """What is wrong with a key."""
        if not key.listed:
            return self._of_unlisted(key.present)
        found = [_of(Kind.OBJECT_OVERWRITTEN, key.s3_key, version) for version in _in_order_of_time(key.listed, ())[1:]]
        newest = key.listed[-1]
        if not key.present:
            found.append(_of(Kind.LISTED_MISSING, key.s3_key, newest.found.version_id, newest.sequence))
        elif (actual := self.sha256_of(key.s3_key, "")) not in {each.found.sha256 for each in key.listed}:
            detail = f"sha256 is {actual}"
            found.append(_of(Kind.LISTED_CHANGED, key.s3_key, newest.found.version_id, newest.sequence, detail))
        return Judged(tuple(found), len(key.present))


def _in_order_of_time(listed: Sequence[ListedVersion], versions: Sequence[PresentVersion]) -> list[str]:
    """Every version that is there or was, oldest first.

    The bucket tells of the newest first, and of times in seconds.
    """
    places = {each.found.version_id: (each.found.written_at[:_SECONDS], -1) for each in listed}
    places |= {each.version_id: (each.modified[:_SECONDS], place) for place, each in enumerate(reversed(versions))}
    return sorted(places, key=lambda version: places[version])


def _of(kind: Kind, s3_key: str, version_id: str | None, sequence: int | None = None, detail: str = "") -> Difference:
    return Difference(kind, s3_key=s3_key, version_id=version_id, sequence=sequence, detail=detail)
