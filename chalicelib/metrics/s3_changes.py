"""Records of changes to metrics in S3, beside the raw events: written once, and listed in digests."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws import keys
from chalicelib.aws.errors import translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.errors import IntegrityFailure
from chalicelib.metrics.catalogue import Change, parse_change


@dataclass(frozen=True)
class S3ChangeRecords:
    """The part of the raw bucket that contains changes to metrics."""

    objects: WriteOnceBucket

    def keep(self, change: Change) -> Change:
        """Keep the record of a change, and answer the one that has its number: another if that was first."""
        key = keys.metric_change(change.name, change.sequence)
        with translated("recording a change of a metric"):
            if self.objects.put_if_absent(key, change.to_json(), "application/json"):
                return change
            return recorded_change(key, self.objects.read(key))


def recorded_change(key: str, content: bytes) -> Change:
    """The change that an object records; raises IntegrityFailure if it is none, or not what its key says."""
    change = parse_change(content)
    if key != keys.metric_change(change.name, change.sequence):
        raise IntegrityFailure("It says another name or number than its key.")
    return change
