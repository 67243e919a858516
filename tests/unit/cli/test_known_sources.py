"""An unknown source or type is told from one without events, by the commands that search and replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Json, ScriptedApi, exit_code, problem, routes, said, serving

DAY = "2025-11-28"
WINDOW = {"start_time": f"{DAY}T00:00:00.000000000Z", "end_time": "2025-11-29T00:00:00.000000000Z"}
HOUR = {**WINDOW, "end_time": f"{DAY}T01:00:00.000000000Z"}
EMPTY: Answer = (200, {"items": [], "cursor": None})
PREVIEW: Json = {
    "request": {"source": "shop/till", "event_type": "sale", "day": DAY},
    "messages": 0,
    "scanned": 0,
    "exact": True,
    "by_day": [],
    "by_source": {},
    "by_type": {},
    "estimated_seconds": 0,
    "estimated_cost_usd": 0,
    "warnings": [],
}
FOUND = {
    "GET /events": EMPTY,
    "GET /late": EMPTY,
    "GET /gaps": (200, {"items": [WINDOW], "cursor": None, **WINDOW}),
    "POST /replay": (200, PREVIEW),
}
STALE: dict[str, Answer] = {
    "GET /stale": (
        200,
        {"items": [], "cursor": None, "late_events": 0, "entity_days": 0, "without_version": 0, "replays": []},
    )
}
KNOWN = [("Pay/Gateway", "payment.captured"), ("pay/ledger", "booking"), ("shop/till", "sale")]
COMMANDS = ("events", "late", "gaps", "replay preview")


def sources(*pairs: tuple[str, str], cursor: str | None = None) -> Answer:
    items = [{"source": source, "event_type": kind, "first_seen": "", "last_seen": None} for source, kind in pairs]
    return (200, {"items": items, "cursor": cursor, "looked_back_to": DAY})


def run(api: ScriptedApi, command: str, source: str, event_type: str) -> tuple[int, str]:
    selected = [source] if command in ("gaps", "late") else ["--source", source]
    result = api.run(*command.split(), *selected, "--type", event_type, "--day", DAY)
    return exit_code(result), " ".join(said(result).split())


def asked_for_sources(api: ScriptedApi) -> list[dict[str, str]]:
    return [asked.query for asked in api.asked if asked.call == "GET /sources"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_source_is_told_with_near_names_and_not_found(command: str) -> None:
    with serving(routes({**FOUND, "GET /sources": sources(*KNOWN)})) as api:
        code, told = run(api, command, "pay/gatewy", "payment.captured")

    assert code == Exit.NOT_FOUND
    assert "Unknown source: no event of source pay/gatewy was ever accepted." in told
    assert "Did you mean Pay/Gateway" in told
    assert asked_for_sources(api) == [{"look_back_days": "0", "limit": "1000"}]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_type_is_told_with_near_names_of_its_source(command: str) -> None:
    with serving(routes({**FOUND, "GET /sources": sources(*KNOWN, ("pay/ledger", "sales"))})) as api:
        code, told = run(api, command, "shop/till", "sales")

    assert code == Exit.NOT_FOUND
    assert "Unknown type: no event of type sales was ever accepted from shop/till." in told
    assert "Did you mean sale?" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_known_source_and_type_without_events_is_no_error(command: str) -> None:
    pages = [sources(*KNOWN[:2], cursor="next"), sources(*KNOWN[2:])]
    with serving(routes({**FOUND, "GET /sources": pages})) as api:
        code, told = run(api, command, "shop/till", "sale")

    assert (code, "Unknown" in told) == (Exit.DONE, False)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_answer_stays_one_if_sources_cannot_be_listed(command: str) -> None:
    with serving(routes({**FOUND, "GET /sources": (404, problem("There is no such route."))})) as api:
        code, _ = run(api, command, "shop/till", "sale")

    assert code == Exit.DONE


@pytest.mark.parametrize(
    "words",
    [
        ("rejected", "list", "--source", "shop/tyll"),
        ("export", "order-1", "--source", "shop/tyll"),
        ("stale", "shop/tyll"),
        ("replay", "preview", "order-1", "--include-source", "shop/tyll"),
        ("replay", "create", "order-1", "--exclude-source", "shop/tyll", "--yes"),
        ("metrics", "try", "METRICS", "--source", "shop/tyll", "--type", "sale"),
        ("metrics", "try", "METRICS", "order-1", "--source", "shop/tyll"),
    ],
    ids=" ".join,
)
def test_an_unknown_source_is_told_wherever_it_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "metrics.yaml").write_text("metrics: [{name: sales, source: shop/till, aggregate: count}]")
    given = [str(tmp_path / "metrics.yaml") if word == "METRICS" else word for word in words]
    with serving(routes({**FOUND, "GET /rejected": EMPTY, **STALE, "GET /sources": sources(*KNOWN)})) as api:
        result = api.run(*given, "--day", DAY)

    assert exit_code(result) == Exit.NOT_FOUND
    assert "Did you mean shop/till" in said(result)


@pytest.mark.parametrize(
    "words",
    [("export", "order-1"), ("replay", "preview", "order-1"), ("replay", "create", "order-1", "--yes")],
    ids=" ".join,
)
def test_an_unknown_type_is_told_wherever_it_is_named(words: tuple[str, ...]) -> None:
    option = "--exclude-type" if words[0] == "replay" else "--type"
    with serving(routes({**FOUND, "GET /sources": sources(*KNOWN)})) as api:
        result = api.run(*words, option, "sael", "--day", DAY)

    assert exit_code(result) == Exit.NOT_FOUND
    assert "Did you mean sale?" in said(result)


def test_a_silent_source_is_told_from_one_that_never_was() -> None:
    stale = (503, {"fresh": False, "newest": None, "age_s": None, "looked_back_to": DAY})
    with serving(routes({"GET /freshness": stale, "GET /sources": sources(*KNOWN)})) as api:
        never = api.run("freshness", "--source", "shop/tyll", "--type", "sale")
        silent = api.run("freshness", "--source", "shop/till", "--type", "sale")

    assert (exit_code(never), "Did you mean shop/till?" in said(never)) == (Exit.NOT_FOUND, True)
    assert exit_code(silent) == Exit.DIFFERENT


def test_sources_are_not_asked_for_if_something_was_found() -> None:
    found = {
        "GET /gaps": (200, {"items": [HOUR], "cursor": None, **WINDOW}),
        "POST /replay": (200, PREVIEW | {"exact": False}),
    }
    with serving(routes(found)) as api:
        for command in ("gaps", "replay preview"):
            assert run(api, command, "pay/gatewy", "t")[0] == Exit.DONE

    assert asked_for_sources(api) == []


def test_a_name_is_near_whatever_its_case_and_control_characters_do_not_reach_the_terminal() -> None:
    with serving(routes({**FOUND, "GET /sources": sources(("PAY\x1b[2J\n/GATE", "t"))})) as api:
        _, told = run(api, "events", "pay\x1b[2j/gate", "t")

    assert "PAY\\x1b[2J\\n/GATE" in told
    assert "\x1b" not in told


def test_an_unknown_type_among_several_is_told_though_another_has_events() -> None:
    counts = (200, {**PREVIEW, "messages": 3, "by_type": {"sale": 3}})
    with serving(routes({"POST /replay": counts, "GET /sources": sources(*KNOWN)})) as api:
        selected = ("--source", "shop/till", "--type", "sale", "--type", "sael", "--day", DAY)
        results = [api.run("replay", *words, *selected) for words in (("preview",), ("create", "--yes"))]
        sent = [asked for asked in api.calls("POST /replay") if "dry_run" not in asked.query]

    assert [exit_code(result) for result in results] == [Exit.NOT_FOUND, Exit.NOT_FOUND]
    assert "Unknown type: no event of type sael" in said(results[0])
    assert not sent


@pytest.mark.parametrize(("days", "further"), [("31", True), ("366", False)])
def test_sources_without_a_newest_event_say_how_far_was_looked_back(days: str, further: bool) -> None:  # noqa: FBT001
    with serving(routes({"GET /sources": sources(*KNOWN)})) as api:
        told = said(api.run("sources", "--look-back-days", days))

    assert f"`last seen` is `-` if no event time is on or after {DAY}." in told
    assert ("Look further back: --look-back-days 366" in told) is further
