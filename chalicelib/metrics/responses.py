"""Answers about metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from chalicelib.core.schemas import Cursor, DescribedBy, JsonSchema, Sha256, Shape, Time
from chalicelib.metrics.catalogue import Change, MetricVersion
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.members import DefinitionMembers
from chalicelib.metrics.use_cases import Defined, FoundMetric, FoundMetrics

DefinitionShape = Annotated[dict[str, object], DescribedBy(DefinitionMembers)]


class MetricAnswer(Shape):
    """A metric: its newest definition, and whether replays compute it without naming it."""

    name: str
    state: Literal["ACTIVE", "RETIRED"]
    built_in: bool
    definition_sha256: Annotated[Sha256, JsonSchema(description="Of the canonical JSON of its definition.")]
    definition: DefinitionShape
    changed_at: Annotated[Time | None, JsonSchema(description="Null if it is built in.")]
    changed_by: Annotated[str | None, JsonSchema(description="Who signed the last change. Null if it is built in.")]


class DefinedMetric(MetricAnswer):
    """A metric after a request."""

    changed: Annotated[bool, JsonSchema(description="False if it was so before.")]


class MetricVersionShape(Shape):
    """A definition that a metric had."""

    definition_sha256: Sha256
    definition: DefinitionShape
    defined_at: Time
    defined_by: str
    retired_at: Time | None


class MetricHistory(MetricAnswer):
    """A metric with its definitions, the newest first."""

    versions: Annotated[
        list[MetricVersionShape], JsonSchema(description="By its last 100 changes. Empty if it is built in.")
    ]


class MetricList(Shape):
    """A page of metrics in order of names, those built in first."""

    items: list[MetricAnswer]
    cursor: Cursor


def metrics(found: FoundMetrics) -> MetricList:
    """A page of metrics."""
    built_in = [_metric(definition, None) for definition in found.built_in]
    named = [_metric(each.last.definition, each.last) for each in found.metrics]
    return {"items": built_in + named, "cursor": found.cursor}


def metric(found: FoundMetric) -> MetricHistory:
    """A metric with its definitions."""
    return {**_metric(found.definition, found.last), "versions": list(map(_version, found.versions))}


def defined(found: Defined) -> DefinedMetric:
    """A metric after a request."""
    return {**_metric(found.last.definition, found.last), "changed": found.changed}


def _metric(definition: Definition, last: Change | None) -> MetricAnswer:
    return {
        "name": definition.name,
        "state": "ACTIVE" if last is None else last.state.value,
        "built_in": last is None,
        "definition_sha256": definition.sha256,
        "definition": definition.members,
        "changed_at": None if last is None else last.at,
        "changed_by": None if last is None else last.by,
    }


def _version(version: MetricVersion) -> MetricVersionShape:
    return {
        "definition_sha256": version.definition.sha256,
        "definition": version.definition.members,
        "defined_at": version.defined_at,
        "defined_by": version.defined_by,
        "retired_at": version.retired_at,
    }
