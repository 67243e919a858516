"""Pages of the values of a metric: where each is from, and the replays that would mend partial and stale ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from chalicelib.aggregates.aggregate import Aggregate
from chalicelib.core.pagination import invalid_cursor
from chalicelib.core.timestamps import Day, Instant, day_after, end_of, start_of
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.metric_state import MetricState, over_groups
from chalicelib.totals.coverage import Computed, Pair, bounds, mending, taken

_DOES_NOT_FOLLOW = (
    "It does not follow from the values of entities or groups. Ask by=entity, or by=group with entity_id."
)


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A value of a metric. `members` are its group, value and counts; `arrived_since` is None if it is not counted."""

    computed: Computed
    members: Mapping[str, Any]
    aggregate: Aggregate
    versions: int
    computed_at: Instant | None
    arrived_since: int | None
    entity_id: str | None = None

    @property
    def needs_mending(self) -> bool:
        """Whether a further replay would make it another one."""
        return bool(self.arrived_since or self.computed.partial_because)

    @property
    def arrived_since_counts(self) -> str:
        """Which events `arrived_since` counts, if the metric may not take all of them. The index has no payloads."""
        definition = self.computed.definition
        if self.arrived_since is None:
            return ""
        if self.entity_id is not None and not self.computed.is_of_all_entities:
            takes_all = definition.source is None and definition.event_types is None and not definition.where
            return "" if takes_all else "every event of the entity's day, whether or not the metric takes it"
        return "events of the metric's source and types, whether or not they meet its where" if definition.where else ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A day without a value, and why."""

    day: Day
    reason: str
    needed: frozenset[Pair] | None = None


@dataclass
class ValuesPage:
    """Values in order, days without one, and the position to go on from."""

    definition: Definition
    limit: int
    values: list[MetricValue] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    position: str | None = None

    @property
    def room(self) -> int:
        """How many more values it may have."""
        return self.limit - len(self.values)

    def take(self, every: Sequence[MetricValue], position: str) -> str | None:
        """Add those of a day's values that follow a position, as far as there is room; the position to go on from."""
        if not position.isascii() or not (position.isdigit() or position == ""):
            raise invalid_cursor()
        begin = int(position or "0")
        end = begin + self.room
        self.values += every[begin:end]
        return str(end) if end < len(every) else None

    def replays(self, entity_id: str | None, *, names_it: bool) -> list[dict[str, object]]:
        """Bodies for POST /replay that make every day of the page whole, consecutive days together.

        `names_it` is True of a metric that replays compute only if they name it.
        """
        found: list[dict[str, object]] = []
        chosen: dict[str, object] = {"metrics": [self.definition.name]} if names_it else {}
        for (_, pairs), days in groupby(enumerate(self._mended()), _run):
            some = [day for _, (day, _) in days]
            body = _of_entity(self.definition, some, entity_id) if entity_id else mending(self.definition, some, pairs)
            found += [body | chosen] if body else []
        return found

    def _mended(self) -> list[tuple[Day, tuple[Pair, ...]]]:
        """Days to compute again, each with the source and types that a replay names."""
        missing = (each for each in self.missing if each.needed is None or each.needed)
        days = {each.day: taken(self.definition, None, each.needed) for each in missing}
        stale = (each.computed for each in self.values if each.needs_mending)
        days |= {each.day: taken(self.definition, each.job, each.needed) for each in stale}
        return sorted(days.items())


def _run(numbered: tuple[int, tuple[Day, tuple[Pair, ...]]]) -> tuple[Day, tuple[Pair, ...]]:
    """What consecutive days that one request mends have in common."""
    number, (day, pairs) = numbered
    return day_after(day, -number), pairs


def _of_entity(definition: Definition, days: list[Day], entity_id: str) -> dict[str, object]:
    window = bounds(definition, days)
    if "start_time" not in window:
        window = {"start_time": start_of(days[0]), "end_time": end_of(days[-1])}
    return {"entity_id": entity_id, **window}


def members_of(state: MetricState, by: str, group: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """What a metric comes to: one for each group that is wanted, or one over all groups."""
    shown = over_groups(state) if by == "day" else state
    if state.definition.kind.of_all is not None:
        shown = replace(shown, unknown_because=state.unknown_because or _DOES_NOT_FOLLOW)
    for members in shown.members:
        if group.items() <= members["group"].items():
            yield members
