"""What metrics cost a message: no call more, and with one to five of them no write unit more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.meter import Cost
from bench.replay_costs import ALONE, BATCHES, SCATTERED, SHAPES, TOGETHER, Shape, processed
from chalicelib.core.lossless_json import parse
from chalicelib.metrics.definition import Definition, definition_of


def defined(name: str, **members: Any) -> Definition:
    return definition_of(parse(json.dumps({"name": name, "source": "shop/checkout", **members})))


AMOUNT = {"value": "/amount", "parse": "decimal"}
FIVE = (
    defined("revenue", aggregate="sum", **AMOUNT),
    defined("average", aggregate="avg", **AMOUNT),
    defined("paid", aggregate="count", event_types=["order.paid"]),
    defined("in_euro", aggregate="count", where=[{"path": "/currency", "equals": "EUR"}]),
    defined("customers", aggregate="distinct", value="/customer"),
)
BY_CURRENCY = defined("by_currency", aggregate="sum", group_by=["/currency"], **AMOUNT)
IN_PARIS = defined("in_paris", aggregate="sum", time_zone="Europe/Paris", **AMOUNT)


def writes(cost: Cost) -> int:
    return sum(cost.writes.values())


@pytest.mark.parametrize("metrics", [FIVE[:1], FIVE, (BY_CURRENCY,)], ids=["one", "five", "grouped"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_metrics_cost_no_call_and_no_unit_more(shape: Shape, batch: int, metrics: tuple[Definition, ...]) -> None:
    without, with_metrics = processed(shape, batch), processed(shape, batch, metrics)

    assert dict(with_metrics.calls) == dict(without.calls)
    assert dict(with_metrics.reads) == dict(without.reads)
    assert writes(with_metrics) <= writes(without)


@pytest.mark.parametrize("shape", [TOGETHER, ALONE, SCATTERED], ids=lambda shape: shape.name)
def test_another_calendar_costs_a_row_for_each_message_and_a_version_for_each_day_of_an_entity(shape: Shape) -> None:
    without, with_metric = processed(shape, 10), processed(shape, 10, (IN_PARIS,))
    entities = len({shape.entity_of(number) for number in range(10)})

    more = writes(with_metric) - writes(without)
    assert 2 * (10 + entities) <= more <= 2 * (10 + 2 * entities)
    assert with_metric.calls["GetObject"] == without.calls["GetObject"]
