"""Metrics of aggregates: one more is a definition, and shows in rows, answers, OpenAPI and verification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from chalicelib.aggregates import responses
from chalicelib.aggregates.aggregate import Definitions, Version
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.dynamodb_rows import aggregate_of_row, outcome_row, version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, NewRevision, Outcome, OutcomeRecord
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.queries import VersionsQuery
from chalicelib.aggregates.use_cases import Account, DailyAggregates
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.lossless_json import Number, parse
from chalicelib.core.timestamps import Day, parse_instant
from chalicelib.metrics.contribution import Measured, contributions
from chalicelib.metrics.definition import BUILT_IN, Definition, definition_of
from chalicelib.processing.recorder import RecordInLedger
from retrace.checking.versions import check_version
from tests.unit.in_memory import at, no_pause
from tests.unit.ledger_in_memory import Aggregates


def defined(text: str) -> Definition:
    return definition_of(parse(text))


LATEST = defined('{"name": "latest_hour", "aggregate": "max", "value": "/hour"}')
PAID = defined('{"name": "order_paid_sum", "aggregate": "sum", "value": "/paid", "event_types": ["order.paid"]}')
MORE = (*BUILT_IN, LATEST, PAID)

ENTITY, DAY = "order-1007", Day("2026-11-21")
VERSION = Version(ENTITY, DAY, "replay-1")
NOW = parse_instant("2026-11-22T00:00:00Z")
FIRST_SHA256 = "3804f24c9a23e8a9e2e36a483fe8642266be9527a10b0d5a29c15a89ded51ba1"


def event_of(
    number: int, hour: int, event_type: str, payload: dict[str, Any], definitions: Definitions = MORE[1:]
) -> Input:
    """An input with what its payload contributes to metrics."""
    event_id = f"{number:064x}"
    contributed = contributions(
        definitions, Measured(event_id, "shop", event_type, payload | {"hour": Number(str(hour))})
    )
    return Input(parse_instant(f"2026-11-21T{hour:02d}:00:00Z"), event_id, event_type, "0" * 64, contributed)


EVENTS = [
    event_of(0, 12, "order.placed", {"paid": Number("7")}),
    event_of(1, 18, "order.paid", {"paid": Number("1.10")}),
    event_of(2, 6, "order.paid", {"paid": "on account"}),
]


def listed(definition: Definition, value: str, inputs: int, skipped: int = 0, **more: str) -> dict[str, Any]:
    named = {"name": definition.name, "definition_sha256": definition.sha256, "group": {}}
    return named | {"value": value, "inputs": inputs, "skipped": skipped, **more}


LISTED = [
    listed(BUILT_IN[0], "3", 3),
    listed(LATEST, "18", 3, event_id=EVENTS[1].event_id),
    listed(PAID, "1.1", 1, skipped=1),
]


def record_of_input(event: Input, definitions: Definitions) -> OutcomeRecord:
    own = {each.sha256 for each in definitions}
    counted = replace(event, contributed={name: each for name, each in event.contributed.items() if name in own})
    return OutcomeRecord(VERSION, counted, Outcome.INPUT, MessageKey(event.event_time, event.event_id), definitions)


def row_after(definitions: Definitions, *batches: list[Input]) -> dict[str, Any]:
    """The version's row after batches of inputs."""
    store = Aggregates()
    for events in batches:
        RecordInLedger(store, at(), no_pause).record([record_of_input(event, definitions) for event in events])
    written = store.versions_written[VERSION]
    return from_item(version_row(NewRevision(VERSION, written.aggregate, written.revision), NOW))


def answer_of(row: dict[str, Any], definitions: Definitions = MORE) -> dict[str, Any]:
    """The version as GET /aggregates answers it."""
    status = VersionStatus(AggregateVersion(VERSION, aggregate_of_row(row, definitions), NOW), None)
    query = VersionsQuery.model_validate({"entity_id": ENTITY, "day": DAY})
    [version] = responses.daily_aggregates(DailyAggregates(query, (Account(status, 0),), exact=True, cursor=None))[
        "versions"
    ]
    return dict(version)


def rows_of(events: Sequence[Input], definitions: Definitions) -> list[dict[str, Any]]:
    """The rows of inputs."""
    return [from_item(outcome_row(record_of_input(event, definitions))) for event in events]


def differing(
    row: dict[str, Any],
    definitions: Definitions,
    events: Sequence[Input] = EVENTS,
    entries: Sequence[dict[str, Any]] | None = None,
) -> list[tuple[str, ...]]:
    """The fields that `retrace check verify` finds to differ."""
    known = {event.key: record_of_input(event, definitions).event for event in events}
    stored = rows_of(events, definitions) if entries is None else entries
    return [each.fields for each in check_version(VERSION, row, stored, known, definitions)]


def test_one_more_metric_is_stored_and_answered_after_the_others_whatever_the_batches() -> None:
    for row in (row_after(MORE, EVENTS), row_after(MORE, EVENTS[1:], EVENTS[:1])):
        assert row["event_count"] == 3
        assert answer_of(row)["metrics"] == LISTED


def test_a_row_has_metrics_shortly_and_without_what_the_count_of_events_says() -> None:
    row = row_after(MORE, EVENTS)

    assert "metrics" not in row
    assert row["m"] == {
        LATEST.sha256[:8]: [[[b"\0\0\x12", bytes.fromhex(EVENTS[1].event_id)], 3, 0]],
        PAID.sha256[:8]: [[b"\0\1\x0b", 1, 1]],
    }
    assert from_item(outcome_row(record_of_input(EVENTS[2], MORE)))["c"] == {
        LATEST.sha256[:8]: ["6"],
        PAID.sha256[:8]: {"not_a_number": "/paid"},
    }


def test_the_first_metric_is_built_in_and_known_by_the_hash_of_its_definition() -> None:
    definition = b'{"aggregate":"count","name":"daily_event_count","time_zone":"UTC"}'

    assert BUILT_IN[0].sha256 == sha256(definition).hexdigest() == FIRST_SHA256
    assert definition_of(parse(definition.decode())) == BUILT_IN[0]
    assert row_after(BUILT_IN, EVENTS)["metrics"] == [listed(BUILT_IN[0], "3", 3)]


def test_another_definition_under_the_same_name_is_another_metric() -> None:
    other = defined('{"name": "order_paid_sum", "aggregate": "sum", "value": "/hour", "event_types": ["order.paid"]}')
    definitions = (*BUILT_IN, PAID, other)
    metrics = answer_of(row_after(definitions, EVENTS), definitions)["metrics"]

    assert [each["name"] for each in metrics] == ["daily_event_count", "order_paid_sum", "order_paid_sum"]
    assert len({each["definition_sha256"] for each in metrics}) == 3


def test_the_form_of_a_metric_is_described() -> None:
    schema = TypeAdapter(responses.AccountedVersion).json_schema()

    described = schema["$defs"]["MetricShape"]
    assert set(described["required"]) == LISTED[0].keys()
    validator = Draft202012Validator({**described, "$defs": schema["$defs"]})
    assert all(map(validator.is_valid, LISTED))


@pytest.mark.parametrize("definition", [LATEST, PAID], ids=lambda definition: definition.name)
def test_the_value_of_each_metric_is_verified(definition: Definition) -> None:
    row = row_after(MORE, EVENTS)
    assert differing(row, MORE) == []

    [state] = row["m"][definition.sha256[:8]]
    state[1] += 1

    assert differing(row, MORE) == [("m",)]


def test_the_value_of_what_is_built_in_is_verified() -> None:
    row = row_after(BUILT_IN, EVENTS)
    assert differing(row, BUILT_IN) == []

    row["metrics"][0]["value"] = "1"

    assert differing(row, BUILT_IN) == [("metrics",)]


def test_the_reference_has_each_built_in_metric_and_its_hash() -> None:
    reference = (Path(__file__).parents[3] / "docs" / "api.md").read_text()

    assert re.findall(r'"name":"(\w+)",[^`]*`, with the hash\n`(\w{64})`', reference) == [
        (definition.name, definition.sha256) for definition in BUILT_IN
    ]
