"""`retrace gaps`: what it asks, and what it shows of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.core.timestamps import instant_of
from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Json, exit_code, routes, said, serving

DAY = "2025-11-28"
WINDOW = {"start_time": f"{DAY}T00:00:00.000000000Z", "end_time": "2025-11-29T00:00:00.000000000Z", "unit": "hour"}


def hours(start: int, end: int, **members: Any) -> Json:
    times = [f"{DAY}T{hour:02}:00:00.000000000Z" for hour in (start, end)]
    return {"start_time": times[0], "end_time": times[1], **members}


def dip(start: int, end: int, events: int, event_type: str | None = None) -> Json:
    return hours(start, end, event_type=event_type, events=events, usual=7)


def answer(*items: Json, dips: list[Json] | None, **members: Any) -> Answer:
    listed = {"items": list(items), "cursor": None, **WINDOW, "event_types": ["sale"], "dip_rule": "A dip is short."}
    return (200, {**listed, "dips": dips, **members})


def test_an_outage_is_one_row_whatever_came_late_and_other_gaps_are_their_own() -> None:
    found = answer(hours(3, 4), hours(14, 15), dips=[dip(9, 10, 1, "refunds"), dip(14, 16, 1)])
    with serving(routes({"GET /gaps": found})) as api:
        told = api.run("gaps", "shop/till", "--day", DAY, "--json")
        shown = api.run("gaps", "shop/till", "--day", DAY, "--table")

    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(row["start_time"][11:13], row["events"], row["usual"], row["event_type"]) for row in rows] == [
        ("03", 0, None, None),
        ("09", 1, 7, "refunds"),
        ("14", 1, 7, None),
    ]
    assert re.search(rf"{DAY} 14:00:00 +{DAY} 16:00:00 +1 +7 +all", shown.stdout)
    assert "A dip is short." in said(shown)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert api.asked[0].query == {"source": "shop/till", "day": DAY, "unit": "hour"}


@pytest.mark.parametrize(
    ("dips", "told"),
    [
        ([], "There is an event in every hour of the window, and nowhere far fewer than around it."),
        (None, "too many events to count, so only hours without any are listed. Give a shorter window."),
    ],
)
def test_an_answer_without_rows_says_what_was_looked_for(dips: list[Json] | None, told: str) -> None:
    with serving(routes({"GET /gaps": answer(dips=dips)})) as api:
        result = api.run("gaps", "shop/till", "--type", "sale", "--since", "2d", "--table")

    assert told in said(result)
    assert set(api.asked[0].query) == {"source", "event_type", "start_time", "end_time", "unit"}


def test_a_source_that_never_was_is_told_with_near_names_even_if_the_window_is_not_one_gap() -> None:
    known = {"items": [{"source": "shop/till", "event_type": "sale"}], "cursor": None}
    found = answer(hours(0, 1), dips=[], event_types=[])
    with serving(routes({"GET /gaps": found, "GET /sources": (200, known)})) as api:
        result = api.run("gaps", "shop/tll", "--day", DAY)

    assert exit_code(result) == Exit.NOT_FOUND
    assert "Did you mean shop/till?" in said(result)


def test_gaps_of_an_entity_are_hours_without_events() -> None:
    with serving(routes({"GET /gaps": (200, {"items": [hours(0, 8)], "cursor": None, **WINDOW})})) as api:
        result = api.run("gaps", "--entity", "depot", "--unit", "day", "--table")

    assert re.search(rf"{DAY} 00:00:00 +{DAY} 08:00:00", result.stdout)
    assert "usual" not in result.stdout
    assert set(api.asked[0].query) == {"entity_id", "start_time", "end_time", "unit"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["shop/till", "--entity", "depot"],
        ["--entity", "depot", "--type", "sale"],
        ["shop/till", "--day", DAY, "--since", "2d"],
    ],
)
def test_what_contradicts_itself_is_not_asked(arguments: list[str]) -> None:
    with serving(routes({})) as api:
        result = api.run("gaps", *arguments)

    assert (exit_code(result), api.asked) == (Exit.USAGE, [])


@pytest.mark.parametrize("options", [("--day", "today"), ("--since", "0001-01-01", "--until", "9999-12-31")])
def test_hours_to_come_are_not_looked_at(options: Sequence[str]) -> None:
    with serving(routes({"GET /gaps": answer(dips=[])})) as api:
        before = instant_of(datetime.now(UTC))
        api.run("gaps", "shop/till", *options)
        after = instant_of(datetime.now(UTC))

    assert before <= api.asked[0].query["end_time"] <= after


@pytest.mark.parametrize("options", [("--day", "9999-12-31"), ("--since", "9999-12-30", "--until", "9999-12-31")])
def test_a_window_to_come_is_refused_because_nothing_can_be_missing_yet(options: Sequence[str]) -> None:
    with serving(routes({})) as api:
        result = api.run("gaps", "shop/till", *options)

    assert exit_code(result) == Exit.USAGE
    assert "nothing can be missing yet" in " ".join(said(result).split())
