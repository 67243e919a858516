"""Rebuilds rows from raw lines, in the order of ingest unless a record in the bucket names the first line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.checkpoint import Checkpoint
from retrace.checking.claims import Claim, Marker, claims_of, is_claim_record, ruling
from retrace.checking.differences import Difference, between
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import ReadObject
from retrace.checking.restoring import Restore
from retrace.checking.stores import Stores
from retrace.concurrency import in_order
from retrace.progress import Counting

_EVENTS_A_WRITE = 1_000

Claims = Mapping[str, Sequence[Claim]]


@dataclass(frozen=True)
class Rebuilding:
    """Goes on from where a checkpoint is."""

    stores: Stores
    kept: Checkpoint
    restore: Restore
    progress: Counting

    def run(self) -> Iterator[Difference]:
        """Write missing rows; returns damaged lines, and events that the bucket does not decide."""
        self._list()
        self.progress.counts["objects"], self.progress.counts["done"] = self.kept.counts()
        self.progress.counts.update(self.kept.tally())
        yield from self._found_before()
        yield from self._learn()
        yield from self._write_all()
        yield from self._without_first()

    def _list(self) -> None:
        """Find every object and when it was taken in: a GET of 30 bytes each, as keys tell the day only."""
        if self.kept.listed:
            return
        bucket = self.stores.bucket
        for page in bucket.keys(keys.RAW, after=self.kept.listed_to):
            self.kept.add(zip(page, in_order(bucket.ingest_time, page), strict=True))
            self.progress.add(objects=len(page))
        self.kept.end_listing()

    def _found_before(self) -> Iterator[Difference]:
        """What earlier runs found, reported again by a run that continues."""
        for known in in_order(self.stores.bucket.read, iter(self.kept.damaged())):
            if known is not None:
                yield from known.differences()
        yield from self.kept.contested.remembered()

    def _learn(self) -> Iterator[Difference]:
        """Read who had an identity: all keys of quarantine and markers, and of the objects only those that tell it."""
        if self.kept.learnt:
            return
        bucket = self.stores.bucket
        pages = (page for prefix in (keys.REJECTED, keys.SUPERSEDED) for page in bucket.keys(prefix))
        telling = (key for page in pages for key in page if is_claim_record(key))
        for key, content in in_order(lambda key: (key, bucket.content(key) or b""), telling):
            try:
                self.kept.contested.learn(claims_of(key, content))
            except IntegrityFailure as error:
                yield from self.kept.contested.remember(
                    [Difference(Kind.RECORD_CHANGED, s3_key=key, detail=str(error))]
                )
            self.progress.add(records=1)
        self.kept.end_learning()

    def _write_all(self) -> Iterator[Difference]:
        """Write rows object by object; a part is written before the next one begins."""
        part: list[ReadObject] = []
        for found in in_order(self.stores.bucket.read, self.kept.todo()):
            if found is None:
                continue
            yield from found.differences()
            part.append(found)
            if sum(len(each.lines) for each in part) >= _EVENTS_A_WRITE:
                yield from self._write(part)
                part = []
        yield from self._write(part)

    def _write(self, part: list[ReadObject]) -> Iterator[Difference]:
        lines = [line for found in part for line in found.lines]
        claims = {line.event_id: self.kept.contested.claims(line.event_id) for line in lines}
        lost = [(line, claim) for line in lines if (claim := self._lost_to(line, claims)) is not None]
        losers = {line.location for line, _ in lost}
        self.kept.contested.found(line for line in lines if claims[line.event_id])
        self.kept.contested.withhold(lost)
        self._mark(lost)
        restored = self.restore.write(line for line in lines if line.location not in losers)
        counts = restored.counts()
        counts["repeated"] += len(lost)
        counts["conflicting"] += sum(line.content_sha256 != claim.first.content_sha256 for line, claim in lost)
        found = [*self._contradicted(lost, claims), *self._undecided(restored.conflicts, claims)]
        new = self.kept.contested.remember(found)
        self.kept.done({found.key: any(True for _ in found.differences()) for found in part}, counts)
        self.progress.add(done=len(part), **counts)
        yield from new

    def _mark(self, lost: Sequence[tuple[StoredEvent, Claim]]) -> None:
        """Keep what a record tells of these lines, as an audit cannot tell it from what a rebuild chose by age."""
        for line, claim in lost:
            if not claim.told_by.startswith(keys.SUPERSEDED):
                marker = Marker(line.event_id, LineReference.of(line), claim.first, claim.told_at)
                self.stores.bucket.keep(marker)

    def _lost_to(self, line: StoredEvent, claims: Claims) -> Claim | None:
        claim = self._ruling(line, claims)
        return None if claim is None or claim.names(line) else claim

    def _ruling(self, line: StoredEvent, claims: Claims) -> Claim | None:
        return ruling(claims[line.event_id], line, self.restore.settings.identity_ttl_s)

    def _contradicted(self, lost: Sequence[tuple[StoredEvent, Claim]], claims: Claims) -> Iterator[Difference]:
        """Lines that got no rows although a record in the bucket says that they had them."""
        for line, claim in lost:
            for other in claims[line.event_id]:
                if other.names(line) and line.content_sha256 != claim.first.content_sha256:
                    why = f"{claim.told_by} names the first line, and the later {other.told_by} the second"
                    yield between(Kind.CONTENT_UNDECIDED, claim.first, line, why)

    def _undecided(self, conflicts: Sequence[tuple[StoredEvent, StoredEvent]], claims: Claims) -> Iterator[Difference]:
        """Lines that lost against other content without a record in the bucket."""
        for chosen, other in conflicts:
            claim = self._ruling(other, claims)
            if claim is not None:
                why = f"it had rows already, although {claim.told_by} names the other"
            elif chosen.ingest_time <= other.ingest_time:
                why = "it was taken in first, and neither quarantine nor a marker names either"
            else:
                why = "it had rows already, and neither quarantine nor a marker names either"
            yield between(Kind.CONTENT_UNDECIDED, LineReference.of(chosen), other, why)

    def _without_first(self) -> Iterator[Difference]:
        """Where the line that had the rows is gone, another one of the same content gets them, and no other content."""
        for claim, lost in self.kept.contested.without_first():
            same = [line for line in lost if line.content_sha256 == claim.first.content_sha256]
            if same:
                counts = self.restore.write(same[:1]).counts()
                self.kept.done({}, counts)
                self.progress.add(**counts)
            else:
                why = f"{claim.told_by} names the line"
                yield from self.kept.contested.remember(
                    between(Kind.FIRST_MISSING, claim.first, line, why) for line in lost
                )
