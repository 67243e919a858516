"""Records of changes to metrics in S3, beside the raw events: written once, and listed in digests."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws import keys
from chalicelib.aws.errors import translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.errors import WriteConflict
from chalicelib.metrics.catalogue import Change


@dataclass(frozen=True)
class S3ChangeRecords:
    """The part of the raw bucket that contains changes to metrics."""

    objects: WriteOnceBucket

    def keep(self, change: Change) -> None:
        """Keep the record of a change; raises WriteConflict if there is another of the same moment."""
        key, record = keys.metric_change(change.name, change.at), change.to_json()
        with translated("recording a change of a metric"):
            written = self.objects.put_if_absent(key, record, "application/json")
            # A record that is there already may be this one, if only the answer of writing it was lost.
            if not written and self.objects.read(key) != record:
                raise WriteConflict("Another change of the same metric was recorded at the same moment.")
