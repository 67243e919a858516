"""`retrace aggregates inputs --metric`, and `aggregates get --metric`."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from tests.unit.cli.scripted_api import routes, said, serving
from tests.unit.cli.test_aggregates_command import DAY, OLD, an_input, day, version

Json = dict[str, Any]

ITEMS = [
    an_input(0, value="-30.5", group={"/currency": "EUR"}),
    an_input(1, value=None, group={}, skipped="/amount is missing"),
    an_input(2, value=None, group={}),
]


def inputs(*options: str, **members: Any) -> tuple[Any, Json]:
    found = {"items": ITEMS, "definition_sha256": "ab" * 32, "cursor": None, **members}
    with serving(routes({"GET /aggregates/inputs": (200, found)})) as api:
        result = api.run("aggregates", "inputs", *DAY, OLD, "--table", *options)
        calls = api.calls("GET /aggregates/inputs")
        return result, calls[0].query if calls else {}


def test_each_input_has_what_it_contributed_or_why_it_was_skipped() -> None:
    shown, query = inputs("--metric", "revenue")

    rows = [line.split()[2:] for line in shown.stdout.splitlines() if line.startswith("2025")]
    assert [row[1:-1] for row in rows] == [
        ["EUR", "-30.5"],
        ["skipped:", "/amount", "is", "missing"],
        ["-"],
    ]
    assert query["metric"] == "revenue"


def test_the_biggest_are_asked_for_and_told_if_they_are_of_a_part() -> None:
    whole, query = inputs("--metric", "revenue", "--by", "contribution", "--limit", "10", exact=True)
    part, _ = inputs("--metric", "revenue", "--by", "contribution", exact=False)

    assert (query["by"], query["limit"]) == ("contribution", "10")
    assert "more events than a request reads" not in whole.stderr
    assert "more events than a request reads" in part.stderr


def test_an_order_by_contribution_needs_a_metric() -> None:
    shown, query = inputs("--by", "contribution")

    assert query == {}
    assert isinstance(shown.exception, SystemExit | typer.BadParameter) or shown.exit_code != 0
    assert "--metric" in said(shown) + str(shown.exception)


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ([("EUR", "12.5", 2), ("USD", "3", 1), (None, None, 0)], "EUR 12.5, USD 3"),
        ([("EUR", "12.5", 2), (None, "3", 1)], "EUR 12.5, all others 3"),
        ([(None, "7", 2)], " 7 "),
        ([], " - "),
    ],
)
def test_versions_show_the_values_of_the_metric(metrics: list[tuple[str | None, str | None, int]], told: str) -> None:
    found = [
        {"name": "revenue", "group": {"/currency": group} if group else {}, "value": value, "inputs": inputs_of}
        for group, value, inputs_of in metrics
    ]
    with serving(routes({"GET /aggregates": (200, day(version(OLD, 27, metrics=found)))})) as api:
        shown = api.run("aggregates", "get", *DAY, "--table", "--metric", "revenue")
        assert api.calls("GET /aggregates")[0].query["metric"] == "revenue"

    assert told in shown.stdout
    assert "revenue" in shown.stdout


def test_a_value_that_is_unknown_says_why_once() -> None:
    unknown: Json = {
        "name": "median",
        "group": {},
        "value": None,
        "inputs": 2,
        "unknown_because": "It needs all 2 inputs.",
    }
    found = [version(replay_id, 27, metrics=[unknown]) for replay_id in (OLD, "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57")]

    with serving(routes({"GET /aggregates": (200, day(*found))})) as api:
        shown = api.run("aggregates", "get", *DAY, "--table", "--metric", "median")

    assert shown.stderr.count("median is not shown. It needs all 2 inputs.") == 1
