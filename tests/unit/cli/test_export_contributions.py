"""`retrace export --metric`: a row for what each event contributed, of the versions that values are folded from."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import pytest

from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Asked, Json, Script, exit_code, routes, said, serving

DAY, NEXT = "2025-11-28", "2025-11-29"
REPLAY = "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57"
OF_VERSION = {"definition_sha256": "d" * 64, "replay_id": REPLAY, "complete": True}
VALUES = "GET /metrics/revenue/values"


def value(entity: str, day: str = DAY, **members: Any) -> Json:
    return {"day": day, "entity_id": entity, "group": {}, "value": "1", **OF_VERSION, **members}


def page(*values: Json, cursor: str | None = None, **members: Any) -> tuple[int, Json]:
    answer = {"values": list(values), "missing": [], "replays": [], "calendar": "Europe/Paris", "cursor": cursor}
    return 200, answer | members


def event(number: int, amount: str | None, **members: Any) -> Json:
    return {
        "event_id": f"{number:064x}",
        "event_time": f"{DAY}T09:00:00.{number:09d}Z",
        "event_type": "paid",
        "content_sha256": "c" * 64,
        "group": {"/currency": "EUR"} if amount else {},
        "value": amount,
        **members,
    }


def answering(*pages: Answer) -> Script:
    """An API with these pages of values, and the inputs of their versions."""
    values = routes({VALUES: list(pages)})
    return lambda asked: inputs_of(asked) if asked.call == "GET /aggregates/inputs" else values(asked)


def inputs_of(asked: Asked) -> tuple[int, Json]:
    """Of order-a two pages, the second with an event that the metric skips and one that it does not take."""
    if asked.query["entity_id"] == "order-b":
        return 200, {"items": [event(4, "1E+3")], "cursor": None}
    if asked.query.get("cursor") is None:
        return 200, {"items": [event(1, "1.10")], "cursor": "second"}
    return 200, {"items": [event(2, None, skipped="/amount is missing"), event(3, None)], "cursor": None}


PAGES = [page(value("order-a"), value("order-a", group={"/currency": "EUR"}), cursor="next"), page(value("order-b"))]


def test_a_line_is_what_an_event_contributed_in_the_order_of_versions_and_times() -> None:
    with serving(answering(*PAGES)) as api:
        result = api.run("export", "--metric", "revenue", "--day", DAY)

    rows = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert exit_code(result) == Exit.DONE, said(result)
    assert [(row["entity_id"], row["value"], row["skipped"]) for row in rows] == [
        ("order-a", "1.10", None),
        ("order-a", None, "/amount is missing"),
        ("order-b", "1E+3", None),
    ]
    assert rows[0] == {
        "metric": "revenue",
        "calendar": "Europe/Paris",
        "definition_sha256": "d" * 64,
        "day": DAY,
        "replay_id": REPLAY,
        "entity_id": "order-a",
        **event(1, "1.10"),
        "skipped": None,
    }
    assert "3 contributions of 2 versions." in said(result)
    [first, second] = api.calls(VALUES)
    assert (first.query["by"], first.query["start_day"], second.query["cursor"]) == ("entity", DAY, "next")


def test_parquet_has_values_as_exact_text_and_the_group_as_json(tmp_path: Path) -> None:
    out = tmp_path / "revenue.parquet"
    with serving(answering(*PAGES)) as api:
        result = api.run("export", "--metric", "revenue", "--day", DAY, "--out", str(out))

    table = pq.read_table(out)
    assert exit_code(result) == Exit.DONE, said(result)
    assert table.column("value").to_pylist() == ["1.10", None, "1E+3"]
    assert table.column("group").to_pylist() == ['{"/currency":"EUR"}', "{}", '{"/currency":"EUR"}']
    assert table.column("skipped").to_pylist() == [None, "/amount is missing", None]
    assert sum(map(Decimal, filter(None, table.column("value").to_pylist()))) == Decimal("1001.10")
    assert table.column("event_time")[0].value % 1_000_000_000 == 1


def test_of_one_entity_and_a_replay_only_its_versions_are_asked_for() -> None:
    with serving(answering(page(value("order-b")))) as api:
        result = api.run("export", "order-b", "--metric", "revenue", "--day", DAY, "--replay", REPLAY, "--limit", "1")

    assert [json.loads(line)["value"] for line in result.stdout_bytes.splitlines()] == ["1E+3"]
    [asked] = api.calls(VALUES)
    assert (asked.query["entity_id"], asked.query["replay_id"], asked.query.get("by")) == ("order-b", REPLAY, None)


def test_days_without_a_value_and_partial_versions_are_told() -> None:
    missing = [{"day": NEXT, "reason": "No complete replay computed it."}]
    with serving(answering(page(value("order-b", complete=False), missing=missing))) as api:
        result = api.run("export", "--metric", "revenue", "--since", DAY, "--until", "2025-11-30")

    assert f"{NEXT}: No complete replay computed it." in said(result)
    assert "1 versions are partial." in said(result)
    [asked] = api.calls(VALUES)
    assert (asked.query["start_day"], asked.query["end_day"]) == (DAY, NEXT)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--metric", "revenue", "--type", "paid"), "goes with ENTITY, days"),
        (("--metric", "revenue", "--direct"), "goes with ENTITY, days"),
        (("--metric", "revenue", "--out", "week/"), "is one file with --metric"),
        (("--replay", REPLAY), "goes with --metric"),
    ],
)
def test_options_of_events_are_refused(arguments: tuple[str, ...], why: str) -> None:
    with serving(routes({})) as api:
        result = api.run("export", "--day", DAY, *arguments)

    assert exit_code(result) == Exit.USAGE
    assert why in " ".join(said(result).split())
    assert api.asked == []
