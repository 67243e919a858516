"""`retrace late`: what it asks, and what it shows of a few events and of a backfill."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Json, ScriptedApi, exit_code, routes, said, serving

DAY = "2025-11-28"


def at(hour: int, minute: int = 0) -> str:
    return f"{DAY}T{hour:02}:{minute:02}:00.000000000Z"


def event(number: int, hour: int = 9) -> Json:
    return {
        "event_id": f"{number:064x}",
        "source": "pay/gateway",
        "event_type": "payment.captured",
        "entity_id": "merchant-03",
        "event_time": "2025-11-27T21:00:00.000000000Z",
        "ingest_time": at(hour, number),
        "ingest_lag_ms": 43_200_000 + 60_000 * number,
    }


def group(hour: int, events: int, requests: int, source: str = "pay/gateway", **members: Any) -> Json:
    return {
        "source": source,
        "event_type": "payment.captured",
        "hour": at(hour),
        "first_arrival": at(hour, 1),
        "last_arrival": at(hour, 59),
        "events": events,
        "requests": requests,
        "entity_days": 1,
        "min_lag_ms": 43_200_000,
        "max_lag_ms": 90_000_000,
        **members,
    }


def answer(items: Sequence[Json], cursor: str | None = None) -> Answer:
    return (200, {"items": list(items), "cursor": cursor})


def asked(api: ScriptedApi, call: str) -> list[dict[str, str]]:
    return [each.query for each in api.calls(call)]


def test_a_few_are_listed_with_their_time_of_arrival() -> None:
    script = {"GET /late/summary": answer([group(9, 2, 2)]), "GET /late": answer([event(2), event(1)])}
    with serving(routes(script)) as api:
        result = api.run("late", "--day", DAY, "--table")

    assert re.search(rf"{DAY} 09:02:00 +2025-11-27 21:00:00 +12h 2m +pay/gateway", result.stdout)
    assert "2 came late, no more than 9 a request." in result.stdout
    assert "retrace stale" in result.stdout
    assert asked(api, "GET /late/summary") == [{"day": DAY}]
    assert asked(api, "GET /late") == [{"day": DAY, "limit": "100"}]


def test_of_many_the_hours_are_listed_and_how_many_are_a_backfill() -> None:
    pages = [answer([group(14, 3, 3)], cursor="next"), answer([group(9, 2_913, 4, "pay/ledger")])]
    with serving(routes({"GET /late/summary": pages})) as api:
        result = api.run("late", "--day", DAY, "--table")

    assert re.search(rf"{DAY} 09h +pay/ledger +payment.captured +2,913 +4 +1d 1h", result.stdout)
    assert f"2,916 came late, 2,913 of them as a backfill: in 4 requests from {DAY} 09:01:00 to" in result.stdout
    assert "--limit 100" in result.stderr
    assert asked(api, "GET /late") == []
    assert max(map(len, result.stdout.splitlines()[:4])) <= 80


def test_json_has_the_events() -> None:
    with serving(routes({"GET /late": answer([event(2), event(1)])})) as api:
        result = api.run("late", "pay/gateway", "--type", "payment.captured", "--since", at(9), "--until", at(10))

    assert [json.loads(line) for line in result.stdout.splitlines()] == [event(2), event(1)]
    assert asked(api, "GET /late") == [
        {
            "source": "pay/gateway",
            "event_type": "payment.captured",
            "start_time": at(9),
            "end_time": at(10),
            "limit": "100",
        }
    ]


def test_without_a_window_it_is_today_and_nothing_late_is_explained() -> None:
    with serving(routes({"GET /late/summary": answer([]), "GET /late": answer([])})) as api:
        result = api.run("late", "--table")

    assert (exit_code(result), result.stdout) == (Exit.DONE, "")
    assert "Nothing came late: no event that arrived then is older than LateAfterSeconds" in said(result)
    assert [set(query) for query in asked(api, "GET /late/summary")] == [{"day"}]


@pytest.mark.parametrize("arguments", [["--until", "1h"], ["--day", DAY, "--since", "2h"]])
def test_a_window_that_contradicts_itself_is_not_asked_for(arguments: list[str]) -> None:
    with serving(routes({})) as api:
        result = api.run("late", *arguments)

    assert (exit_code(result), api.asked) == (Exit.USAGE, [])
