"""`retrace metrics values`: values of all pages, what is missing, partial or stale, and what mends it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

import pytest

from chalicelib.totals.responses import as_csv
from retrace.problem import Exit
from retrace.replay_request import command_of
from tests.unit.cli.scripted_api import Answer, Json, exit_code, routes, said, serving

DAY, NEXT = "2025-11-28", "2025-11-29"
OF_TYPE = {"source": "payments/northpay", "event_type": "payment.captured"}
ROUTE = "GET /metrics/revenue/values"


def value(day: str = DAY, **members: Any) -> Json:
    return {
        "day": day,
        "group": {"/currency": "EUR"},
        "value": "1234.50",
        "inputs": 9,
        "skipped": 1,
        "versions": 3,
        "replay_id": "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57",
        "complete": True,
        "arrived_since": 0,
        **members,
    }


def page(*values: Json, cursor: str | None = None, **members: Any) -> Answer:
    answer = {"values": list(values), "missing": [], "replays": [], "calendar": "UTC", "cursor": cursor}
    return (200, answer | members)


def lines(result: Any) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines() if line.startswith("2025-")]


def test_the_values_of_all_pages_are_shown_with_what_they_were_folded_from() -> None:
    pages = [page(value(), cursor="next"), page(value(NEXT, value=None, arrived_since=None))]
    with serving(routes({ROUTE: pages})) as api:
        result = api.run("metrics", "values", "revenue", "--from-day", DAY, "--to-day", NEXT, "--table")

    assert exit_code(result) == Exit.DONE, said(result)
    assert [line[:6] for line in lines(result)] == [
        [DAY, "EUR", "1234.50", "9", "3", "0"],
        [NEXT, "EUR", "-", "9", "3", "?"],
    ]
    assert [asked.query.get("cursor") for asked in api.asked] == [None, "next"]


def test_json_has_each_value_on_a_line_as_it_is() -> None:
    with serving(routes({ROUTE: page(value())})) as api:
        result = api.run("metrics", "values", "revenue", "--day", DAY, "--by", "day", "--json")

    assert [json.loads(line) for line in result.stdout.splitlines()] == [value()]
    [asked] = api.asked
    assert (asked.query["start_day"], asked.query["end_day"], asked.query["by"]) == (DAY, DAY, "day")


def test_which_events_came_since_is_told_if_the_metric_may_not_take_them() -> None:
    counted = {"arrived_since_counts": "every event of the entity's day"}
    for since, is_told in ((2, True), (0, False)):
        with serving(routes({ROUTE: page(value(arrived_since=since, **counted))})) as api:
            result = api.run("metrics", "values", "revenue", "--day", DAY, "--table")

        assert ("came since: every event of the entity's day." in said(result)) is is_told


def test_what_is_missing_partial_or_stale_is_told_with_the_command_that_mends_it() -> None:
    reason = "No complete replay by source and type computed revenue for this day."
    partial = value(complete=False, partial_because=["Its replay left something out."], arrived_since=2)
    answer = page(
        partial,
        missing=[{"day": NEXT, "reason": reason}],
        replays=[OF_TYPE | {"start_day": DAY, "end_day": NEXT}],
        calendar="Europe/Paris",
    )
    with serving(routes({ROUTE: answer})) as api:
        result = api.run("metrics", "values", "revenue", "--from-day", DAY, "--to-day", NEXT, "--table")

    text = said(result)
    assert "partial: Its replay left something out." in " ".join(text.split())
    assert f"{NEXT}: {reason}" in text
    assert (
        "Compute it again: retrace replay create --source payments/northpay --type payment.captured"
        f" --from-day {DAY} --to-day {NEXT}" in " ".join(text.split())
    )
    assert "Days are those of Europe/Paris." in text


def test_a_value_that_is_unknown_says_why() -> None:
    unknown = value(value=None, unknown_because="It needs all 9 inputs.")
    with serving(routes({ROUTE: page(unknown, unknown)})) as api:
        result = api.run("metrics", "values", "revenue", "--day", DAY, "--by", "group", "--table")

    assert said(result).count("A value is unknown. It needs all 9 inputs.") == 1


def test_no_value_at_all_says_why() -> None:
    missing = [{"day": day, "reason": "No complete replay computed it."} for day in (DAY, NEXT)]
    with serving(routes({ROUTE: page(missing=missing)})) as api:
        result = api.run("metrics", "values", "revenue", "--from-day", DAY, "--to-day", NEXT, "--table")

    assert exit_code(result) == Exit.DONE
    assert "revenue has no value on these days." in said(result)
    assert f"2 days from {DAY} to {NEXT}: No complete replay computed it." in said(result)


def test_a_group_and_an_entity_are_asked_for_as_they_are_named() -> None:
    answers = {ROUTE: page(value(entity_id="merchant-42"))}
    with serving(routes(answers)) as api:
        api.run("metrics", "values", "revenue", "merchant-42", "--day", DAY, "--group", "/currency=EUR=1", "--json")

    [asked] = api.asked
    assert (asked.query["entity_id"], json.loads(asked.query["group"])) == ("merchant-42", {"/currency": "EUR=1"})


@pytest.mark.parametrize("words", [("--group", "EUR"), ("--day", DAY, "--to-day", NEXT)])
def test_an_option_that_says_nothing_is_refused(words: tuple[str, ...]) -> None:
    with serving(routes({})) as api:
        result = api.run("metrics", "values", "revenue", *words)

    assert (exit_code(result), api.asked) == (Exit.USAGE, [])


def test_the_detail_of_an_unknown_metric_has_near_names() -> None:
    problem = {"detail": "There is no metric revenu. Did you mean revenue? GET /metrics lists all.", "errors": []}
    with serving(routes({"GET /metrics/revenu/values": (404, problem)})) as api:
        result = api.run("metrics", "values", "revenu")

    assert exit_code(result) == Exit.NOT_FOUND
    assert "Did you mean revenue?" in said(result)


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        (OF_TYPE | {"day": DAY}, f"--source payments/northpay --type payment.captured --day {DAY}"),
        (
            {"source": "s", "event_types": ["a", "b"]}
            | {"start_time": "2025-01-01T23:00:00Z", "end_time": "2025-01-02T23:00:00Z"},
            "--source s --type a --type b --since 2025-01-01T23:00:00Z --until 2025-01-02T23:00:00Z",
        ),
        (OF_TYPE | {"day": DAY, "metrics": ["old"]},
         f"--source payments/northpay --type payment.captured --day {DAY} --metric old"),
    ],
)  # fmt: skip
def test_a_request_is_told_as_a_command(request_: Json, command: str) -> None:
    assert command_of(request_) == f"retrace replay create {command}"


def test_csv_of_all_pages_has_one_heading_and_is_what_the_api_writes() -> None:
    rest = value(group={}, inputs_hash="a" * 64, definition_sha256="d" * 64)
    quoted = value(NEXT, group={"/currency": 'E,"R'}, complete=False, arrived_since=None)
    quoted |= {"inputs_hash": "b" * 64, "definition_sha256": "d" * 64, "value": None}
    with serving(routes({ROUTE: [page(rest, cursor="next"), page(quoted)]})) as api:
        result = api.run("metrics", "values", "revenue", "--from-day", DAY, "--to-day", NEXT, "--csv")

    assert exit_code(result) == Exit.DONE, said(result)
    assert result.stdout_bytes.decode() == as_csv(cast("Any", {"values": [rest, quoted]}))
    [heading, _, _] = csv.reader(io.StringIO(result.stdout))
    assert heading[:4] == ["day", "entity_id", "/currency", "value"]


def test_csv_is_not_combined_with_another_form() -> None:
    with serving(routes({ROUTE: page(value())})) as api:
        result = api.run("metrics", "values", "revenue", "--day", DAY, "--csv", "--json")

    assert exit_code(result) == Exit.USAGE
    assert "cannot be combined with --json or --table" in said(result)
