"""Folds the versions of a replay again, and compares what they come to with the totals that are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.aggregates.aggregate import Definitions, Version, aggregate_of
from chalicelib.aggregates.dynamodb_rows import aggregate_of_row
from chalicelib.aggregates.dynamodb_totals import total_row
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.percent_encoding import from_key
from chalicelib.core.timestamps import Day, Instant
from chalicelib.replays.pinning import SHORT
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.checking.stores import Tables

Row = Mapping[str, Any]

_SAYS_HOW = ("computed_at", "revision", "processed")
ALL_ENTITIES = "all entities"


def check_total(
    of: ReplayedDay, row: Row, versions: Iterable[AggregateVersion], definitions: Definitions
) -> Iterator[Difference]:
    """What of a whole total does not follow from the versions of its day, with the names of the metrics."""
    begun = Total(of, processed=0, aggregate=aggregate_of((), definitions), computed_at=Instant(""), folded_to=None)
    expected = from_item(total_row(begun.with_versions(versions, definitions)))
    fields = tuple(name for name, value in expected.items() if name not in _SAYS_HOW and row.get(name) != value)
    if fields:
        detail = ", ".join(_metrics_in(row, expected, definitions))
        yield Difference(
            Kind.TOTAL_DIFFERS, entity_id=ALL_ENTITIES, day=of.day, replay_id=of.replay_id, fields=fields, detail=detail
        )


def _metrics_in(row: Row, expected: Row, definitions: Definitions) -> Iterator[str]:
    """The names of metrics that differ between two rows."""
    names = {each.sha256[:SHORT]: each.name for each in definitions}
    kept = row["m"] if isinstance(row.get("m"), dict) else {}
    for short in sorted({*kept, *expected["m"]}):
        if kept.get(short) != expected["m"].get(short):
            yield names.get(short, short)


def versions_of(tables: Tables, versions: Iterable[Version], definitions: Definitions) -> Iterator[AggregateVersion]:
    """Versions as their rows say they are. One that cannot be read is left out: it is told by itself."""
    for version in versions:
        row = tables.version_row(version)
        try:
            if row is not None:
                yield AggregateVersion(version, aggregate_of_row(row, definitions), Instant(""))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue


def by_day(versions: Iterable[Version]) -> dict[ReplayedDay, list[Version]]:
    """Versions of one replay by their days."""
    found = defaultdict[ReplayedDay, list[Version]](list)
    for version in versions:
        found[ReplayedDay(version.replay_id, version.day, version.calendar)].append(version)
    return found


def day_of_total(replay_id: str, row: Row) -> ReplayedDay | None:
    """The day whose total a row is, by its sort key: P1D#<calendar>#<day>#VER#<replay>."""
    match str(row.get("SK")).split("#"):
        case [_, calendar, day, "VER", _]:
            return ReplayedDay(replay_id, Day(day), from_key(calendar))
    return None
