"""Quarantine in S3: refused events, each kept once a day under the hash of its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws import keys
from chalicelib.aws.errors import translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.ingest.rejection import Rejection, RejectionStatus


@dataclass(frozen=True)
class S3Quarantine:
    """The part of the raw bucket that holds what could not be accepted."""

    objects: WriteOnceBucket

    def keep(self, rejected: Rejection) -> None:
        """Keep a refused event; the first record of the same bytes on one day stands."""
        with translated("keeping a refused event"):
            conflict = rejected.status is RejectionStatus.CONFLICT
            key = keys.rejected_object(rejected.rejected_id, conflict=conflict)
            self.objects.put_if_absent(key, rejected.to_json(), "application/json")
