"""Tables on a terminal of 80 columns: one line for each thing, with ids that other commands take."""

from __future__ import annotations

import re
import sys
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from retrace.command_line import run
from retrace.event_table import event_columns
from retrace.live_table import LiveTable
from retrace.output import Column, Output
from retrace.problem import Exit
from tests.unit.cli.replay_answers import job
from tests.unit.cli.scripted_api import ScriptedApi, exit_code, routes, said, serving
from tests.unit.cli.test_aggregates_command import DAY, IDS, NEW, OLD, an_input, day, difference, known, version
from tests.unit.cli.test_shown import Terminal

Json = dict[str, Any]

ID = "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57"
LONG = {"source": "depot/scanners", "event_type": "parcel.loaded", "start_day": "2025-11-01", "end_day": "2025-11-28"}
JOBS = [job(replay_id=ID), job("FAILED", replay_id=NEW, failed=3, request=LONG | {"whole_days": True, "reason": "why"})]
SEEN = "2025-11-28T10:00:00.000000000Z"
SOURCE = {"source": "payments/northpay", "event_type": "payment.authorised", "first_seen": SEEN, "last_seen": SEEN}
PARTIAL = version(OLD, 27, complete=False, partial_because=["its window leaves out part of the day"])
EVENT = known(0) | {"source": "payments/northpay", "event_type": "payment.authorised"}
EVENT |= {"entity_id": "an-entity-of-thirty-characters"}
DESTINATION = {"name": "a-long-destination-1", "kind": "fifo", "built_in": False, "reports": True}
DESTINATION |= {"rate": 9999.5, "sending": 25, "in_flight": None, "max_in_flight": None, "failed": None}
BUILT_IN = {"name": "aggregates", "kind": "queue", "built_in": True, "reports": True, "rate": None, "sending": 0}
DESTINATIONS = [BUILT_IN | {"in_flight": 9_999, "max_in_flight": 10_000, "failed": 1}, DESTINATION]
ANSWERS: Json = {
    "GET /events": (200, {"items": [EVENT], "cursor": None}),
    "GET /late": (200, {"items": [EVENT], "cursor": None}),
    "GET /late/summary": (200, {"items": [], "cursor": None}),
    "GET /replay": (200, {"items": JOBS, "cursor": None}),
    "GET /sources": (200, {"items": [SOURCE], "cursor": None, "looked_back_to": "2025-11-28"}),
    "GET /destinations": (200, {"items": DESTINATIONS}),
    "GET /aggregates": (200, day(version(NEW, 36), PARTIAL)),
    "GET /aggregates/inputs": (200, {"items": [an_input(0)], "cursor": None}),
    "GET /aggregates/diff": (200, difference([], [an_input(0)], [])),
    f"GET /events/{IDS[0]}": (200, known(0)),
}
LISTS = {
    "replay list": ("0199b0f4-5a1c", "0199b0f4-0000"),
    "sources": ("payments/northpay   payment.authorised   2025-11-28 10:00   2025-11-28 10:00",),
    "destinations": ("a-long-destination-1   fifo, reports", "9,999        1"),
    "events an-entity-of-thirty-characters": (f"payments/northp…   payment.authoris…   {IDS[0][:12]}",),
    "events -s payments/northpay -t payment.authorised --day 2025-11-28": (
        f"an-entity-of-thirty-characters   {IDS[0][:12]}",
    ),
    "late --day 2025-11-28": (" an-entity-of-thirty-characters", "   payment…   payment…   "),
    f"aggregates get {' '.join(DAY)}": ("0199b0f4-0000",),
    f"aggregates inputs {' '.join(DAY)} {OLD}": (f"2025-11-28 10:00:00   parcel.sorted   {IDS[0][:12]}",),
    f"aggregates diff {' '.join(DAY)} {OLD} {NEW}": (
        f"+   2025-11-28 10:00:00    1h   depot/scanners   parcel.sorted   {IDS[0][:12]}",
    ),
}
"""Lists, and what stands in a line of each, unbroken."""


def on_80_columns(monkeypatch: pytest.MonkeyPatch, api: ScriptedApi, *words: str) -> list[str]:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    environment = {"RETRACE_URL": api.url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "COLUMNS": "80"}
    for name, value in (environment | {"AWS_REGION": "eu-west-1", "XDG_CONFIG_HOME": "/nonexistent"}).items():
        monkeypatch.setenv(name, value)
    assert run(words) in (Exit.DONE, Exit.DIFFERENT)
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()


@pytest.mark.parametrize("command", LISTS)
def test_a_list_fits_80_columns_with_ids_and_times_unbroken(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    with serving(routes(ANSWERS)) as api:
        lines = on_80_columns(monkeypatch, api, *command.split())

    table = [line for line in lines if not line.startswith(("from ", "to ", "1 event more"))]
    assert [line for line in table if len(line.rstrip()) > 80] == []
    for shown in LISTS[command]:
        assert any(shown in line for line in table), table


@pytest.mark.parametrize(("source", "kind"), [("shop", "paid." * 8), ("till/" * 8, "paid"), ("till/" * 8, "paid." * 8)])
@pytest.mark.parametrize("columns", [80, 150])
def test_a_name_that_is_cut_off_stays_on_its_line(source: str, kind: str, columns: int) -> None:
    output = Output(as_json=False)
    output.console = Console(width=columns, record=True, file=StringIO())
    output.rows([EVENT | {"source": source, "event_type": kind}], event_columns(output), "")

    [_, _, row] = output.console.export_text().splitlines()
    assert "…" in row


def test_what_is_told_of_an_event_or_a_conflict_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    conflict = {"event_id": IDS[0], "first": {"ingest_time": SEEN}}
    texts = {"body": "{}", "content_type": "application/json", "errors": [], "retries": [], "conflicts": [conflict]}
    rejected = {"rejected_id": f"2025-11-28.{'cd' * 32}", "status": "CONFLICT", "ingest_time": SEEN} | texts
    rejected |= {"source": "payments/northpay", "idempotency_key": "evt_1"}
    arrival = {"status": "CONFLICT", "request_id": ID, "ingest_time": SEEN, "rejected_id": rejected["rejected_id"]}
    stored = {
        "sent_by": "till",
        "request_id": ID,
        "s3_key": f"raw/{'ab' * 60}",
        "aggregates": [],
        "arrivals": [arrival],
    }
    answers = {
        f"GET /events/{IDS[0]}": (200, EVENT | stored),
        f"GET /events/{IDS[0]}/raw": (200, b"{}"),
        "GET /rejected/2025-11-28.cdcdcdcd": (200, rejected),
    }
    with serving(routes(answers)) as api:
        event = on_80_columns(monkeypatch, api, "event", IDS[0])
        refused = on_80_columns(monkeypatch, api, "rejected", "get", "2025-11-28.cdcdcdcd")

    assert [line for line in [*event, *refused] if len(line.rstrip()) > 80] == []
    assert "Conflict in quarantine: retrace rejected get 2025-11-28.cdcdcdcd" in event
    assert f"event id    {IDS[0]}" in event
    assert "first     received 2025-11-28 10:00:00: retrace event payments/northpay evt_1" in refused


def test_a_replay_is_one_line_whose_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(routes(ANSWERS)) as api:
        lines = on_80_columns(monkeypatch, api, "replay", "list")

    assert len(lines) == 2 + len(JOBS)
    assert lines[2].rstrip().endswith("depot-lyon, 2025-11-28")
    assert lines[3].rstrip().endswith("…")
    assert "3 failed" in lines[3]


@pytest.mark.parametrize(("options", "shown"), [((), False), (("--hashes",), True)])
def test_hashes_are_shown_where_they_are_asked_for(options: tuple[str, ...], *, shown: bool) -> None:
    with serving(routes(ANSWERS)) as api:
        versions = api.run("aggregates", "get", *DAY, *options, "--table")
        inputs = api.run("aggregates", "inputs", *DAY, OLD, *options, "--table")

    assert ("abababababab" in versions.stdout) == shown
    assert ("cdcdcdcdcdcd" in inputs.stdout) == shown


@pytest.mark.parametrize(
    "command",
    [
        "replay get {}",
        "replay cancel {}",
        "replay redrive {}",
        f"aggregates inputs {' '.join(DAY)} {{}}",
        f"aggregates diff {' '.join(DAY)} {{}} {NEW}",
    ],
)
def test_the_beginning_of_a_replay_id_is_taken_for_the_whole_one(command: str) -> None:
    changed = {
        **ANSWERS,
        f"GET /replay/{ID}": (200, job(replay_id=ID)),
        f"POST /replay/{ID}/cancel": (200, job("CANCELLED", replay_id=ID)),
        f"POST /replay/{ID}/redrive": (200, job(replay_id=ID)),
    }
    with serving(routes(changed)) as api:
        result = api.run(*command.format("0199b0f4-5a1c").split())
        asked = [one for one in api.asked if one.call not in ("GET /replay", "GET /aggregates")]

    assert exit_code(result) in (Exit.DONE, Exit.DIFFERENT)
    assert ID in str([(one.call, one.query) for one in asked])


def test_a_beginning_of_no_replay_id_is_not_found_and_of_several_is_refused() -> None:
    with serving(routes(ANSWERS)) as api:
        none, several = api.run("replay", "get", "0199b0f5"), api.run("replay", "get", "0199b0f4")

    assert (exit_code(none), "No replay has an id that begins with 0199b0f5." in said(none)) == (Exit.NOT_FOUND, True)
    assert (exit_code(several), f"Give one: {ID}, {NEW}" in said(several)) == (Exit.USAGE, True)


def test_a_beginning_that_is_too_short_is_explained() -> None:
    with serving(routes(ANSWERS)) as api:
        result = api.run("replay", "get", "0199b0f")

    assert (exit_code(result), api.asked) == (Exit.USAGE, [])
    assert "0199b0f is too short for the beginning of a replay id." in said(result)
    assert "Give at least its first 8 digits." in said(result)


def test_what_is_watched_stays_in_its_columns() -> None:
    terminal = Terminal()
    columns = [Column("lag", lambda item: item["lag"], number=True), *(plain(name) for name in ("type", "entity"))]
    table = LiveTable(Output(out=terminal, err=StringIO()), columns)
    table.add([{"lag": "1s", "type": "a", "entity": "e"}])
    table.add([{"lag": "12m 30s", "type": "parcel.loaded.again", "entity": "a rather long entity"}])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()

    assert {lines[0].index("entity"), lines[2].rindex("e"), lines[3].index("a rather")} == {31}
    assert lines[3] == "  12m 30s   parcel.loaded.a…   a rather long entity"


def plain(name: str) -> Column:
    return Column(name, lambda item: item[name])
