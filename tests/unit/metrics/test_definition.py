"""Definitions: known by a hash that says what they mean, and refused with every fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.lossless_json import parse
from chalicelib.metrics.definition import BUILT_IN, MAX_BYTES, Definition, definition_of, read_definition

REVENUE: dict[str, Any] = {
    "name": "revenue",
    "source": "payments/northpay",
    "event_types": ["payment.captured", "payment.adjusted"],
    "where": [{"path": "/currency", "in": ["EUR", "USD"]}, {"path": "/amount", "exists": True}],
    "aggregate": "sum",
    "value": "/amount",
    "group_by": ["/currency"],
    "time_zone": "Europe/Paris",
    "on_missing": "fail",
}


def defined(members: Any) -> Definition:
    return definition_of(parse(json.dumps(members)))


def faults_of(members: Any) -> set[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        defined(members)
    return {(fault.field, fault.message) for fault in refused.value.faults}


def fields_of(members: Any) -> set[str]:
    return {field for field, _ in faults_of(members)}


def revenue(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (REVENUE | changed).items() if value is not ...}


def test_what_is_built_in_has_the_hash_of_its_canonical_json() -> None:
    [first] = BUILT_IN

    assert first.canonical == '{"aggregate":"count","name":"daily_event_count","time_zone":"UTC"}'
    assert first.sha256 == "3804f24c9a23e8a9e2e36a483fe8642266be9527a10b0d5a29c15a89ded51ba1"
    assert read_definition(first.canonical) == first
    assert first.counts_every_event


def test_canonical_json_is_of_what_is_meant() -> None:
    assert defined(REVENUE).canonical == (
        '{"aggregate":"sum","event_types":["payment.adjusted","payment.captured"],"group_by":["/currency"],"name":'
        '"revenue","on_missing":"fail","source":"payments/northpay","time_zone":"Europe/Paris","value":"/amount","where":'
        '[{"exists":true,"path":"/amount"},{"in":["EUR","USD"],"path":"/currency"}]}'
    )


@pytest.mark.parametrize(
    "same",
    [
        {"event_types": ["payment.adjusted", "payment.captured"]},
        {"where": [*reversed(REVENUE["where"])]},
        {"where": [{"in": ["USD", "EUR"], "path": "/currency"}, REVENUE["where"][1]]},
        {"percentile": None, "parse": None},
    ],
)
def test_a_definition_that_means_the_same_has_the_same_hash(same: dict[str, Any]) -> None:
    assert defined(revenue(**same)).sha256 == defined(REVENUE).sha256


@pytest.mark.parametrize(
    "other",
    [
        {"name": "turnover"},
        {"source": ...},
        {"event_types": ["payment.captured"]},
        {"where": ...},
        {"where": [{"path": "/currency", "equals": "EUR"}, REVENUE["where"][1]]},
        {"where": [REVENUE["where"][0]]},
        {"aggregate": "avg"},
        {"value": "/net"},
        {"parse": "decimal"},
        {"group_by": ...},
        {"time_zone": ...},
        {"on_missing": ...},
    ],
)
def test_a_definition_that_means_something_else_has_another_hash(other: dict[str, Any]) -> None:
    assert defined(revenue(**other)).sha256 != defined(REVENUE).sha256


def test_defaults_are_left_out_so_that_a_later_member_changes_no_hash() -> None:
    written = revenue(on_missing="skip", where=[], group_by=[], parse=None)

    assert defined(written).sha256 == defined(revenue(on_missing=..., where=..., group_by=...)).sha256


@pytest.mark.parametrize(
    "members", [REVENUE, revenue(aggregate="percentile", percentile=99.9), {"name": "n", "aggregate": "count"}]
)
def test_a_definition_is_read_from_its_canonical_json(members: dict[str, Any]) -> None:
    definition = defined(members)

    assert read_definition(definition.canonical) == definition
    assert read_definition(definition.canonical).sha256 == definition.sha256


def test_every_fault_is_named_at_once() -> None:
    wrong = {
        "name": "Revenue",
        "aggregate": "sum",
        "event_types": [],
        "where": [
            {"path": "currency", "equals": "EUR"},
            {"path": "/currency"},
            {"path": "/a", "equals": 1, "in": [1]},
            {"path": "/n", "equals": {}},
        ],
        "value": "/a~2",
        "group_by": ["", "/x", "/x"],
        "percentile": 101,
        "time_zone": "Europe/Atlantis",
        "on_missing": "ignore",
        "unit": "EUR",
    }

    assert fields_of(wrong) == {
        *("name", "event_types", "where.0.path", "where.1", "where.2", "where.3.equals", "value", "group_by"),
        *("percentile", "time_zone", "on_missing", "unit"),
    }
    assert {message for field, message in faults_of(wrong) if field == "group_by"} == {
        "names /x twice",
        "is unbounded: the whole payload would be a group for each event",
    }


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"value": ...}, "value", "is needed by sum: a JSON Pointer such as /amount"),
        ({"aggregate": "count"}, "value", "is not taken by count: to count events that have it, use where and exists"),
        ({"aggregate": "distinct", "parse": "decimal"}, "parse", "is not taken by distinct, which reads no numbers"),
        (
            {"aggregate": "percentile"},
            "percentile",
            'is needed by percentile: a number above 0 and at most 100, such as "99.9"',
        ),
        (
            {"percentile": "50"},
            "percentile",
            'is not taken by sum: a number above 0 and at most 100, such as "99.9"',
        ),
        (
            {"group_by": ["/amount"]},
            "group_by",
            "is unbounded: /amount is also the value, so each value would be a group",
        ),
    ],
)
def test_members_that_do_not_go_together_are_refused(changed: dict[str, Any], field: str, message: str) -> None:
    assert faults_of(revenue(**changed)) == {(field, message)}


EUR, USD = {"path": "/currency", "equals": "EUR"}, {"path": "/currency", "equals": "USD"}
NEITHER = "asks /currency for values that no event has at once"


@pytest.mark.parametrize(
    ("where", "field", "message"),
    [
        ([EUR, USD], "where", NEITHER),
        ([EUR, {"path": "/currency", "in": ["USD", "CHF"]}], "where", NEITHER),
        (
            [EUR, {"path": "/currency", "exists": False}],
            "where",
            "needs /currency, which where asks not to be there",
        ),
        (
            [{"path": "/a", "exists": False}, {"path": "/a/b", "exists": True}],
            "where",
            "needs /a/b, which where asks not to be there",
        ),
        (
            [{"path": "/a", "equals": 1}, {"path": "/a/b", "exists": True}],
            "where",
            "needs /a/b, which is within what where asks to be a single value",
        ),
        ([{"path": "/amount", "exists": False}], "value", "needs /amount, which where asks not to be there"),
        ([{"path": "/amount", "equals": "12"}], "value", "is not a number in any event that where selects by /amount"),
        ([{"path": "/region", "exists": False}], "group_by", "needs /region, which where asks not to be there"),
    ],
)
def test_filters_that_no_event_meets_are_refused(where: list[Any], field: str, message: str) -> None:
    faults = faults_of(revenue(where=where, group_by=["/region"]))

    assert faults == {(field, message)}


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        (
            {"aggregate": "distinct", "where": [{"path": "/amount", "equals": None}]},
            "value",
            "is null in each event that where selects by /amount",
        ),
        (
            {"where": [{"path": "/region", "equals": None}]},
            "group_by",
            "needs /region, which where asks to be null",
        ),
        (
            {"parse": "decimal", "where": [{"path": "/amount", "in": ["twelve", ""]}]},
            "value",
            "is not a number in any event that where selects by /amount",
        ),
        ({"group_by": ["/a/b", "/a"]}, "group_by", "needs /a/b, which is within the single value /a. Leave one out"),
        (
            {"group_by": ["/amount/currency"]},
            "group_by",
            "needs /amount/currency, which is within the single value /amount. Leave one out",
        ),
        (
            {"value": "/region/net"},
            "group_by",
            "needs /region/net, which is within the single value /region. Leave one out",
        ),
        ({"value": ""}, "group_by", "needs /region, which is within the single value the payload. Leave one out"),
    ],
)
def test_paths_that_no_event_has_at_once_are_refused(changed: dict[str, Any], field: str, message: str) -> None:
    assert faults_of(revenue(**{"where": ..., "group_by": ["/region"], **changed})) == {(field, message)}


def test_what_some_events_have_at_once_is_no_contradiction() -> None:
    where = [{"path": "/amount", "in": [None, "12.50"]}, {"path": "/region", "in": [None, "EU"]}]

    assert defined(revenue(where=where, parse="decimal", group_by=["/region", "/regions/name"])).sha256


def test_equal_numbers_do_not_contradict_each_other() -> None:
    where = [{"path": "/amount", "equals": 1.0}, {"path": "/amount", "in": [1, 2]}]

    assert defined(revenue(where=where)).sha256


@pytest.mark.parametrize(
    "text", ['{"name":"a","name":"b","aggregate":"count"}', '{"name":"a","aggregate":"count","x":NaN}']
)
def test_faults_of_the_json_itself_are_named(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        definition_of(parse(text))

    assert refused.value.faults


def test_a_definition_that_would_not_fit_a_row_is_refused() -> None:
    where = [{"path": f"/{n}", "in": [f"{k:0256d}" for k in range(100)]} for n in range(3)]

    [(field, message)] = faults_of(revenue(where=where))
    assert (field, message.split(" bytes")[1]) == ("", f" of canonical JSON. At most {MAX_BYTES} are allowed")


@pytest.mark.parametrize("value", ["[]", "1", '"revenue"', "null"])
def test_only_an_object_is_a_definition(value: str) -> None:
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        definition_of(parse(value))
