"""Which records are written together: as many as fit into one transaction with all rows that they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.ledger import OutcomeRecord

ROWS_TOGETHER = 100
"""How many rows DynamoDB reads in one call, and writes in one transaction."""


def written_together(records: Iterable[OutcomeRecord]) -> Iterator[list[OutcomeRecord]]:
    """Each message once, in as few parts as their rows fit into: outcomes, versions, and a counter for each replay."""
    part: list[OutcomeRecord] = []
    rows: set[object] = set()
    for each in _in_order(records):
        more = _rows_of(each)
        if len(rows) + len(more - rows) > ROWS_TOGETHER:
            yield part
            part, rows = [], set()
        part.append(each)
        rows |= more
    if part:
        yield part


def _rows_of(each: OutcomeRecord) -> set[object]:
    rows: set[object] = {each.key}
    for added in each.inputs:
        rows |= {added.version, (added.version, each.message_key)}
    if each.version.of_job:
        rows.add(each.version.replay_id)
    return rows


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
