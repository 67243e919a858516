"""The quarantine in S3: rejections, each kept once a day under the hash of its bytes, and the records of retries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, takewhile
from typing import TYPE_CHECKING, Any

from chalicelib.aws import keys
from chalicelib.aws.errors import translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Concurrently
from chalicelib.core.timestamps import Day
from chalicelib.ingest.rejection import Rejection, RejectionStatus, parse_rejection
from chalicelib.quarantine.retries import Listed, RejectionsPage, Retry, listed, parse_retry

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

MAX_KEYS_A_LIST = 1_000
MAX_BYTES_A_PAGE = 16_000_000
"""Of quarantine objects that one page reads side by side: each is read whole and its body parsed."""


@dataclass(frozen=True)
class S3Quarantine:
    """The part of the raw bucket that contains rejections."""

    objects: WriteOnceBucket
    concurrently: Concurrently

    def keep(self, rejection: Rejection) -> None:
        """Keep a rejection. Of the same bytes on one day the first record stays."""
        conflict = rejection.status is RejectionStatus.CONFLICT
        key = keys.rejected_object(rejection.rejected_id, conflict=conflict)
        with translated("keeping a refused event"):
            self.objects.put_if_absent(key, rejection.to_json(), "application/json")

    def page(self, ingest_day: Day, after: str | None, limit: int) -> RejectionsPage:
        """Refused events of a day in the order of their ids: one listing, and a GET for each."""
        with translated("listing refused events"):
            found = self._listed(ingest_day, after, limit)
            retried = {common["Prefix"] for common in found.get("CommonPrefixes", [])}
            present = found.get("Contents", [])
            # A refused event comes just before its retries, so that of the last one they may lie beyond the listing.
            known = present[:-1] if found["IsTruncated"] else present
            chosen = [str(kept["Key"]) for kept in _affordable(known[:limit])]
            read = self.concurrently(lambda key: self._item(key, retried), chosen)
            retries = self._retries_of([item.rejected_id for item in read if item.retried])
        items = tuple(item.after(retries.get(item.rejected_id, ())) for item in read)
        return RejectionsPage(items, items[-1].rejected_id if len(chosen) < len(present) else None)

    def _listed(self, ingest_day: Day, after: str | None, limit: int) -> ListObjectsV2OutputTypeDef:
        return self.objects.s3.list_objects_v2(
            Bucket=self.objects.bucket,
            Prefix=keys.rejected_on(ingest_day),
            Delimiter="/",
            StartAfter=keys.rejected_on(ingest_day) if after is None else keys.after_rejected(after),
            # Each may have retries, which are listed as one more; and one more tells whether there are more.
            MaxKeys=min(2 * limit + 1, MAX_KEYS_A_LIST),
        )

    def _item(self, key: str, retried: set[str]) -> Listed:
        """A refused event without the body, which may be large."""
        rejected = parse_rejection(self.objects.read(key))
        return listed(rejected, retried=keys.retries(rejected.rejected_id) in retried)

    def _retries_of(self, rejected_ids: Sequence[str]) -> dict[str, list[Retry]]:
        """The retries of each, which show whether one succeeded."""
        found = self.concurrently(lambda rejected_id: self._keys(keys.retries(rejected_id)), rejected_ids)
        records = iter(self.concurrently(self._retry, [key for some in found for key in some]))
        return {one: list(islice(records, len(some))) for one, some in zip(rejected_ids, found, strict=True)}

    def _retry(self, key: str) -> Retry:
        return parse_retry(self.objects.read(key))

    def read(self, beginning: str) -> list[Rejection]:
        """The first two refused events whose ids begin so.

        They are listed first: S3 answers a GET of what is not there with 403 if the caller may not list the bucket.
        """
        with translated("reading a refused event"):
            found = self._keys(keys.beginning_of_rejected(beginning), Delimiter="/")
            return [parse_rejection(self.objects.read(key)) for key in found[:2]]

    def retries(self, rejected_id: str) -> list[Retry]:
        """The first thousand retries, oldest first."""
        with translated("reading the retries of a refused event"):
            return self._retries_of([rejected_id])[rejected_id]

    def record(self, retry: Retry) -> None:
        """Keep the record of a retry, once."""
        key = keys.retry_record(retry.rejected_id, retry.requested_at)
        with translated("recording a retry"):
            written = self.objects.put_if_absent(key, retry.to_json(), "application/json")
            # A record that is there already may be this one, if only the answer of writing it was lost.
            if not written and self.objects.read(key) != retry.to_json():
                raise WriteConflict("Another retry of the same event was recorded at the same moment.")

    def _keys(self, prefix: str, **how: Any) -> list[str]:
        answer = self.objects.s3.list_objects_v2(
            Bucket=self.objects.bucket, Prefix=prefix, MaxKeys=MAX_KEYS_A_LIST, **how
        )
        return [found["Key"] for found in answer.get("Contents", [])]


def _affordable(kept: Sequence[ObjectTypeDef]) -> Iterable[ObjectTypeDef]:
    """The first of them, as many as one page may read, and at least one."""
    totals = accumulate(single["Size"] for single in kept)
    within = sum(1 for _ in takewhile(lambda total: total <= MAX_BYTES_A_PAGE, totals))
    return kept[: max(within, 1)]
