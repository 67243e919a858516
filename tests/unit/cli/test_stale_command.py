"""`retrace stale`: the days of all pages, the worst first, and one line that mends them."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Json, exit_code, routes, said, serving

DAY = "2025-11-22"
ENTITY = {
    "entity_id": "-o; rm",
    "start_time": f"{DAY}T00:00:00.000000000Z",
    "end_time": "2025-11-23T00:00:00.000000000Z",
}
BY_TYPES = {
    "source": "pay/gateway",
    "event_types": ["refund issued", "payment.captured"],
    "start_day": "2025-11-21",
    "end_day": DAY,
    "whole_days": True,
    "include": {"min_lag_ms": 3_600_000},
}
BY_TYPE = {**{name: value for name, value in BY_TYPES.items() if name != "event_types"}, "event_type": "entry.booked"}


def lacking(entity: str, arrived_since: int, **members: Any) -> Json:
    return {
        "entity_id": entity,
        "day": DAY,
        "replay_id": "r",
        "computed_at": f"{DAY}T10:00:00.000000000Z",
        "event_count": 36,
        "arrived_since": arrived_since,
        "exact": True,
        "late_events": arrived_since,
        "last_arrival": f"{DAY}T12:00:00.000000000Z",
        **members,
    }


def page(*items: Json, replays: list[Json] | None = None, cursor: str | None = None, **members: Any) -> Answer:
    counted = {"late_events": 9, "entity_days": 3, "without_version": 0, **members}
    return (200, {"items": list(items), "cursor": cursor, "replays": replays or [], **counted})


def test_the_days_of_all_pages_are_listed_once_and_the_worst_first() -> None:
    pages = [
        page(lacking("merchant-07", 3), replays=[BY_TYPES], cursor="next"),
        page(lacking("merchant-05", 24, exact=False), lacking("merchant-07", 3), replays=[BY_TYPE]),
    ]
    with serving(routes({"GET /stale": pages})) as api:
        result = api.run("stale", "pay/gateway", "--table")

    rows = [line.split() for line in result.stdout.splitlines() if line.startswith(DAY)]
    assert [(row[1], row[2]) for row in rows] == [("merchant-05", "24"), ("merchant-07", "3")]
    assert "24 or more" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines() if line.startswith(("day", DAY))) <= 80
    assert [set(asked.query) - {"cursor"} for asked in api.asked] == [{"source", "start_time", "end_time", "limit"}] * 2


def test_one_line_mends_them_all_and_a_shell_takes_it_as_it_is_meant() -> None:
    found = page(lacking("merchant-07", 3), lacking("x", 1), replays=[BY_TYPES, BY_TYPE, ENTITY])
    with serving(routes({"GET /stale": found})) as api:
        result = api.run("stale", "--day", DAY, "--table")

    [line] = [line for line in result.stdout.splitlines() if line.startswith("Compute them again: ")]
    commands = [shlex.split(command) for command in line.removeprefix("Compute them again: ").split(" && ")]
    assert commands[0] == [
        *("retrace", "replay", "create", "--source", "pay/gateway"),
        *("--type", "refund issued", "--type", "payment.captured"),
        *("--from-day", "2025-11-21", "--to-day", DAY, "--whole-days", "--include-min-lag-ms", "3600000"),
    ]
    assert commands[1][3:7] == ["--source", "pay/gateway", "--type", "entry.booked"]
    assert commands[2] == ["retrace", "replay", "create", "--day", DAY, "--", "-o; rm"]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"late_events": 0, "entity_days": 0}, "Nothing came late then"),
        ({"without_version": 3}, "9 events came late, of 3 days of entities. None of these days has an aggregate yet"),
        ({}, "of 3 days of entities. The newest version of each contains them."),
        ({"without_version": 1}, "1 have no aggregate yet. The newest version of each other contains them."),
    ],
)
def test_nothing_stale_is_explained(counts: Json, told: str) -> None:
    with serving(routes({"GET /stale": page(**counts)})) as api:
        result = api.run("stale", "--table")

    assert (exit_code(result), result.stdout) == (Exit.DONE, "")
    assert told in said(result)


def test_a_list_that_was_cut_off_says_so_and_json_has_no_more_either() -> None:
    found = page(lacking("a", 3), lacking("b", 5), replays=[BY_TYPE], cursor="next")
    with serving(routes({"GET /stale": found})) as api:
        result = api.run("stale", "--limit", "1", "--json")

    assert [json.loads(line)["entity_id"] for line in result.stdout.splitlines()] == ["b"]
    assert re.search("There may be more", said(result))
    assert len(api.asked) == 1


def test_a_source_that_never_was_is_told() -> None:
    known = {"items": [{"source": "shop/till", "event_type": "sale"}], "cursor": None}
    with serving(routes({"GET /stale": page(late_events=0), "GET /sources": (200, known)})) as api:
        result = api.run("stale", "shop/tll")

    assert exit_code(result) == Exit.NOT_FOUND
    assert "Did you mean shop/till?" in said(result)
