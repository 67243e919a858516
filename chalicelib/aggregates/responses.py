"""JSON shapes of daily aggregates, their inputs and what two versions do not share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib.aggregates.diff import Changed
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.queries import DiffQuery
from chalicelib.aggregates.use_cases import Account, DailyAggregates, Difference, FoundInputs
from chalicelib.core.timestamps import end_of, start_of

Json = dict[str, Any]


def daily_aggregates(found: DailyAggregates) -> Json:
    """Versions of a daily aggregate, and how many events came after each: at least this many, unless it is exact."""
    return {
        "entity_id": found.query.entity_id,
        "day": found.query.day,
        "versions": list(map(_account, found.accounts)),
        "late_arrivals": _late(found),
        "exact": found.exact,
        "cursor": found.cursor,
    }


def _late(found: DailyAggregates) -> int | None:
    """What came after the newest version, which only the first page has."""
    if found.query.cursor is not None:
        return None
    return found.accounts[0].arrived_since if found.accounts else 0


def _account(account: Account) -> Json:
    because = account.status.partial_because
    return {
        **_version(account.status.stored),
        "complete": not because,
        **({"partial_because": list(because)} if because else {}),
        "arrived_since": account.arrived_since,
    }


def _version(stored: AggregateVersion) -> Json:
    aggregate = stored.aggregate
    return {
        "replay_id": stored.version.replay_id,
        **aggregate.metric_members,
        "input_count": aggregate.input_count,
        "inputs_hash": aggregate.inputs_hash,
        "sample_event_ids": aggregate.sample_event_ids,
        "counts_by_type": dict(sorted(aggregate.counts_by_type.items())),
        "other_types_count": aggregate.other_types_count,
        "window_start": start_of(stored.version.day),
        "window_end": end_of(stored.version.day),
        "computed_at": stored.computed_at,
    }


def inputs(found: FoundInputs) -> Json:
    """A page of a version's inputs."""
    return {"items": list(map(asdict, found.inputs)), "cursor": found.cursor}


def difference(query: DiffQuery, found: Difference) -> Json:
    """What a stretch of two versions does not share; the counts are those of the stretch."""
    comparison = found.comparison
    return {
        "entity_id": query.entity_id,
        "day": query.day,
        "from": _version(found.from_),
        "to": _version(found.to),
        "only_in_from": list(map(asdict, comparison.only_in_from)),
        "only_in_to": list(map(asdict, comparison.only_in_to)),
        "changed": list(map(_changed, comparison.changed)),
        "counts": {
            "only_in_from": len(comparison.only_in_from),
            "only_in_to": len(comparison.only_in_to),
            "changed": len(comparison.changed),
            "shared": comparison.shared,
        },
        "cursor": found.cursor,
    }


def _changed(changed: Changed) -> Json:
    return {
        "event_time": changed.before.event_time,
        "event_id": changed.before.event_id,
        "from_content_sha256": changed.before.content_sha256,
        "to_content_sha256": changed.after.content_sha256,
    }
