"""Checks the chain of digests: signed, numbered without a gap, each with the hash of the one before, in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant, lag_ms, shifted
from chalicelib.digests.digest import Digest, Head, KeptDigest, WrittenObject, parse_digest
from retrace.checking.differences import Difference
from retrace.checking.digest_keys import Succession
from retrace.checking.digest_sources import DigestSource
from retrace.checking.kinds import Kind
from retrace.databases import execute_many, temporary_database
from retrace.output import duration
from retrace.progress import Counting


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version of an object as a digest lists it, and which digest that is."""

    found: WrittenObject
    sequence: int


class Listed:
    """A temporary database that vanishes with the process."""

    def __init__(self) -> None:
        self._database = temporary_database()
        # Listed twice, by two digests, it is the same; with another hash it is something else.
        self._database.execute(
            "CREATE TABLE listed (s3_key TEXT, version_id TEXT, sha256 TEXT, size INTEGER, written_at TEXT,"
            " sequence INTEGER, UNIQUE (s3_key, version_id, sha256))"
        )

    def add(self, sequence: int, objects: Iterable[WrittenObject]) -> None:
        """Take in what a digest lists."""
        execute_many(
            self._database,
            "INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?, ?, ?)",
            ((each.s3_key, each.version_id, each.sha256, each.size, each.written_at, sequence) for each in objects),
        )

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[ListedVersion]]]:
        """What is listed below a prefix, key by key, in the order in which S3 lists keys: that of their bytes."""
        query = (
            "SELECT s3_key, version_id, size, sha256, written_at, sequence FROM listed"
            " WHERE substr(s3_key, 1, ?) = ? ORDER BY s3_key, sequence, version_id"
        )
        with closing(self._database.execute(query, (len(prefix), prefix))) as rows:
            for key, of_key in groupby(rows, key=lambda row: str(row[0])):
                yield (
                    key,
                    [
                        ListedVersion(WrittenObject(key, version_id, size, sha256, Instant(written_at)), sequence)
                        for _, version_id, size, sha256, written_at, sequence in of_key
                    ],
                )

    def close(self) -> None:
        """Delete it."""
        self._database.close()


LATE_MS = 90 * 60_000
"""Digests come every hour, and a run takes seconds, or with much to list a quarter of an hour.

A missing one is always found, and so is one that was removed and written again by the next run.
"""

DUE_MS = 3 * 3_600_000
"""How much older than the beginning of a digest that left nothing over an object is that must be listed.

S3 tells of most objects within seconds, of some after a minute or more
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html), and what a run that died had received
comes to the next one. An accusation that is wrong costs more than one that comes three hours later.
"""

BEHIND_MS = 6 * 3_600_000
"""How long every digest may leave something over, as after a flood, until nothing can be said of what is unlisted."""


@dataclass(frozen=True)
class _Before:
    """The digest before: what it is named by, and what it says if that can be believed."""

    kept: KeptDigest
    head: Head | None


@dataclass
class DigestChain:
    """Goes through digests; takes in what those list that can be believed."""

    source: DigestSource
    signers: Succession
    bucket: str | None
    """Of which they have to be; None takes that of the first one that is believed."""
    listed: Listed
    progress: Counting
    covered_from: Instant = field(default=Instant(""), init=False)
    """Where the first digest begins; before all time where that is not there to say so."""
    listed_to: Instant | None = field(default=None, init=False)
    """What is older is listed, or should be: some hours before the newest digest begins that left nothing over."""
    _drained_until: Instant | None = field(default=None, init=False)
    """Where that one ends; where the first one begins, if there is none."""

    def differences(self, now: Instant) -> Iterator[Difference]:
        """What is wrong with digests, in their order."""
        before: _Before | None = None
        for kept in self.source.digests():
            self.progress.add(digests=1)
            expected = 1 if before is None else before.kept.sequence + 1
            if kept.sequence > expected:
                last = kept.sequence - 1
                detail = f"{expected}" if last == expected else f"{expected} to {last}"
                yield Difference(Kind.DIGEST_MISSING, sequence=expected, detail=f"missing: {detail}")
            read = self._read(kept)
            if isinstance(read, Difference):
                yield read
                before = _Before(kept, None)
                continue
            if kept.sequence == expected:
                yield from _follows(read.head, before)
            self._take_in(read)
            before = _Before(kept, read.head)
        if before is not None and before.head is not None:
            yield from self._of_the_newest(before.head, now)

    def _of_the_newest(self, head: Head, now: Instant) -> Iterator[Difference]:
        """Whether digests go on, and catch up."""
        age = lag_ms(head.end_time, now)
        if age > LATE_MS:
            detail = f"the newest is {duration(age)} old"
            yield Difference(Kind.DIGEST_DELAYED, sequence=head.sequence, detail=detail)
        behind = lag_ms(self._drained_until or head.start_time, head.end_time)
        if behind > BEHIND_MS:
            detail = f"each left something over for {duration(behind)}"
            yield Difference(Kind.DIGEST_BEHIND, sequence=head.sequence, detail=detail)

    def _read(self, kept: KeptDigest) -> Digest | Difference:
        """A digest that is what was signed, in its place; else what is wrong with it."""
        try:
            digest = parse_digest(kept.content)
        except IntegrityFailure as error:
            return Difference(Kind.DIGEST_CHANGED, sequence=kept.sequence, detail=str(error))
        if digest.head.sequence != kept.sequence:
            detail = f"it is digest {digest.head.sequence}, under another's name"
        elif digest.head.bucket != (self.bucket or digest.head.bucket):
            detail = f"it is of the bucket {digest.head.bucket}"
        else:
            detail = self.signers.next_signs(digest)
        return digest if not detail else Difference(Kind.DIGEST_CHANGED, sequence=kept.sequence, detail=detail)

    def _take_in(self, digest: Digest) -> None:
        head = digest.head
        self.bucket = head.bucket
        if head.sequence == 1:
            self.covered_from = head.start_time
        if head.drained:
            self.listed_to = shifted(head.start_time, -DUE_MS * 1_000_000)
            self._drained_until = head.end_time
        elif self._drained_until is None:
            self._drained_until = head.start_time
        self.listed.add(head.sequence, digest.objects)


def _follows(head: Head, before: _Before | None) -> Iterator[Difference]:
    """What is wrong between a digest and the one before; nothing is said of one that cannot be believed anyhow."""
    if before is None:
        if head.previous_sha256 is not None:
            yield Difference(Kind.DIGEST_CHAIN_BROKEN, sequence=head.sequence, detail="it names one before the first")
    elif before.head is not None:
        if head.previous_sha256 != before.kept.sha256:
            yield Difference(Kind.DIGEST_CHAIN_BROKEN, sequence=head.sequence, detail=f"named: {head.previous_sha256}")
        waited = lag_ms(before.head.end_time, head.end_time)
        if waited > LATE_MS:
            yield Difference(
                Kind.DIGEST_DELAYED, sequence=head.sequence, detail=f"{duration(waited)} after the one before"
            )
