"""Asks the index about a day: how many events came after a replay had read it, and of which types there are some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.aggregates.aggregate import Aggregate
from chalicelib.core.calendars import window_in
from chalicelib.core.read_budget import REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day, Window
from chalicelib.events.index_pages import EntityPartition, Partition, days_of, shards_of_day
from chalicelib.events.ports import EVERY_EVENT, EventFilter, EventIndex, Sources
from chalicelib.metrics.definition import Definition
from chalicelib.totals.coverage import Computed, Pair

PAIRS_LOOKED_FOR = 100
"""Sources and types."""

_Part = tuple[Partition, str | None, EventFilter]


@dataclass(frozen=True)
class CountArrivals:
    """What the index has of a day beyond the inputs of a settled replay is what came since."""

    index: EventIndex
    shards: int
    reads: PaidReads

    def since(self, computed: Computed, aggregate: Aggregate, entity_id: str | None = None) -> int | None:
        """How many came since, of those that the replay and the metric both take; None if that cannot be counted.

        Raises ReadsSpent, unless even most of a request does not suffice to count them.
        """
        left_us = self.reads.left_us
        try:
            return self._since(computed, aggregate, entity_id)
        except ReadsSpent:
            if left_us < REQUEST_US // 2:
                raise
            return None

    def _since(self, computed: Computed, aggregate: Aggregate, entity_id: str | None) -> int | None:
        if not computed.counts_what_came_since:
            return None
        if entity_id is not None and not computed.is_of_all_entities:
            counted = self._count([(EntityPartition(entity_id, computed.window), None, EVERY_EVENT)])
            return max(0, counted - aggregate.event_count)
        inputs = _inputs_of(computed, aggregate)
        if inputs is None:
            return None
        return max(0, self._count(self._parts(computed, entity_id)) - inputs)

    def _parts(self, computed: Computed, entity_id: str | None) -> list[_Part]:
        if entity_id is None:
            groups = computed.partitions(computed.types, self.shards)
            return [(partition, None, EVERY_EVENT) for group in groups for partition in group]
        partition, source = EntityPartition(entity_id, computed.window), computed.job.request.source
        return [(partition, None, EventFilter(source, event_type)) for event_type in computed.types]

    def _count(self, parts: Sequence[_Part]) -> int:
        rows, left = 0, list(parts)
        while left:
            counted = self.reads(lambda part: self.index.count(*part), left)
            rows += sum(each.rows for each in counted)
            more = zip(left, counted, strict=True)
            left = [(part[0], each.read_to, part[2]) for part, each in more if each.read_to is not None]
        return rows


@dataclass(frozen=True)
class TypesOfDays:
    """Finds the sources and types of which a day has events, for metrics that do not name theirs.

    A source and type is recorded before the first event of it, so that none is overlooked.
    """

    sources: Sources
    index: EventIndex
    shards: int
    reads: PaidReads
    _known: dict[tuple[str, Day], frozenset[Pair] | None] = field(default_factory=dict)

    def needed(self, definition: Definition, day: Day) -> frozenset[Pair] | None:
        """Those that a metric takes. None if it names its source and types, or if there are too many to look for."""
        if definition.source is not None and definition.event_types is not None:
            return None
        key = definition.sha256, day
        if key not in self._known:
            try:
                self._known[key] = self._found(definition, window_in(definition.time_zone, day))
            except ReadsSpent:
                self._known[key] = None
        return self._known[key]

    def _found(self, definition: Definition, window: Window) -> frozenset[Pair] | None:
        [page] = self.reads(lambda source: self.sources.page(None, PAIRS_LOOKED_FOR, source), [definition.source])
        if page.read_to is not None:
            return None
        types = definition.event_types
        pairs = [(each.source, each.event_type) for each in page.items if types is None or each.event_type in types]
        parts = [
            part for pair in pairs for day in days_of(window) for part in shards_of_day(*pair, day, window, self.shards)
        ]
        pages = self.reads(lambda part: self.index.page(part, None, 1), parts)
        found = zip(parts, pages, strict=True)
        return frozenset((part.source, part.event_type) for part, page in found if page.rows or page.read_to)


def _inputs_of(computed: Computed, aggregate: Aggregate) -> int | None:
    """How many inputs are of the types that the metric takes; None if the aggregate does not list them all."""
    if set(computed.types) == set(computed.job.request.types):
        return aggregate.event_count
    if aggregate.other_types_count:
        return None
    return sum(aggregate.counts_by_type.get(name, 0) for name in computed.types)
