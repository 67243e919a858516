"""The metrics of an aggregate, and the inputs that contribute to them.

A metric is a commutative monoid, so that batches may be merged in any order and grouping. Its definition never changes:
rows and answers name it by the SHA-256 of its canonical JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import sha256
from operator import add
from typing import Any

from chalicelib.core.canonical_json import canonical
from chalicelib.core.lossless_json import JsonValue
from chalicelib.core.timestamps import Instant

InputKey = tuple[Instant, str]
"""The time and id of an input."""


@dataclass(frozen=True, slots=True, order=True)
class Input:
    """One event that went into an aggregate; ordered by time, then id."""

    event_time: Instant
    event_id: str
    event_type: str
    content_sha256: str

    @property
    def key(self) -> InputKey:
        """Distinguishes inputs of a version: an id comes twice if an identity expired and its key was used again."""
        return self.event_time, self.event_id


@dataclass(frozen=True, slots=True)
class MetricValue:
    """What a metric comes to, of how many inputs, and how many it skipped, as they have nothing to contribute."""

    name: str
    definition_sha256: str
    value: int
    inputs: int = 0
    skipped: int = 0

    @property
    def members(self) -> dict[str, Any]:
        """The value as rows and answers have it: as text, so that no reader rounds it. No metric has groups yet."""
        return {
            "name": self.name,
            "definition_sha256": self.definition_sha256,
            "group": {},
            "value": str(self.value),
            "inputs": self.inputs,
            "skipped": self.skipped,
        }


Values = Mapping[str, MetricValue]
"""Values by the hashes of definitions, in the order of the metrics."""


@dataclass(frozen=True)
class Metric:
    """A number that is computed from the inputs of a version. One that contributes None is skipped."""

    definition: dict[str, JsonValue]
    contribution: Callable[[Input], int | None]
    zero: int
    """The value of no inputs."""
    add: Callable[[int, int], int]

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.definition["name"])

    @cached_property
    def definition_sha256(self) -> str:
        """What it is known by."""
        return sha256(canonical(self.definition).encode()).hexdigest()

    @property
    def nothing(self) -> MetricValue:
        """The value of no inputs."""
        return MetricValue(self.name, self.definition_sha256, self.zero)

    def of(self, inputs: Iterable[Input]) -> MetricValue:
        """The value of distinct inputs."""
        found = [self.contribution(each) for each in inputs]
        taken = [each for each in found if each is not None]
        value = reduce(self.add, taken, self.zero)
        return MetricValue(self.name, self.definition_sha256, value, len(taken), len(found) - len(taken))

    def merge(self, left: MetricValue, right: MetricValue) -> MetricValue:
        """The value of both sets of inputs together."""
        value = self.add(left.value, right.value)
        inputs, skipped = left.inputs + right.inputs, left.skipped + right.skipped
        return MetricValue(self.name, self.definition_sha256, value, inputs, skipped)


DAILY_EVENT_COUNT: dict[str, JsonValue] = {"aggregate": "count", "name": "daily_event_count", "time_zone": "UTC"}

METRICS = (Metric(DAILY_EVENT_COUNT, lambda _: 1, 0, add),)
"""All metrics; a new one is a line here and a row in docs/api.md. One that was released stays as it is."""


def values_of_row(row: Mapping[str, Any]) -> Values:
    """The values of a version's row."""
    return {each["definition_sha256"]: _value_of(each) for each in row["metrics"]}


def _value_of(each: Mapping[str, Any]) -> MetricValue:
    value = int(each["value"])
    return MetricValue(each["name"], each["definition_sha256"], value, each["inputs"], each["skipped"])


def metrics_of_row(row: Mapping[str, Any], metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics that a version has: the first, and those that existed when it was begun. The row may be damaged."""
    first, *others = metrics
    listed = row.get("metrics")
    listed = listed if isinstance(listed, list) else []
    known = [each.get("definition_sha256") for each in listed if isinstance(each, Mapping)]
    return (first, *(metric for metric in others if metric.definition_sha256 in known))
