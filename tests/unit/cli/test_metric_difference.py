"""`retrace aggregates diff --metric`: the events that make the difference, and what they add up to."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.cli.scripted_api import Asked, routes, said, serving
from tests.unit.cli.test_aggregates_command import DAY, NEW, OLD, an_input, difference

Json = dict[str, Any]


def contribution(number: int, before: str | None, after: str | None, **members: Any) -> Json:
    event = an_input(number)
    del event["content_sha256"]
    groups = {"from_group": {"/currency": "EUR"} if before else {}, "to_group": {"/currency": "EUR"} if after else {}}
    return {**event, "from_value": before, "to_value": after, **groups, **members}


def answer(*contributions: Json, **members: Any) -> Json:
    metric = {
        "name": "revenue",
        "from_definition_sha256": "ab" * 32,
        "to_definition_sha256": "ab" * 32,
        "differs": ["inputs"],
        "from_value": "10",
        "to_value": "12.5",
        "delta": "2.5",
        "groups": [
            {"group": {"/currency": "EUR"}, "from_value": "10", "to_value": "12.5", "delta": "2.5"},
            {"group": {}, "from_value": "1", "to_value": "1", "delta": "0"},
        ],
        "contributions": list(contributions),
        **members,
    }
    return difference([], [], [], metric=metric)


EARLIER, LATER = contribution(0, None, "3.5"), contribution(1, "1", None)


def in_two_pages(asked: Asked) -> tuple[int, Any]:
    if asked.query.get("cursor") == "more":
        return 200, answer(LATER)
    return 200, {**answer(EARLIER), "cursor": "more"}


def run(*options: str, script: Any = in_two_pages) -> Any:
    with serving(script) as api:
        result = api.run("aggregates", "diff", *DAY, OLD, NEW, "--metric", "revenue", *options)
        assert {asked.query["metric"] for asked in api.calls("GET /aggregates/diff")} == {"revenue"}
        return result


def test_the_events_of_all_pages_are_listed_with_what_each_changes_and_exit_1() -> None:
    shown = run("--table")

    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    assert [line.split()[-5:-1] for line in lines if line.startswith("2025")] == [
        ["EUR", "-", "3.5", "+3.5"],
        ["EUR", "1", "-", "-1"],
    ]
    assert lines[-1] == (
        "revenue went from 10 to 12.5: +2.5 (EUR +2.5) by 2 events. The inputs differ, the definition is the same."
    )


def test_changes_are_told_by_group_also_beyond_the_listed_events() -> None:
    shown = run("--table", "--limit", "1")

    assert "Not all are listed" in shown.stderr
    assert "(EUR +2.5) by 2 events" in shown.stdout


def test_json_has_the_events_of_all_pages_and_what_they_come_to() -> None:
    metric = json.loads(run("--json").stdout)["metric"]

    assert [one["event_id"] for one in metric["contributions"]] == [EARLIER["event_id"], LATER["event_id"]]
    assert (metric["events"], metric["delta_by_group"]) == (2, {"EUR": "2.5", "all others": "0"})


def test_no_difference_says_so_and_exits_0() -> None:
    same = answer(differs=[], to_value="10", delta="0", groups=[])

    shown = run("--table", script=routes({"GET /aggregates/diff": (200, same)}))

    assert shown.exit_code == 0
    assert "No event contributed differently." in shown.stderr
    assert (
        said(shown).rstrip().endswith("revenue went from 10 to 10: 0 by 0 events. Inputs and definition are the same.")
    )


VALUES = {
    "name": "revenue",
    "from_definition_sha256": "ab" * 32,
    "to_definition_sha256": "ab" * 32,
    "differs": ["inputs"],
    "from_value": None,
    "to_value": "3",
    "groups": [
        {"group": {"/currency": "EUR"}, "from_value": "2", "to_value": "3"},
        {"group": {"/currency": "USD"}, "from_value": None, "to_value": "1"},
        {"group": {}, "from_value": "1", "to_value": "1"},
    ],
    "contributions": [EARLIER],
}


def test_what_is_no_sum_has_both_values_by_group_and_no_change() -> None:
    shown = run("--table", script=routes({"GET /aggregates/diff": (200, difference([], [], [], metric_values=VALUES))}))

    assert shown.exit_code == 1
    assert "change" not in shown.stdout
    assert shown.stdout.splitlines()[-1] == (
        "revenue went from - to 3 (EUR 2 > 3, USD - > 1) by 1 event. The inputs differ, the definition is the same."
    )


def test_a_value_that_is_unknown_says_why() -> None:
    unknown = VALUES | {"from_unknown_because": "It needs all 9 inputs."}

    shown = run(
        "--table", script=routes({"GET /aggregates/diff": (200, difference([], [], [], metric_values=unknown))})
    )

    assert "The value of from is unknown. It needs all 9 inputs." in shown.stderr
