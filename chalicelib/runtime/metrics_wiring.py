"""Wires definitions of metrics, for their routes and for functions that compute them."""

from __future__ import annotations

from chalicelib.metrics.dynamodb_definitions import DynamoDefinitions
from chalicelib.metrics.s3_changes import S3ChangeRecords
from chalicelib.metrics.use_cases import DefineMetrics, FindMetrics
from chalicelib.runtime import system
from chalicelib.runtime.event_wiring import raw_bucket


@system.once
def definitions() -> DynamoDefinitions:
    """Definitions and their names; one for all requests, as it remembers definitions."""
    return DynamoDefinitions(system.dynamodb(), system.settings().named("replays_table"), system.pause)


def define_metrics() -> DefineMetrics:
    """PUT and DELETE /metrics/{name}."""
    return DefineMetrics(definitions(), definitions(), S3ChangeRecords(raw_bucket()), system.now)


def find_metrics() -> FindMetrics:
    """GET /metrics and GET /metrics/{name}."""
    return FindMetrics(definitions())
