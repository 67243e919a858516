"""events, freshness, rejected: what they ask, and what they show."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from retrace.event_table import MOST
from retrace.problem import Exit
from tests.terminal import on_a_terminal
from tests.unit.cli.scripted_api import Answer, Asked, Json, ScriptedApi, exit_code, problem, routes, said, serving

DAY = "2025-11-28"


def item(number: int, *, hour: int = 8, lag_ms: int = 5, entity: str = "depot") -> Json:
    """An event in a list; numbers are in order of time."""
    return {
        "event_id": f"{number:064x}",
        "source": "depot/scanners",
        "event_type": "parcel.sorted",
        "entity_id": entity,
        "event_time": f"{DAY}T{hour:02}:00:{number % 60:02}.000000000Z",
        "ingest_time": f"{DAY}T{hour:02}:01:{number % 60:02}.000000000Z",
        "ingest_lag_ms": lag_ms,
    }


def page(*items: Json, cursor: str | None = None) -> Answer:
    return (200, {"items": list(items), "cursor": cursor})


def environment_of(api: ScriptedApi) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETRACE_"))}
    key = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}
    return kept | key | {"RETRACE_URL": api.url, "XDG_CONFIG_HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "retrace", *arguments]


@pytest.fixture
def listing() -> Iterator[ScriptedApi]:
    """An API with two pages of three events, whatever it is asked."""
    pages = [page(item(1), item(2), cursor="next"), page(item(3, hour=11, lag_ms=4_000_000))]
    with serving(routes({"GET /events": pages})) as api:
        yield api


def test_events_of_an_entity_are_asked_for_page_by_page_and_piped_as_they_came(listing: ScriptedApi) -> None:
    result = listing.run("events", "depot", "--day", DAY, "--status", "duplicate", "--min-lag-ms", "5")

    assert [json.loads(line) for line in result.stdout.splitlines()][:2] == [item(1), item(2)]
    assert result.stdout.count("\n") == 3
    query = {"entity_id": "depot", "day": DAY, "status": "DUPLICATE", "min_lag_ms": "5", "order": "oldest"}
    assert [asked.query for asked in listing.asked] == [
        query | {"limit": "100"},
        query | {"limit": "100", "cursor": "next"},
    ]


def test_a_limit_ends_the_list_and_says_so(listing: ScriptedApi) -> None:
    result = listing.run("events", "depot", "--limit", "2", "--newest")

    assert (result.stdout.count("\n"), "Cut off at 2" in result.stderr) == (2, True)
    assert [(asked.query["limit"], asked.query["order"]) for asked in listing.asked] == [("2", "newest")]


def test_a_terminal_shows_a_table_that_fits_it(listing: ScriptedApi, tmp_path: Path) -> None:
    for columns in (80, 200):
        code, shown = on_a_terminal(
            command("events", "depot", "--day", DAY),
            directory=tmp_path,
            environment=environment_of(listing),
            columns=columns,
        )
        lines = shown.splitlines()
        assert code == Exit.DONE
        assert lines[0].startswith("event time (UTC)")
        assert max(map(len, lines)) <= columns
        assert (item(3)["event_id"] in shown) == (columns == 200)


def test_control_characters_of_an_event_do_not_reach_the_terminal(tmp_path: Path) -> None:
    nasty = "\x1b[2J[red]x[/red]\u009b31m"
    with serving(routes({"GET /events": page(item(1, entity=nasty))})) as api:
        _, shown = on_a_terminal(command("events", "x"), directory=tmp_path, environment=environment_of(api))
        _, as_json = on_a_terminal(
            command("events", "x", "--json"), directory=tmp_path, environment=environment_of(api)
        )

    assert "\\x1b[2J[red]x[/red]\\x9b31m" in shown
    assert not {"\x1b", "\u009b"} & set(shown + as_json)
    assert json.loads(as_json.splitlines()[0])["entity_id"] == nasty


def test_many_events_are_drawn_with_the_hours_in_which_there_were_none() -> None:
    events = [item(n, hour=8) for n in range(9)] + [item(9, hour=11, lag_ms=3_600_000)]
    with serving(routes({"GET /events": page(*events)})) as api:
        result = api.run("events", "depot", "--table")

    assert "10 events, 1 of them an hour late or more; by hour █··▁" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name an entity"),
        (("--source", "a"), "give a type of the source"),
        (("--source", "a", "--type", "b"), "say when"),
        (("depot", "--day", DAY, "--since", "2h"), "leave out"),
        (("depot", "--since", "soon"), "'soon' is not a time"),
        (("depot", "--day", "2h"), "'2h' is not a day"),
        (("depot", "--status", "LOST"), "LOST"),
        (("depot", "--limit", "0"), "limit"),
        (("--source", "a", "--type", "b", "--day", DAY, "--follow"), "needs an entity"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_asked(
    listing: ScriptedApi, arguments: tuple[str, ...], told: str
) -> None:
    result = listing.run("events", *arguments)

    assert (exit_code(result), listing.asked) == (Exit.USAGE, [])
    assert told in said(result)


def test_nothing_there_is_explained() -> None:
    with serving(routes({"GET /events": page(), "GET /rejected": page()})) as api:
        for arguments in (("events", "x"), ("rejected", "list", "-d", DAY)):
            result = api.run(*arguments)
            assert (exit_code(result), result.stdout, bool(result.stderr)) == (Exit.DONE, "", True)


def test_following_shows_each_event_once_late_ones_too(tmp_path: Path) -> None:
    """The newest come first: the second answer repeats the first, the third has a new event and a late one."""
    old = [item(n) for n in range(12, 0, -1)]
    late, new = item(0, lag_ms=9_000_000) | {"ingest_time": f"{DAY}T12:00:00.000000000Z"}, item(13)
    pages: list[Answer] = [page(*old), page(*old), page(new, *old, late)]
    answered, again = routes({"GET /events": pages}), Event()

    def script(asked: Asked) -> Answer:
        if len(api.asked) > len(pages):
            again.set()
        return answered(asked)

    with (
        serving(script) as api,
        subprocess.Popen(  # noqa: S603  # our own command
            command("events", "depot", "--follow"),
            cwd=tmp_path,
            env=environment_of(api),
            stdout=subprocess.PIPE,
            text=True,
        ) as following,
    ):
        assert following.stdout is not None
        lines = [json.loads(following.stdout.readline()) for _ in range(12)]
        assert again.wait(60)
        following.send_signal(signal.SIGINT)
        rest = following.stdout.read()

    assert lines == [*reversed(old[:10]), new, late]
    assert (rest, following.returncode) == ("", Exit.INTERRUPTED)
    assert {asked.query["order"] for asked in api.asked} == {"newest"}


def test_following_more_than_is_watched_says_so(tmp_path: Path) -> None:
    def endless(asked: Asked) -> Answer:
        start = int(asked.query.get("cursor", "0"))
        return page(*(item(start + n) for n in range(1_000)), cursor=str(start + 1_000))

    with (
        serving(endless) as api,
        subprocess.Popen(  # noqa: S603  # our own command
            command("events", "depot", "--follow"),
            cwd=tmp_path,
            env=environment_of(api),
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.DEVNULL,
        ) as following,
    ):
        assert following.stderr is not None
        lines = [following.stderr.readline() for _ in range(2)]
        following.send_signal(signal.SIGINT)

    assert f"newest {MOST:,} events" in lines[1]
    assert {int(asked.query.get("cursor", 0)) for asked in api.asked} <= set(range(0, MOST, 1_000))


@pytest.mark.parametrize(
    ("query", "headings"),
    [
        (["depot"], ["event time (UTC)", "lag", "source", "type", "key"]),
        (["-s", "depot/scanners", "-t", "parcel.sorted", "-d", DAY], ["event time (UTC)", "lag", "entity", "key"]),
    ],
)
def test_events_are_listed_with_the_keys_that_their_texts_have(query: list[str], headings: list[str]) -> None:
    texts = [{"idempotency_key": "parcel-1"}, {"specversion": "1.0", "id": "evt-2"}, {"id": "no key"}, None]
    events = page(*(item(number) | {"event": text} for number, text in enumerate(texts)))
    with serving(routes({"GET /events": events})) as api:
        shown = api.run("events", *query, "--keys", "--table").stdout.splitlines()

    rows = [re.split(r"\s{2,}", line.strip()) for line in shown if line.strip()]
    assert rows[0] == headings
    assert [row[-1] for row in rows[2:]] == ["parcel-1", "evt-2", *[rows[-1][-1]] * 2]
    assert rows[-1][-1] in ("depot", "parcel.sorted")
    assert api.asked[0].query["include"] == "event"


def test_keys_are_not_read_again_and_again_while_events_are_followed(listing: ScriptedApi) -> None:
    result = listing.run("events", "depot", "--keys", "--follow")

    assert (exit_code(result), listing.asked) == (Exit.USAGE, [])


FRESH = {"newest": item(1), "age_s": 90, "fresh": True, "looked_back_to": "2025-10-28", "ahead": None}
AHEAD = item(2) | {"ingest_lag_ms": -129_600_000}


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        ((200, FRESH), Exit.DONE, "1m 30s old"),
        ((503, FRESH | {"fresh": False}), Exit.DIFFERENT, "1m 30s old"),
        (
            (503, FRESH | {"fresh": False, "newest": None}),
            Exit.DIFFERENT,
            "Nothing since 2025-10-28. Look further back",
        ),
        ((200, FRESH | {"ahead": AHEAD}), Exit.DONE, "The newest event, 1d 12h ahead, does not count"),
        ((400, problem("look_back_days is too large")), Exit.REFUSED, "look_back_days is too large"),
    ],
)
def test_freshness_ends_as_a_monitor_needs_it(answer: Answer, code: Exit, told: str) -> None:
    with serving(routes({"GET /freshness": answer})) as api:
        result = api.run("freshness", "-s", "a", "-t", "b", "--max-age-s", "60", "--table")

    assert (exit_code(result), len(api.calls("GET /freshness"))) == (code, 1)
    assert told in said(result)


def test_a_busy_answer_that_mentions_fresh_elsewhere_is_not_taken_for_a_verdict() -> None:
    busy = problem("busy") | {"errors": [{"field": "fresh", "message": "is not known yet"}]}
    with serving(routes({"GET /freshness": [(503, busy), (200, FRESH)]})) as api:
        result = api.run("freshness", "-s", "a", "-t", "b", "--json")

    assert (exit_code(result), json.loads(result.stdout)) == (Exit.DONE, FRESH)


def test_an_api_that_is_busy_is_not_taken_for_stale() -> None:
    with serving(routes({"GET /freshness": [(503, problem("busy")), (200, FRESH)]})) as api:
        result = api.run("freshness", "-s", "a", "-t", "b", "--json")

    assert (exit_code(result), json.loads(result.stdout)) == (Exit.DONE, FRESH)


def test_what_was_refused_is_counted_by_reason() -> None:
    def refused(number: int, field: str) -> Json:
        errors = [{"field": field, "message": "is wrong"}]
        received = f"{DAY}T08:00:0{number}.000000000Z"
        told = {"rejected_id": f"r-{number}", "status": "REJECTED", "errors": errors, "ingest_time": received}
        return told | {"retried": number == 1}

    with serving(routes({"GET /rejected": page(refused(1, "a"), refused(2, "a"), refused(3, ""))})) as api:
        result = api.run("rejected", "list", "--day", DAY, "--reason", "a", "--table")

    assert re.search(r"r-1 +08:00:01 +\(cannot be read\) +a is wrong +tried", result.stdout)
    assert re.search(r"█+ +2  a\n█+ +1  \(whole\)", result.stdout)
    assert api.asked[0].query == {"day": DAY, "reason": "a", "limit": "100"}


def test_an_event_of_the_future_is_told_apart_in_lists() -> None:
    soon = item(3) | {"ingest_lag_ms": -300_000}
    found = [AHEAD, soon] + [item(number) | {"ingest_lag_ms": 3_600_000} for number in range(4, 14)]
    with serving(routes({"GET /events": (200, {"items": found, "cursor": None})})) as api:
        result = api.run("events", "depot", "--table")

    assert [re.search(text, result.stdout) is not None for text in ("1d 12h ahead", "-5m", "1h ")] == [True] * 3
    assert "12 events, 10 of them an hour late or more, 1 ahead of their receipt" in result.stdout
