"""Splits records into transactions: each has as many as fit with all rows that they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from chalicelib.aggregates.aggregate import Definitions, Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import OutcomeRecord
from chalicelib.aggregates.metric_rows import packed_contributions

ROWS_TOGETHER = 100
"""How many rows DynamoDB reads in one call, and writes in one transaction."""

BYTES_TOGETHER = 4_000_000
"""The size of the rows that DynamoDB writes in one transaction, at most.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""
VERSION_BYTES = 50_000
"""The row of a version without metrics, at most: a hundred types and ten samples.

tests/unit/test_row_sizes.py holds this and the next three against rows of the longest names and widest numbers.
"""
METRIC_BYTES = 1_000
GROUPED_METRIC_BYTES = 16_000
"""A metric by groups: 3,600 bytes of names, and a number for each of a hundred."""
MESSAGE_BYTES = 6_000
"""The row of a message without what it contributed, or a counter."""


def written_together(records: Iterable[OutcomeRecord]) -> Iterator[list[OutcomeRecord]]:
    """Each message once, in as few parts as their rows fit into: outcomes, versions, and a counter for each replay."""
    part: list[OutcomeRecord] = []
    rows: dict[object, int] = {}
    for each in _in_order(records):
        more = _rows_of(each)
        if part and not _fits_into_one(rows | more):
            yield part
            part, rows = [], {}
        part.append(each)
        rows |= more
    if part:
        yield part


def _fits_into_one(rows: Mapping[object, int]) -> bool:
    return len(rows) <= ROWS_TOGETHER and sum(rows.values()) <= BYTES_TOGETHER


def _rows_of(each: OutcomeRecord) -> dict[object, int]:
    """The rows that a record changes, and the bytes of each, at most."""
    rows: dict[object, int] = {each.key: message_bytes(each.event)}
    for added in each.inputs:
        rows[added.version] = version_bytes(added.definitions)
        rows[added.version, each.message_key] = message_bytes(added.event)
    if each.version.of_job:
        rows[each.version.replay_id] = MESSAGE_BYTES
    return rows


def version_bytes(definitions: Definitions) -> int:
    """The size of the row of a version with these metrics, at most."""
    return VERSION_BYTES + sum(GROUPED_METRIC_BYTES if each.group_by else METRIC_BYTES for each in definitions)


def message_bytes(event: Input) -> int:
    """The size of the row of a message about this event, at most."""
    return MESSAGE_BYTES + len(repr(packed_contributions(event.contributed)).encode())


def _in_order(records: Iterable[OutcomeRecord]) -> list[OutcomeRecord]:
    """Each message once, those of a version one after the other."""
    once = {each.key: each for each in records}
    return sorted(
        once.values(),
        key=lambda each: (*_order_of(each.version), each.message_key.event_time, each.message_key.event_id),
    )


def _order_of(version: Version) -> tuple[str, str, str, str]:
    return version.replay_id, version.entity_id, version.day, version.calendar


def by_version(records: Iterable[OutcomeRecord]) -> list[list[OutcomeRecord]]:
    """Records of one version each."""
    parts: dict[Version, list[OutcomeRecord]] = defaultdict(list)
    for each in records:
        parts[each.version].append(each)
    return list(parts.values())
