"""Metrics: one more is an element of a tuple, and shows in rows, answers, the OpenAPI document and verification."""

from __future__ import annotations

import re
from hashlib import sha256
from operator import add
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from chalicelib.aggregates import responses
from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.dynamodb_rows import aggregate_of_row, outcome_row, version_row
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.aggregates.metrics import METRICS, Input, Metric
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.queries import VersionsQuery
from chalicelib.aggregates.use_cases import Account, DailyAggregates
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Day, parse_instant
from chalicelib.processing.recorder import RecordInLedger
from retrace.checking.versions import check_version
from tests.unit.in_memory import at, no_pause
from tests.unit.ledger_in_memory import Aggregates

LATEST = Metric({"name": "latest_hour", "aggregate": "max"}, lambda event: int(event.event_time[11:13]), -1, max)
PAID = Metric(
    {"name": "order_paid_count", "aggregate": "count"},
    lambda event: 1 if event.event_type == "order.paid" else None,
    0,
    add,
)
MORE = (*METRICS, LATEST, PAID)

ENTITY, DAY = "order-1007", Day("2026-11-21")
VERSION = Version(ENTITY, DAY, "replay-1")
NOW = parse_instant("2026-11-22T00:00:00Z")
EVENTS = [
    Input(parse_instant(f"2026-11-21T{hour}:00:00Z"), f"{number:064x}", event_type, "0" * 64)
    for number, (hour, event_type) in enumerate([("12", "order.placed"), ("18", "order.paid"), ("06", "order.paid")])
]
BUILT_IN = "3804f24c9a23e8a9e2e36a483fe8642266be9527a10b0d5a29c15a89ded51ba1"


def listed(metric: Metric, value: str, inputs: int, skipped: int = 0) -> dict[str, Any]:
    named = {"name": metric.name, "definition_sha256": metric.definition_sha256, "group": {}}
    return named | {"value": value, "inputs": inputs, "skipped": skipped}


LISTED = [listed(METRICS[0], "3", 3), listed(LATEST, "18", 3), listed(PAID, "2", 2, skipped=1)]


def record_of_input(event: Input) -> OutcomeRecord:
    return OutcomeRecord(VERSION, event, Outcome.INPUT, MessageKey(event.event_time, event.event_id))


def row_after(*batches: tuple[list[Input], tuple[Metric, ...]]) -> dict[str, Any]:
    """The version's row after batches of inputs, each recorded while there were these metrics."""
    store = Aggregates()
    for events, metrics in batches:
        RecordInLedger(store, at(), no_pause, metrics).record([*map(record_of_input, events)])
    written = store.versions_written[VERSION]
    return from_item(version_row(NewRevision(VERSION, written.aggregate, written.revision), NOW))


def answer_of(row: dict[str, Any]) -> dict[str, Any]:
    """The version as GET /aggregates answers it."""
    status = VersionStatus(AggregateVersion(VERSION, aggregate_of_row(row), NOW), None)
    query = VersionsQuery.model_validate({"entity_id": ENTITY, "day": DAY})
    [version] = responses.daily_aggregates(DailyAggregates(query, (Account(status, 0),), exact=True, cursor=None))[
        "versions"
    ]
    return dict(version)


def differing(row: dict[str, Any], metrics: tuple[Metric, ...]) -> list[tuple[str, ...]]:
    """The fields that `retrace check verify` finds to differ."""
    entries = [from_item(outcome_row(record_of_input(event))) for event in EVENTS]
    found = check_version(VERSION, row, entries, {event.key: event for event in EVENTS}, metrics)
    return [each.fields for each in found]


def test_one_more_metric_is_stored_and_answered_after_the_others_whatever_the_batches() -> None:
    rows = [row_after((EVENTS, MORE)), row_after((EVENTS[1:], MORE), (EVENTS[:1], MORE))]

    for row in rows:
        assert (row["event_count"], row["metrics"]) == (3, LISTED)
        assert answer_of(row)["metrics"] == LISTED


def test_the_first_metric_is_built_in_and_known_by_the_hash_of_its_definition() -> None:
    definition = b'{"aggregate":"count","name":"daily_event_count","time_zone":"UTC"}'

    assert METRICS[0].definition_sha256 == sha256(definition).hexdigest() == BUILT_IN
    assert row_after((EVENTS, METRICS))["metrics"] == [listed(METRICS[0], "3", 3)]


def test_another_definition_under_the_same_name_is_another_metric() -> None:
    other = Metric(PAID.definition | {"on_missing": "fail"}, PAID.contribution, 0, add)
    row = row_after((EVENTS, (*METRICS, PAID, other)))

    assert [each["name"] for each in row["metrics"]] == ["daily_event_count", "order_paid_count", "order_paid_count"]
    assert len({each["definition_sha256"] for each in row["metrics"]}) == 3


def test_the_form_of_a_metric_is_described() -> None:
    schema = TypeAdapter(responses.AccountedVersion).json_schema()

    described = schema["$defs"]["MetricShape"]
    assert set(described["required"]) == LISTED[0].keys()
    Draft202012Validator({**described, "$defs": schema["$defs"]}).validate(LISTED[2])


@pytest.mark.parametrize("number", range(len(MORE)))
def test_the_value_of_each_metric_is_verified(number: int) -> None:
    row = row_after((EVENTS, MORE))
    assert differing(row, MORE) == []

    row["metrics"][number]["value"] = "1"

    assert differing(row, MORE) == [("metrics",)]


def test_a_version_that_was_begun_before_a_metric_has_no_value_of_it() -> None:
    row = row_after((EVENTS[:1], METRICS), (EVENTS[1:], MORE))

    assert row == row_after((EVENTS, METRICS)) | {"revision": row["revision"]}
    assert differing(row, MORE) == []


def test_the_reference_has_a_row_for_each_metric() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    [table] = re.findall(r"^\| metric \|.*\n\|[- |]+\n((?:\|.*\n)+)", reference, re.MULTILINE)

    assert re.findall(r"^\| `(\w+)` .*`(\w{64})` \|$", table, re.MULTILINE) == [
        (metric.name, metric.definition_sha256) for metric in METRICS
    ]
