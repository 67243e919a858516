"""What an event contributes: read from its own literals, or skipped with the reason, or a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.lossless_json import parse
from chalicelib.metrics.contribution import (
    EVERY_EVENT,
    Contributed,
    Contribution,
    Measured,
    NothingToContribute,
    Skipped,
    contributions,
)
from chalicelib.metrics.definition import BUILT_IN, definition_of
from chalicelib.metrics.exact_number import ONE, exact
from chalicelib.metrics.json_pointer import ABSENT, Reason

SUM = {"name": "revenue", "aggregate": "sum", "value": "/amount"}
PAID = '{"amount":12.30,"currency":"EUR","lines":[{"net":1e1}],"note":null,"vip":true}'


def contributed(
    members: dict[str, Any], payload: str = PAID, source: str = "pay", event_type: str = "paid"
) -> Contributed | None:
    definition = definition_of(parse(json.dumps(members)))
    event = Measured("e" * 64, source, event_type, parse(payload).value)
    return contributions([definition], event).get(definition.sha256)


def test_every_event_contributes_one_to_what_is_built_in() -> None:
    assert contributions(BUILT_IN, Measured("e", "s", "t", ABSENT)) == {BUILT_IN[0].sha256: EVERY_EVENT}


@pytest.mark.parametrize(
    ("members", "selected"),
    [
        ({"source": "pay"}, True),
        ({"source": "pay/other"}, False),
        ({"event_types": ["paid", "refunded"]}, True),
        ({"event_types": ["refunded"]}, False),
        ({"where": [{"path": "/currency", "equals": "EUR"}]}, True),
        ({"where": [{"path": "/currency", "equals": "eur"}]}, False),
        ({"where": [{"path": "/amount", "equals": 12.3}]}, True),
        ({"where": [{"path": "/amount", "equals": "12.30"}]}, False),
        ({"where": [{"path": "/lines/0/net", "in": [9, 10]}]}, True),
        ({"where": [{"path": "/vip", "equals": True}]}, True),
        ({"where": [{"path": "/vip", "equals": 1}]}, False),
        ({"where": [{"path": "/note", "equals": None}]}, True),
        ({"where": [{"path": "/absent", "equals": None}]}, False),
        ({"where": [{"path": "/absent", "equals": "missing"}]}, False),
        ({"where": [{"path": "/note", "exists": True}]}, True),
        ({"where": [{"path": "/absent", "exists": False}]}, True),
        ({"where": [{"path": "/currency", "equals": "EUR"}, {"path": "/vip", "equals": False}]}, False),
    ],
)
def test_a_definition_selects_events_by_source_type_and_conditions(members: dict[str, Any], *, selected: bool) -> None:
    assert (contributed({"name": "n", "aggregate": "count"} | members) is not None) == selected


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, Contribution((), exact(123, 1))),
        ({"value": "/lines/0/net"}, Contribution((), exact(10, 0))),
        ({"group_by": ["/currency", "/vip"]}, Contribution(("EUR", "true"), exact(123, 1))),
        ({"group_by": ["/lines/0/net"]}, Contribution(("10",), exact(123, 1))),
        ({"value": "/net"}, Skipped(Reason.MISSING, "/net")),
        ({"value": "/note"}, Skipped(Reason.MISSING, "/note")),
        ({"value": "/currency"}, Skipped(Reason.NOT_A_NUMBER, "/currency")),
        ({"value": "/vip"}, Skipped(Reason.NOT_A_NUMBER, "/vip")),
        ({"value": "/lines"}, Skipped(Reason.NOT_A_NUMBER, "/lines")),
        ({"group_by": ["/note"]}, Skipped(Reason.MISSING, "/note")),
        ({"group_by": ["/lines"]}, Skipped(Reason.NOT_A_SCALAR, "/lines")),
        ({"aggregate": "distinct", "value": "/currency"}, Contribution((), "EUR")),
        ({"aggregate": "distinct", "value": "/lines/0"}, Skipped(Reason.NOT_A_SCALAR, "/lines/0")),
    ],
)
def test_an_event_contributes_its_value_to_its_group_or_says_what_it_lacks(
    members: dict[str, Any], found: Contributed
) -> None:
    assert contributed(SUM | members) == found


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ('{"amount":"12.30"}', Contribution((), exact(123, 1))),
        ('{"amount":12.30}', Contribution((), exact(123, 1))),
        ('{"amount":"+1E3"}', Contribution((), exact(1000, 0))),
        ('{"amount":"12,30"}', Skipped(Reason.NOT_A_NUMBER, "/amount")),
        ('{"amount":"1e999999999"}', Skipped(Reason.EXPONENT_TOO_LARGE, "/amount")),
    ],
)
def test_numbers_in_texts_are_read_only_if_the_definition_says_so(payload: str, found: Contributed) -> None:
    assert contributed(SUM | {"parse": "decimal"}, payload) == found
    if '"amount":"' in payload:
        assert contributed(SUM, payload) == Skipped(Reason.NOT_A_NUMBER, "/amount")


def test_a_text_of_more_than_256_bytes_is_no_group() -> None:
    payload = json.dumps({"amount": 1, "currency": "é" * 129})

    assert contributed(SUM | {"group_by": ["/currency"]}, payload) == Skipped(Reason.TOO_LONG, "/currency")


@pytest.mark.parametrize(("number", "fits"), [("1e255", True), ("1e256", False), ("1e-254", True), ("1e-255", False)])
def test_a_number_of_more_than_256_characters_is_no_group(number: str, *, fits: bool) -> None:
    found = contributed(SUM | {"group_by": ["/currency"]}, f'{{"amount":1,"currency":{number}}}')

    assert isinstance(found, Contribution) is fits
    if not fits:
        assert found == Skipped(Reason.TOO_LONG, "/currency")


def test_an_event_that_must_not_lack_its_value_fails_and_says_what_to_do() -> None:
    with pytest.raises(NothingToContribute, match=r'revenue .* lacks: /net is missing\. .*"on_missing": "skip"'):
        contributed(SUM | {"value": "/net", "on_missing": "fail"})

    assert contributed(SUM | {"value": "/net", "on_missing": "fail", "source": "other"}) is None


def test_a_count_needs_no_value() -> None:
    assert contributed({"name": "n", "aggregate": "count", "source": "pay"}, "[]") == Contribution((), ONE)
