"""Names and definitions of metrics, written again from the records of their changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure
from chalicelib.metrics.catalogue import Catalogue, Change, NamedMetric, parse_change
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.checking.stores import RawBucket
from retrace.concurrency import in_order


@dataclass
class MetricRecords:
    """The records of a bucket."""

    bucket: RawBucket
    restored: int = 0
    """How many metrics were written."""

    def restore(self, catalogue: Catalogue) -> Iterator[Difference]:
        """Write every metric that the catalogue lacks, change by change; answers records that are damaged."""
        every_key = (key for page in self.bucket.keys(keys.METRICS) for key in page)
        for _, of_name in groupby(every_key, key=lambda key: key.rpartition("/")[0]):
            changes = list[Change]()
            for key, content in in_order(lambda key: (key, self.bucket.content(key) or b""), of_name):
                try:
                    changes.append(_of_key(key, content))
                except IntegrityFailure as error:
                    yield Difference(Kind.RECORD_CHANGED, s3_key=key, detail=str(error))
            self.restored += _written(catalogue, changes)


def _of_key(key: str, content: bytes) -> Change:
    change = parse_change(content)
    if key != keys.metric_change(change.name, change.at):
        raise IntegrityFailure("It says another name or time than its key.")
    return change


def _written(catalogue: Catalogue, changes: list[Change]) -> bool:
    """Write the changes of a metric in their order, unless the catalogue has the metric."""
    if not changes or catalogue.named(changes[0].name) is not None:
        return False
    read: NamedMetric | None = None
    for revision, change in enumerate(changes, 1):
        catalogue.change(change, read)
        read = NamedMetric(change, revision)
    return True
