"""metrics apply, try, list, show and retire: what they ask, what they show, and which faults they tell."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from chalicelib.core.lossless_json import parse
from chalicelib.metrics.definition import BUILT_IN, Definition, definition_of
from retrace.problem import Exit
from tests.unit.cli.scripted_api import Json, ScriptedApi, exit_code, routes, said, serving

REVENUE = '{"name":"revenue","aggregate":"sum","value":"/amount","group_by":["/currency"]}'
FILE = """metrics:
  - name: revenue
    aggregate: sum
    value: /amount
    group_by: [/currency]
  - {name: orders, aggregate: count, source: shop/checkout}
"""


def defined(text: str) -> Definition:
    return definition_of(parse(text))


def metric(definition: Definition, state: str = "ACTIVE") -> Json:
    """A metric as the API lists it."""
    built_in = definition in BUILT_IN
    return {
        "name": definition.name,
        "state": state,
        "built_in": built_in,
        "definition_sha256": definition.sha256,
        "definition": json.loads(definition.canonical),
        "changed_at": None if built_in else "2026-11-23T12:00:00.000000000Z",
        "changed_by": None if built_in else "arn:aws:iam::123456789012:user/lea",
    }


def listing(*metrics: Json) -> Json:
    return {"GET /metrics": (200, {"items": [metric(BUILT_IN[0]), *metrics], "cursor": None})}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.yaml"
    path.write_text(FILE)
    return path


def results(api: ScriptedApi, *words: str) -> dict[str, str]:
    result = api.run("metrics", "apply", *words)
    assert exit_code(result) == Exit.DONE, said(result)
    return {item["name"]: item["result"] for item in map(json.loads, result.stdout.splitlines())}


def test_apply_defines_what_is_new_and_leaves_what_is_so_already(file: Path) -> None:
    answers = listing(metric(defined(REVENUE))) | {"PUT /metrics/orders": (200, {})}
    with serving(routes(answers)) as api:
        found = results(api, str(file))

    [put] = [asked for asked in api.asked if asked.call.startswith("PUT")]
    assert found == {"revenue": "unchanged", "orders": "new"}
    assert put.body == {"name": "orders", "aggregate": "count", "source": "shop/checkout", "time_zone": "UTC"}


def test_apply_tells_a_changed_definition_from_one_that_was_retired(file: Path) -> None:
    other = defined(REVENUE.replace("/amount", "/net"))
    orders = defined('{"name":"orders","aggregate":"count","source":"shop/checkout"}')
    answers = listing(metric(other), metric(orders, "RETIRED"))
    puts: Json = {"PUT /metrics/revenue": (200, {}), "PUT /metrics/orders": (200, {})}
    with serving(routes(answers | puts)) as api:
        assert results(api, str(file)) == {"revenue": "changed", "orders": "active again"}


def test_a_dry_run_changes_nothing(file: Path) -> None:
    with serving(routes(listing())) as api:
        assert results(api, str(file), "--dry-run") == {"revenue": "new", "orders": "new"}

    assert [asked.call for asked in api.asked] == ["GET /metrics"]


def test_every_fault_of_a_file_is_told_with_its_line_and_nothing_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "metrics.yaml"
    path.write_text(
        "metrics:\n"
        "  - name: revenue\n"
        "    aggregate: sum\n"
        "    value: amount\n"
        "    where:\n"
        "      - path: /currency\n"
        "        equals: EUR\n"
        "      - {path: /currency, equals: USD}\n"
        "  - name: revenue\n"
        "    aggregate: count\n"
        "    unit: EUR\n"
        "    unit: USD\n"
        "  - name: daily_event_count\n"
        "    aggregate: count\n"
    )
    with serving(routes({})) as api:
        result = api.run("metrics", "apply", str(path))

    told = [
        line.removeprefix(f"{path}:").partition(" ")[0::2] for line in result.stderr.splitlines() if f"{path}:" in line
    ]
    assert [(line, message.split()[0]) for line, message in told] == [
        ("2", "metrics.0.name"),
        ("4", "metrics.0.value"),
        ("5", "metrics.0.where"),
        ("9", "metrics.1.name"),
        ("12", "metrics.1.unit"),
        ("12", "metrics.1.unit"),
        ("13", "metrics.2.name"),
    ]
    assert (exit_code(result), api.asked) == (Exit.USAGE, [])
    assert "7 faults" in said(result)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"metrics: [\n", ":2 is not YAML"),
        (b"- name: revenue\n", "must be a list of definitions"),
        (b"metrics: {}\n", "must be a list of definitions"),
        (b"metrics: []\nmetric: []\n", "is not known"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"#" * 500_001, "more than 500,000 bytes"),
    ],
)
def test_what_is_no_file_of_metrics_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "metrics.yaml"
    path.write_bytes(content)
    with serving(routes({})) as api:
        result = api.run("metrics", "apply", str(path))

    assert (exit_code(result), message in said(result), api.asked) == (Exit.USAGE, True, [])


def test_a_file_that_is_not_there_is_told() -> None:
    with serving(routes({})) as api:
        result = api.run("metrics", "apply", "nowhere.yaml")

    assert (exit_code(result), "nowhere.yaml cannot be read" in said(result)) == (Exit.USAGE, True)


def test_list_says_what_each_metric_computes() -> None:
    with serving(routes(listing(metric(defined(REVENUE), "RETIRED")))) as api:
        result = api.run("metrics", "list", "--table")

    built_in, revenue = result.stdout.splitlines()[-2:]
    assert built_in.split() == ["daily_event_count", "built", "in", "count", "-"]
    assert revenue.split() == [
        "revenue",
        "retired",
        "sum",
        "of",
        "/amount",
        "by",
        "/currency",
        "2026-11-23",
        "12:00:00",
    ]


def test_show_prints_the_definition_with_numbers_as_they_were_written() -> None:
    definition = defined('{"name":"odd","aggregate":"count","where":[{"path":"/rate","equals":1.10}]}')
    version: Json = {
        "definition_sha256": definition.sha256,
        "definition": {},
        "defined_at": "2026-11-23T12:00:00.000000000Z",
        "defined_by": "lea",
        "retired_at": None,
    }
    body = json.dumps(metric(definition) | {"definition": "HERE", "versions": [version]})
    text = body.replace('"HERE"', definition.canonical)
    with serving(routes({"GET /metrics/odd": (200, text.encode())})) as api:
        table, line = api.run("metrics", "show", "odd", "--table"), api.run("metrics", "show", "odd")

    assert '"equals": 1.10' in table.stdout
    assert line.stdout.rstrip("\n") == text
    assert "2026-11-23 12:00:00" in table.stdout


def test_a_metric_that_is_not_there_is_told() -> None:
    problem = {"type": "x", "title": "Not Found", "status": 404, "detail": "There is no metric revenue.", "errors": []}
    with serving(routes({"GET /metrics/revenue": (404, problem), "DELETE /metrics/revenue": (404, problem)})) as api:
        results = [api.run("metrics", command, "revenue") for command in ("show", "retire")]

    assert [exit_code(result) for result in results] == [Exit.NOT_FOUND] * 2


def test_retire_says_whether_it_changed_anything() -> None:
    answers = {"DELETE /metrics/revenue": [(200, {"changed": True}), (200, {"changed": False})]}
    with serving(routes(answers)) as api:
        first, again = (api.run("metrics", "retire", "revenue", "--table").stdout for _ in range(2))

    assert (first, again) == ("revenue is retired.\n", "revenue was retired before.\n")


def event(number: int, amount: str, currency: str = "EUR", **more: str) -> str:
    payload = f'{{"amount":{amount},"currency":"{currency}"}}'
    members = {"source": "shop", "event_type": "paid", "entity_id": f"m-{number}", "event_time": "2026-11-28T10:00:00Z"}
    return f'{json.dumps(members | more)[:-1]},"payload":{payload}}}'


def tried(api: ScriptedApi, *words: str) -> dict[str, Json]:
    result = api.run("metrics", "try", *words)
    assert exit_code(result) == Exit.DONE, said(result)
    return {item["name"]: item for item in map(json.loads, result.stdout.splitlines())}


def test_try_computes_over_a_file_and_shows_the_biggest_contributions_first(file: Path, tmp_path: Path) -> None:
    lines = [
        event(1, "0.10"),
        event(2, "-9007199254740993.20"),
        event(2, "-9007199254740993.20"),
        event(3, "7", "USD"),
        event(4, '"12"'),
        '{"source":"shop"}',
        "no event",
    ]
    (tmp_path / "day.ndjson").write_text("\n".join(lines))
    with serving(routes({})) as api:
        result = api.run("metrics", "try", str(file), "--events", str(tmp_path / "day.ndjson"), "--limit", "2")

    revenue, orders = map(json.loads, result.stdout.splitlines())
    assert [(each["group"], each["value"], each["inputs"], each["skipped"]) for each in revenue["groups"]] == [
        ({}, None, 0, 1),
        ({"/currency": "EUR"}, "-9007199254740993.1", 2, 0),
        ({"/currency": "USD"}, "7", 1, 0),
    ]
    assert [(each["entity_id"], each["amount"]) for each in revenue["contributions"]] == [
        ("m-2", "-9007199254740993.2"),
        ("m-3", "7"),
    ]
    assert [(each["reason"], each["events"]) for each in revenue["skipped"]] == [("/amount is not a number", 1)]
    assert (orders["selected"], orders["groups"][0]["value"]) == (0, "0")
    assert "5 events were read, 1 of them for a second time. Nothing was written." in result.stderr
    assert f"{tmp_path}/day.ndjson:6 is left out" in result.stderr.replace("\n", "")
    assert (exit_code(result), api.asked) == (Exit.DONE, [])


def test_try_finds_what_needs_all_contributions(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(
        "metrics:\n"
        "  - {name: median, aggregate: percentile, percentile: 50, value: /amount}\n"
        "  - {name: currencies, aggregate: distinct, value: /currency}\n"
        "  - {name: strict, aggregate: sum, value: /net, on_missing: fail}\n"
    )
    (tmp_path / "day.ndjson").write_text("\n".join(event(number, str(number)) for number in range(1, 6)))
    with serving(routes({})) as api:
        found = tried(api, str(tmp_path / "metrics.yaml"), "--events", str(tmp_path / "day.ndjson"))

    assert [found[name]["groups"][0]["value"] for name in ("median", "currencies", "strict")] == ["3", "1", None]
    assert found["strict"]["failing"] == 5


def test_try_reads_cloudevents_and_compressed_files_and_finds_nothing_in_empty_ones(file: Path, tmp_path: Path) -> None:
    cloudevent = (
        '{"specversion":"1.0","id":"1","source":"shop","type":"paid","subject":"m-1","time":"2026-11-28T10:00:00Z",'
        '"data":{"amount":1.10,"currency":"EUR"}}'
    )
    (tmp_path / "day.ndjson.gz").write_bytes(gzip.compress(f"{cloudevent}\n{event(2, '2')}\n{cloudevent}\n".encode()))
    (tmp_path / "empty.ndjson").write_bytes(b"")
    (tmp_path / "empty.ndjson.gz").write_bytes(gzip.compress(b""))
    with serving(routes({})) as api:
        some = tried(api, str(file), "--events", str(tmp_path / "day.ndjson.gz"), "--metric", "revenue")["revenue"]
        empty = [str(tmp_path / name) for name in ("empty.ndjson", "empty.ndjson.gz")]
        none = api.run("metrics", "try", str(file), "--events", empty[0], "--events", empty[1])

    assert [(each["group"], each["value"]) for each in some["groups"] if each["inputs"]] == [
        ({"/currency": "EUR"}, "3.1")
    ]
    assert (exit_code(none), "0 events were read. Nothing was written." in none.stderr) == (Exit.DONE, True)


CROWD = """
metrics:
  - {name: revenue, aggregate: sum, value: /amount, group_by: [/currency], time_zone: Europe/Paris}
"""


def test_try_warns_of_a_group_explosion_and_names_the_worst_day(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(CROWD)
    late = {"entity_id": "m-1", "event_time": "2026-11-28T23:30:00Z"}
    lines = [event(0, "1", f"C{number:05}", **late) for number in range(10_000)]
    lines += [event(2, "1", f"C{number:05}") for number in range(101)] + [event(3, "1", "EUR")]
    lines += [event(4, "1", f"{number:0200}") for number in range(30)]
    (tmp_path / "day.ndjson").write_text("\n".join(lines))
    with serving(routes({})) as api:
        shown = api.run("metrics", "try", str(tmp_path / "metrics.yaml"), "--events", str(tmp_path / "day.ndjson"))

    [found] = map(json.loads, shown.stdout.splitlines())
    assert found["crowded"] == [
        {"entity_id": "m-1", "day": "2026-11-29", "groups": 10_000, "listed": 100},
        {"entity_id": "m-2", "day": "2026-11-28", "groups": 101, "listed": 100},
        {"entity_id": "m-4", "day": "2026-11-28", "groups": 30, "listed": 18},
    ]
    assert found["crowded_days"] == 3


def test_try_says_how_many_groups_are_folded_and_is_silent_if_none_is(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(CROWD)
    with serving(routes({})) as api:
        for groups in (100, 101):
            lines = (event(1, "1", f"C{number:05}") for number in range(groups))
            (tmp_path / f"{groups}.ndjson").write_text("\n".join(lines))
        few, many = (
            api.run(*f"metrics try {tmp_path}/metrics.yaml --events {tmp_path}/{groups}.ndjson --table".split()).stderr
            for groups in (100, 101)
        )

    assert "groups" not in few
    assert (
        "revenue has 101 groups for m-1 on 2026-11-28. A version lists 100 of them, and folds 1 into one entry."
        " Group by a path with fewer values."
    ) in many.replace("\n", " ")


def test_try_chooses_metrics_by_name(file: Path, tmp_path: Path) -> None:
    (tmp_path / "day.ndjson").write_text(event(1, "1"))
    events = ("--events", str(tmp_path / "day.ndjson"))
    with serving(routes({})) as api:
        assert [*tried(api, str(file), *events, "--metric", "orders")] == ["orders"]
        unknown = api.run("metrics", "try", str(file), *events, "--metric", "order")

    assert (exit_code(unknown), "revenue, orders" in said(unknown)) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    "words", [(), ("m-1", "--events", "day.ndjson"), ("--source", "shop", "--events", "day.ndjson")]
)
def test_try_needs_either_files_or_stored_events(file: Path, words: tuple[str, ...]) -> None:
    with serving(routes({})) as api:
        result = api.run("metrics", "try", str(file), *words)

    assert (exit_code(result), "--events" in said(result), api.asked) == (Exit.USAGE, True, [])
