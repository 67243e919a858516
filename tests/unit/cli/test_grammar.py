"""How commands, their options and their help are spelled, the same for all of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer.main

from retrace.command_line import app
from retrace.command_registry import GROUPS, PLACES
from retrace.problem import Exit
from tests.unit.cli.scripted_api import ScriptedApi, exit_code, routes, said, serving

SOURCE = {"source": "shop/till", "event_type": "sale", "first_seen": "2026-11-21T09:30:00.000000000Z"}
SOURCES = {
    "GET /sources": (
        200,
        {"items": [SOURCE | {"last_seen": SOURCE["first_seen"]}], "cursor": None, "looked_back_to": "2025-11-28"},
    )
}
REJECTED: dict[str, Any] = {"GET /rejected": (200, {"items": [], "cursor": None})}

_METAVAR = re.compile(r"[A-Z][A-Z_=|…]*|N|[a-zA-Z-]+(\|[a-zA-Z-]+)*")


def command(name: str) -> Any:
    found: Any = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    return found


def shown(api: ScriptedApi, *words: str) -> str:
    result = api.run(*words)
    assert exit_code(result) == Exit.DONE
    return result.stdout


@pytest.mark.parametrize("words", [("--url", "{url}", "rejected", "list"), ("rejected", "--url", "{url}", "list")])
def test_the_deployment_is_chosen_before_or_after_the_command(words: tuple[str, ...]) -> None:
    with serving(routes(REJECTED)) as api:
        before = api.run(*(word.format(url=api.url) for word in words))
        after = api.run("rejected", "list", "--url", api.url)
        nearest = api.run("--url", "nowhere", "rejected", "list", "--url", api.url)
        wrong = api.run("--url", api.url, "rejected", "list", "--url", "nowhere")

    assert [exit_code(one) for one in (before, after, nearest)] == [Exit.DONE] * 3
    assert (exit_code(wrong), "nowhere" in said(wrong)) == (Exit.USAGE, True)


def test_the_shape_of_output_is_chosen_before_or_after_the_command() -> None:
    with serving(routes(SOURCES)) as api:
        tables = [shown(api, "--table", "sources"), shown(api, "sources", "--table")]
        lines = [shown(api, "--json", "sources"), shown(api, "sources", "--json"), shown(api, "sources")]

    assert tables[0] == tables[1]
    assert "first seen (UTC)" in tables[0]
    assert [json.loads(line)["source"] for line in lines] == ["shop/till"] * 3


@pytest.mark.parametrize(
    "words",
    [
        "events order-1",
        "late",
        "stale",
        "gaps shop/till",
        "rejected list",
        "replay create order-1",
        "replay preview --source shop/till --type sale",
        "export",
        "sql QUERY",
    ],
)
def test_a_window_that_ends_before_it_begins_is_refused_before_anything_is_asked(words: str) -> None:
    with serving(routes({})) as api:
        reversed_, empty = (
            api.run(*words.split(), "--since", "2025-11-28T10:00", "--until", until)
            for until in ("2025-11-28T09:00", "2025-11-28T10:00")
        )

    assert (exit_code(reversed_), exit_code(empty), api.asked) == (Exit.USAGE, Exit.USAGE, [])
    told = " ".join(said(reversed_).split())
    assert "--since: must lie before --until, which is excluded: 2025-11-28 10:00:00 is not before 2025-11-28" in told


@pytest.mark.parametrize("words", ["sources --json --table", "--json sources --table", "--table --json rejected list"])
def test_json_and_a_table_at_once_are_refused(words: str) -> None:
    with serving(routes(SOURCES)) as api:
        result = api.run(*words.split())

    assert (exit_code(result), "--json, --table" in said(result), api.asked) == (Exit.USAGE, True, [])


def test_what_is_named_like_an_option_can_be_asked_for_behind_two_dashes() -> None:
    with serving(routes({"GET /events": (200, {"items": [], "cursor": None})})) as api:
        result = api.run("events", "--table", "--", "--json")

    assert (exit_code(result), api.asked[0].query["entity_id"]) == (Exit.DONE, "--json")


@pytest.mark.parametrize("name", [*PLACES, *GROUPS])
def test_help_with_a_name_is_the_help_of_that_name(name: str) -> None:
    with serving(routes({})) as api:
        assert shown(api, "help", *name.split()) == shown(api, *name.split(), "--help")


def test_help_without_a_name_lists_all_commands() -> None:
    with serving(routes({})) as api:
        assert shown(api, "help") == shown(api, "--help")


def test_help_about_an_unknown_command_names_near_ones() -> None:
    with serving(routes({})) as api:
        typo, below = api.run("help", "replay", "creat"), api.run("help", "late", "x")

    assert (exit_code(typo), "Did you mean 'create'?" in said(typo)) == (Exit.USAGE, True)
    assert (exit_code(below), "none below it" in said(below)) == (Exit.USAGE, True)


@pytest.mark.parametrize("name", PLACES)
def test_what_is_to_be_given_is_named_by_its_meaning_and_not_by_its_type(name: str) -> None:
    metavars = [option.metavar for option in command(name).params if not getattr(option, "is_flag", False)]

    assert [metavar for metavar in metavars if not _METAVAR.fullmatch(str(metavar))] == []
    assert {"STR", "TEXT", "INT", "INTEGER"}.isdisjoint(metavars)


@pytest.mark.parametrize("name", PLACES)
def test_help_fits_a_terminal_but_for_examples(name: str) -> None:
    with serving(routes({})) as api:
        lines = shown(api, "help", *name.split()).splitlines()

    assert [line for line in lines if len(line) > 80 and not line.startswith("  retrace ")] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("verify order-1 today", "Did you mean 'check verify'?"),
        ("list", "Did you mean 'rejected list' or 'replay list' or 'metrics list'?"),
        ("evnts", "Did you mean 'events', 'event'?"),
        ("replay verify", "No such command 'verify'."),
    ],
)
def test_a_command_that_is_called_without_its_group_is_told_with_it(words: str, told: str) -> None:
    with serving(routes({})) as api:
        ended = api.run(*words.split())

    assert (exit_code(ended), said(ended).strip().endswith(told)) == (Exit.USAGE, True)
