"""event: whether an event arrived, when, how often and from where, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.core.timestamps import CLOCKS_DIFFER_MS
from retrace.commands.event import PAGES_A_DAY
from retrace.event_ids import LOOK_BACK, MOST
from retrace.problem import Exit
from tests.terminal import on_a_terminal
from tests.unit.cli.scripted_api import Json, Script, ScriptedApi, exit_code, routes, said, serving
from tests.unit.cli.test_search_commands import DAY, command, environment_of, item, page

ID = "ab" * 32
SOURCE, KEY = "depot/scanners", "parcel ü/7"
REJECTED_ID = f"{DAY}.{'cd' * 32}"


RAW = '{"amount":1.10,"big":123456789012345678901234567890,"text":"Ł\u009b31m"}'.encode()


def event(**changes: object) -> Json:
    """What the API tells of an event."""
    return {
        **item(1),
        "event_id": ID,
        "request_id": "request-1",
        "sent_by": "arn:aws:iam::123456789012:user/till",
        "s3_key": "raw/source=depot/one.ndjson",
        "s3_offset": 0,
        "s3_length": 613,
        "arrivals": [],
        "more_arrivals": False,
        "aggregates": [],
        "more_aggregates": False,
        **changes,
    }


def known_to(known: Json) -> Script:
    answers = {"GET /events": page(known), f"GET /events/{ID}": (200, known), f"GET /events/{ID}/raw": (200, RAW)}
    return routes(answers)


@pytest.fixture
def one() -> Iterator[ScriptedApi]:
    """An API that knows one event."""
    known = event(more_arrivals=True, more_aggregates=True)
    with serving(known_to(known)) as api:
        yield api


def test_an_event_is_shown_with_its_numbers_as_they_were_written(one: ScriptedApi) -> None:
    result = one.run("event", ID.upper(), "--table")

    assert '  "amount": 1.10,\n  "big": 123456789012345678901234567890,\n  "text": "Ł\\u009b31m"\n' in result.stdout
    assert "depot/scanners" in result.stdout
    assert "more often than is listed" in result.stderr
    assert "Older versions may contain it" in result.stderr


def test_the_raw_event_is_handed_on_byte_for_byte_but_not_to_a_terminal(one: ScriptedApi, tmp_path: Path) -> None:
    piped = one.run("event", ID, "--raw")
    _, shown = on_a_terminal(command("event", ID, "--raw"), directory=tmp_path, environment=environment_of(one))

    assert piped.stdout_bytes == RAW + b"\n"
    assert "Ł\\u009b31m" in shown


@pytest.mark.parametrize("wrong", ["12345", "../health", ID + "0", "g" * 64])
def test_what_is_no_event_id_is_not_asked_for(one: ScriptedApi, wrong: str) -> None:
    result = one.run("event", wrong)

    assert (exit_code(result), one.asked) == (Exit.USAGE, [])
    assert "64 hex digits" in said(result)
    assert "retrace event SOURCE KEY" in said(result)


KINDS = [{"source": SOURCE, "event_type": kind, "last_seen": seen} for kind, seen in (("a", DAY), ("b", None))]
BEGINNING, OTHER = ID[:12], ID[:8] + "0" * 56


def api_with(*late: str, of_week: tuple[str, ...] = ()) -> Script:
    """An API with these event ids among late events and among those of the week, which knows the text of one."""
    listed = {"GET /late": page(*({"event_id": one} for one in late)), "GET /sources": page(*KINDS)}
    events = {"GET /events": page(*({"event_id": one} for one in of_week))}
    return routes(listed | events | {f"GET /events/{ID}": (200, event()), f"GET /events/{ID}/raw": (200, RAW)})


@pytest.mark.parametrize("script", [api_with(OTHER, ID), api_with(OTHER, of_week=(ID,)), api_with(ID, of_week=(ID,))])
def test_an_event_is_found_by_the_beginning_of_its_id_among_those_of_the_last_week(script: Script) -> None:
    with serving(script) as api:
        result = api.run("event", BEGINNING.upper())

    assert json.loads(result.stdout)["event_id"] == ID
    [events] = api.calls("GET /events")
    assert {"source": SOURCE, "event_type": "a", "order": "newest"}.items() <= events.query.items()
    [late] = api.calls("GET /late")
    week = [datetime.fromisoformat(late.query[name]) for name in ("start_time", "end_time")]
    assert week[1] - week[0] == LOOK_BACK + timedelta(milliseconds=CLOCKS_DIFFER_MS)
    assert {name: events.query[name] for name in ("start_time", "end_time")}.items() <= late.query.items()


def test_an_event_is_found_by_the_beginning_of_its_id_among_those_of_its_entity() -> None:
    with serving(api_with(of_week=(OTHER, ID))) as api:
        result = api.run("event", BEGINNING, "--entity", "depot")

    assert json.loads(result.stdout)["event_id"] == ID
    [events] = api.calls("GET /events")
    assert (events.query["entity_id"], api.calls("GET /late"), api.calls("GET /sources")) == ("depot", [], [])


def test_an_entity_beside_a_key_is_refused_as_only_beginnings_are_searched_for_in_one() -> None:
    with serving(api_with(ID)) as api:
        result = api.run("event", SOURCE, KEY, "--entity", "depot")

    assert (exit_code(result), api.asked) == (Exit.USAGE, [])
    assert "--entity" in said(result)


def test_a_beginning_of_no_event_id_is_not_found_and_told_with_what_was_searched() -> None:
    with serving(api_with(OTHER)) as api:
        anywhere, of_entity = api.run("event", BEGINNING), api.run("event", BEGINNING, "--entity", "depot")

    assert (exit_code(anywhere), exit_code(of_entity)) == (Exit.NOT_FOUND, Exit.NOT_FOUND)
    assert "of each source and type in the last 7 days, and of the late ones" in said(anywhere)
    assert "Name its entity (--entity)" in said(anywhere)
    assert "events of depot." in said(of_entity)


def test_a_beginning_of_several_event_ids_is_refused_with_each_of_them() -> None:
    with serving(api_with(OTHER, ID)) as api:
        result = api.run("event", ID[:8])

    assert exit_code(result) == Exit.USAGE
    assert f"Several event ids begin with {ID[:8]}." in said(result)
    assert OTHER in said(result)
    assert ID in said(result)


def test_an_event_is_searched_among_so_many_of_each_list_and_no_more() -> None:
    endless = (200, {"items": [{"event_id": OTHER}] * 1_000, "cursor": "next"})
    with serving(routes({"GET /events": endless})) as api:
        result = api.run("event", "cd" * 4, "--entity", "depot")

    assert (exit_code(result), len(api.asked)) == (Exit.NOT_FOUND, MOST // 1_000)


def test_an_id_that_is_not_known_is_not_found(one: ScriptedApi) -> None:
    assert exit_code(one.run("event", "0" * 64)) == Exit.NOT_FOUND


def test_an_event_is_found_by_the_key_of_its_producer(one: ScriptedApi) -> None:
    shown = one.run("event", SOURCE, KEY, "--table")
    raw = one.run("event", SOURCE, KEY, "--raw")
    as_json = one.run("event", SOURCE, KEY)

    assert one.asked[0].query == {"source": SOURCE, "idempotency_key": KEY}
    assert KEY in shown.stdout
    assert raw.stdout_bytes == RAW + b"\n"
    assert json.loads(as_json.stdout)["event_id"] == ID


def test_an_event_is_shown_with_when_it_arrived_how_often_and_from_where() -> None:
    sends = [("CONFLICT", "request-2", {"rejected_id": REJECTED_ID}), ("DUPLICATE", "request-3", {})]
    arrivals = [
        {"status": status, "request_id": request, "ingest_time": f"{DAY}T09:00:00.000000000Z", **more}
        for status, request, more in (*sends, ("DUPLICATE", "request-4", {}))
    ]
    with serving(known_to(event(arrivals=arrivals, ingest_lag_ms=60_000))) as api:
        shown = " ".join(api.run("event", ID, "--table").stdout.split())

    assert f"arrived {DAY} 08:01:01 UTC, lag 1m" in shown
    assert "how often 4 times: accepted, then 2 duplicates and 1 conflict" in shown
    assert "sent by arn:aws:iam::123456789012:user/till in request request-1" in shown
    assert "stored in raw/source=depot/one.ndjson at byte 0, 613 bytes long" in shown
    assert f"{DAY} 09:00:00 CONFLICT request-2" in shown
    assert f"Conflict in quarantine: retrace rejected get {REJECTED_ID[:19]}" in shown


@pytest.mark.parametrize(
    ("arrivals", "more", "told"),
    [
        ([], False, "how often once"),
        (["DUPLICATE"], False, "how often 2 times: accepted, then 1 duplicate"),
        (["DUPLICATE"], True, "how often at least 2 times: accepted, then 1 duplicate"),
    ],
)
def test_an_event_is_shown_with_how_often_it_arrived(arrivals: list[str], *, more: bool, told: str) -> None:
    again = [{"status": status, "request_id": "r", "ingest_time": f"{DAY}T09:00:00Z"} for status in arrivals]
    with serving(known_to(event(arrivals=again, more_arrivals=more))) as api:
        shown = " ".join(api.run("event", ID, "--table").stdout.split())

    assert f"{told} sent by" in shown


def days() -> list[str]:
    now = datetime.now(UTC)
    return [now.date().isoformat(), (now - timedelta(days=1)).date().isoformat()]


def refused() -> Json:
    errors = [{"field": "event_time", "message": "is missing"}]
    at = f"{DAY}T12:03:00.000000000Z"
    return {"rejected_id": REJECTED_ID, "status": "REJECTED", "errors": errors, "ingest_time": at}


def test_an_event_in_quarantine_is_told_from_one_that_never_arrived() -> None:
    with serving(routes({"GET /events": page(), "GET /rejected": [page(refused()), page()]})) as api:
        result = api.run("event", SOURCE, KEY, "--table")

    assert exit_code(result) == Exit.DIFFERENT
    assert f"Not accepted: REJECTED {DAY} 12:03:00 UTC, because event_time is missing." in said(result)
    assert f"retrace rejected retry {REJECTED_ID[:19]}" in said(result).splitlines()[-1]


def test_an_event_in_quarantine_is_not_written_where_the_raw_event_is_wanted() -> None:
    with serving(routes({"GET /events": page(), "GET /rejected": page(refused())})) as api:
        result = api.run("event", "--raw", SOURCE, KEY)

    assert (exit_code(result), result.stdout) == (Exit.DIFFERENT, "")


def test_an_event_in_quarantine_is_told_to_a_program_as_the_api_tells_it() -> None:
    with serving(routes({"GET /events": page(), "GET /rejected": [page(), page(refused())]})) as api:
        result = api.run("event", SOURCE, KEY)

    assert (exit_code(result), json.loads(result.stdout)) == (Exit.DIFFERENT, refused())


def test_an_event_that_never_arrived_is_not_found_and_told_with_the_days_that_were_searched() -> None:
    before = days()
    with serving(routes({"GET /events": page(), "GET /rejected": page()})) as api:
        result = api.run("event", SOURCE, KEY)

    searched = [asked.query["day"] for asked in api.calls("GET /rejected")]
    assert searched in (before, days())
    assert (exit_code(result), result.stdout) == (Exit.NOT_FOUND, "")
    assert f"No event of {SOURCE} with the key {KEY} was accepted" in said(result)
    assert f"Quarantine of {' and '.join(searched)} does not have it." in said(result)
    assert {(asked.query["source"], asked.query["idempotency_key"]) for asked in api.calls("GET /rejected")} == {
        (SOURCE, KEY)
    }


def test_a_source_that_never_sent_anything_is_told_with_near_names() -> None:
    known = page({"source": SOURCE, "event_type": "parcel.sorted"})
    with serving(routes({"GET /events": page(), "GET /rejected": page(), "GET /sources": known})) as api:
        result = api.run("event", "depot/scaners", KEY)

    assert exit_code(result) == Exit.NOT_FOUND
    assert "no event of source depot/scaners was ever accepted" in said(result)
    assert f"Did you mean {SOURCE}?" in said(result)


def test_a_quarantine_that_is_too_large_to_be_searched_is_searched_in_part_and_said_to_be() -> None:
    endless = page(cursor="next")
    with serving(routes({"GET /events": page(), "GET /rejected": endless})) as api:
        result = api.run("event", SOURCE, KEY)

    assert len(api.calls("GET /rejected")) == 2 * PAGES_A_DAY
    assert exit_code(result) == Exit.NOT_FOUND
    assert "only the beginning was searched" in said(result)
