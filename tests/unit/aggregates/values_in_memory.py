"""Values that need all inputs, kept in memory as the port describes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.aggregates.ports import AggregateHistory, Values, ValuesKey
from chalicelib.aggregates.stored_metrics import StoredMetrics
from tests.unit.definitions_in_memory import DefinitionsInMemory


@dataclass
class ValuesInMemory:
    """Kept values, and how often some were to be kept."""

    kept: dict[ValuesKey, Values] = field(default_factory=dict)
    calls: int = 0

    def find(self, key: ValuesKey) -> Values | None:
        return self.kept.get(key)

    def keep(self, key: ValuesKey, values: Values) -> None:
        self.calls += 1
        self.kept.setdefault(key, values)


def stored_metrics(
    history: AggregateHistory, definitions: DefinitionsInMemory | None = None, kept: ValuesInMemory | None = None
) -> StoredMetrics:
    """The metrics of versions of a history."""
    return StoredMetrics(history, definitions or DefinitionsInMemory(), kept or ValuesInMemory())
