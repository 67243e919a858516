"""`retrace export` of a source, of several types or of everything: one command, and one file or one for each type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import pytest

from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant, lag_ms
from chalicelib.events.event import parse_native
from retrace.concurrency import begun
from retrace.exporting.selection import Part, of_sources
from retrace.problem import Exit
from tests.unit.cli.scripted_api import Asked, Script, ScriptedApi, exit_code, said, serving

Json = dict[str, Any]

DAY = "2025-11-28"
KINDS = [("pay/gateway", "captured"), ("pay/gateway", "refunded"), ("shop", "sale")]
INGESTED = Instant("2025-12-01T00:00:00.000000000Z")


def text_of(source: str, kind: str, number: int) -> str:
    return json.dumps(
        {
            "source": source,
            "event_type": kind,
            "entity_id": "o-1",
            "event_time": f"{DAY}T0{number}:00:00Z",
            "payload": number,
        }
    )


def item(source: str, kind: str, number: int) -> Json:
    text = text_of(source, kind, number)
    event = parse_native(parse(text))
    assert event.event_time is not None
    return {
        "event_id": event.event_id,
        "source": source,
        "event_type": kind,
        "entity_id": event.entity_id,
        "event_time": event.event_time,
        "ingest_time": INGESTED,
        "ingest_lag_ms": lag_ms(event.event_time, INGESTED),
        "s3_bucket": "raw",
        "s3_key": "raw/x.ndjson",
        "s3_offset": 0,
        "s3_length": len(text),
        "content_sha256": event.content_sha256,
        "request_id": "request",
        "sent_by": "local",
        "event": json.loads(text),
    }


def holds(*kinds: tuple[str, str], events: int = 2, silent: str = "") -> Script:
    """An API that knows sources and types, each with this many events, but for a silent one."""

    def answered(asked: Asked) -> tuple[int, Any]:
        if asked.call == "GET /sources":
            items = [{"source": source, "event_type": kind, "first_seen": INGESTED} for source, kind in kinds]
            return 200, {"items": items, "cursor": None}
        source, kind = asked.query["source"], asked.query["event_type"]
        found = [] if kind == silent or (source, kind) not in kinds else range(events)
        return 200, {"items": [item(source, kind, number) for number in found], "cursor": None}

    return answered


def asked_of(api: ScriptedApi) -> list[tuple[str, str]]:
    return [(asked.query["source"], asked.query["event_type"]) for asked in api.calls("GET /events")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], KINDS),
        (["--source", "pay/gateway"], KINDS[:2]),
        (["--source", "pay/gateway", "--type", "refunded"], KINDS[1:2]),
        (["--type", "sale", "--type", "captured", "--type", "sale"], [KINDS[0], KINDS[2]]),
        (["--source", "pay/gateway", "--type", "captured", "--type", "refunded"], KINDS[:2]),
    ],
)
def test_what_no_option_names_is_exported_whole(options: list[str], expected: list[tuple[str, str]]) -> None:
    with serving(holds(*KINDS)) as api:
        result = api.run("export", *options, "--day", DAY)

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert exit_code(result) == 0
    assert sorted(asked_of(api)) == sorted(expected)
    assert [(line["source"], line["event_type"]) for line in lines] == [pair for pair in expected for _ in range(2)]
    assert f"{len(lines)} events" in result.stderr


def test_one_source_and_type_need_no_list_of_sources() -> None:
    with serving(holds(*KINDS)) as api:
        api.run("export", "--source", "shop", "--type", "sale", "--day", DAY)

    assert api.calls("GET /sources") == []


@pytest.mark.parametrize(
    ("options", "near"),
    [
        (["--source", "pay/gatway"], "pay/gateway"),
        (["--source", "shop", "--type", "sales"], "sale"),
        (["--type", "sale", "--type", "capturd"], "captured"),
        (["--source", "shop", "--type", "sale", "--type", "sails"], "sale"),
    ],
)
def test_an_unknown_source_or_type_is_told_with_near_names(options: list[str], near: str) -> None:
    with serving(holds(*KINDS)) as api:
        result = api.run("export", *options, "--day", DAY)

    assert exit_code(result) == Exit.NOT_FOUND
    assert f"Did you mean {near}?" in said(result)


def test_without_an_entity_an_export_needs_a_beginning() -> None:
    with serving(holds(*KINDS)) as api:
        result = api.run("export", "--source", "shop")

    assert exit_code(result) == Exit.USAGE
    assert "--since" in said(result)
    assert api.asked == []


def test_a_directory_gets_a_file_for_each_type_that_has_events(tmp_path: Path) -> None:
    with serving(holds(*KINDS, silent="refunded")) as api:
        result = api.run("export", "--day", DAY, "--out", f"{tmp_path}/week/", "--format", "parquet")

    found = {str(path.relative_to(tmp_path)): pq.read_table(path).num_rows for path in tmp_path.rglob("*.*")}
    assert exit_code(result) == 0
    assert found == {
        "week/source=pay%2Fgateway/captured.parquet": 2,
        "week/source=shop/sale.parquet": 2,
    }
    assert "in 2 files" in result.stderr


def test_a_source_cannot_name_a_place_outside_the_directory(tmp_path: Path) -> None:
    with serving(holds(("..", ".."))) as api:
        api.run("export", "--day", DAY, "--out", f"{tmp_path}/a/b/")

    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        "a/b/source=../...ndjson"
    ]


def test_a_file_of_a_directory_is_replaced_only_on_demand_and_nothing_is_read_before(tmp_path: Path) -> None:
    kept = tmp_path / "source=shop" / "sale.ndjson"
    kept.parent.mkdir()
    kept.write_text("mine")
    with serving(holds(*KINDS)) as api:
        refused = api.run("export", "--day", DAY, "--out", str(tmp_path))
        assert (exit_code(refused), kept.read_text(), asked_of(api)) == (Exit.USAGE, "mine", [])
        assert exit_code(api.run("export", "--day", DAY, "--out", str(tmp_path), "--force")) == 0

    assert len(kept.read_text().splitlines()) == 2


def test_a_limit_is_one_of_all_types_together() -> None:
    with serving(holds(*KINDS)) as api:
        result = api.run("export", "--day", DAY, "--limit", "3")

    assert len(result.stdout.splitlines()) == 3
    assert asked_of(api) == KINDS[:2]


def test_an_entity_is_exported_by_several_types() -> None:
    def answered(asked: Asked) -> tuple[int, Any]:
        return 200, {"items": [item("shop", asked.query["event_type"], 1)], "cursor": None}

    with serving(answered) as api:
        result = api.run("export", "o-1", "--type", "sale", "--type", "refund")

    assert [json.loads(line)["event_type"] for line in result.stdout.splitlines()] == ["sale", "refund"]


def test_a_longer_window_than_a_query_may_have_is_asked_for_in_parts() -> None:
    with serving(holds(*KINDS, silent="sale")) as api:
        api.run("export", "--source", "shop", "--type", "sale", "--since", "2023-12-31T12:00", "--until", "2025-06-01")

    windows = [(asked.query["start_time"], asked.query["end_time"]) for asked in api.calls("GET /events")]
    assert windows == [
        ("2023-12-31T12:00:00.000000000Z", "2024-12-31T00:00:00.000000000Z"),
        ("2024-12-31T00:00:00.000000000Z", "2025-06-01T00:00:00.000000000Z"),
    ]


def test_progress_is_of_the_window_that_was_read() -> None:
    with serving(holds(*KINDS)) as api:
        [part] = of_sources(api.client(), "shop", ["sale"], {"day": DAY, "start_time": None, "end_time": None})

    times = ("2025-11-27T00:00:00Z", f"{DAY}T00:00:00Z", f"{DAY}T18:00:00Z", "2025-11-30T00:00:00Z")
    assert [part.reached(time) for time in times] == [0.0, 0.0, 0.75, 1.0]
    assert Part("an entity", "x", []).reached(times[0]) == 0.0


def test_the_first_page_of_the_next_types_is_asked_for_while_one_is_written() -> None:
    together = Barrier(3)
    found = holds(*KINDS)

    def answered(asked: Asked) -> tuple[int, Any]:
        if asked.call == "GET /events":
            together.wait(timeout=30)  # all three are asked for at once, or this breaks
        return found(asked)

    with serving(answered) as api:
        result = api.run("export", "--day", DAY)

    kinds = [json.loads(line)["event_type"] for line in result.stdout.splitlines()]
    assert kinds == ["captured", "captured", "refunded", "refunded", "sale", "sale"]


def test_what_fails_in_a_later_type_ends_the_export_and_leaves_no_file(tmp_path: Path) -> None:
    found = holds(*KINDS)

    def answered(asked: Asked) -> tuple[int, Any]:
        return (403, {"message": "not authorized"}) if asked.query.get("event_type") == "sale" else found(asked)

    with serving(answered) as api:
        result = api.run("export", "--day", DAY, "--out", str(tmp_path / "day.ndjson"))

    assert exit_code(result) == Exit.REFUSED
    assert list(tmp_path.iterdir()) == []


def test_so_many_are_begun_and_no_more() -> None:
    made: list[int] = []

    def numbers(first: int) -> Iterator[int]:
        made.append(first)
        yield from (first, first + 1)

    each = begun([partial(numbers, first) for first in range(0, 20, 2)], at_once=2)

    assert list(next(each)) == [0, 1]
    assert set(made) <= {0, 2, 4}
    assert [list(items) for items in each] == [[first, first + 1] for first in range(2, 20, 2)]
