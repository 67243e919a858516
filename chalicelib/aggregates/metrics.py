"""The metrics of a daily aggregate, and the inputs that contribute to them.

A metric is a commutative monoid, so that batches may be merged in any order and grouping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from chalicelib.core.timestamps import Instant

InputKey = tuple[Instant, str]
"""The time and id of an input."""

Values = Mapping[str, Any]
"""Values of metrics by name, in the order of the metrics."""


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
class Metric:
    """A number or a text that is computed from the inputs of a version."""

    name: str
    contribution: Callable[[Input], Any]
    zero: Any
    """The value of no inputs."""
    add: Callable[[Any, Any], Any]
    json_type: Mapping[str, Any]
    """The JSON Schema of a value."""

    def of(self, inputs: Iterable[Input]) -> Any:
        """The value of distinct inputs."""
        return reduce(self.add, map(self.contribution, inputs), self.zero)


METRICS = (Metric("daily_event_count", lambda _: 1, 0, add, {"minimum": 0, "type": "integer"}),)
"""All metrics; a new one is a line here and a row in docs/api.md. One that was released stays."""


def metric_members(values: Values) -> dict[str, Any]:
    """The values as rows and answers have them: the first by itself, and a list if there are several."""
    listed = [{"name": name, "value": value} for name, value in values.items()]
    first = {"metric_name": listed[0]["name"], "value": listed[0]["value"]}
    return first | ({"metrics": listed} if len(listed) > 1 else {})


def values_of_row(row: Mapping[str, Any]) -> Values:
    """The values that `metric_members` wrote into a row."""
    return {row["metric_name"]: row["value"]} | {each["name"]: each["value"] for each in row.get("metrics", ())}


def metrics_of_row(row: Mapping[str, Any], metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics that a version has: the first, and those that existed when it was begun. The row may be damaged."""
    first, *others = metrics
    listed = row.get("metrics")
    names = [each.get("name") for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return (first, *(metric for metric in others if metric.name in names))


def describe_metrics(metrics: tuple[Metric, ...], schema: dict[str, Any]) -> None:
    """Add to the JSON Schema of a version what `metric_members` writes."""
    members = schema["properties"]
    members["metric_name"]["const"] = metrics[0].name
    members["value"] |= metrics[0].json_type
    if len(metrics) > 1:
        of_each = [_listed_schema(metric) for metric in metrics]
        members["metrics"] = {"items": {"anyOf": of_each}, "title": "Metrics", "type": "array"}


def _listed_schema(metric: Metric) -> dict[str, Any]:
    return {
        "additionalProperties": False,
        "properties": {"name": {"const": metric.name, "type": "string"}, "value": dict(metric.json_type)},
        "required": ["name", "value"],
        "type": "object",
    }
