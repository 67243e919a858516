"""The commands that investigate, against the deployed stack and the sample day."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import pytest

from chalicelib.core.timestamps import parse_instant
from embedded import connection
from embedded.stack import started
from retrace.problem import Exit
from tests.e2e.deployed import Deployed
from tests.e2e.samples import ROOT
from tests.terminal import on_a_terminal

LINES = (ROOT / "examples/shop-day/day.ndjson").read_bytes().splitlines()
LYON = [json.loads(line) for line in LINES if json.loads(line)["entity_id"] == "depot-lyon"]
LOADED = [json.loads(line) for line in LINES if json.loads(line)["event_type"] == "parcel.loaded"]
SCANS = ("--source", "depot/scanners", "--type", "parcel.loaded")

Shown = Callable[..., str]
Listed = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a local stack is found that holds the sample day and one refused event."""
    directory = tmp_path_factory.mktemp("search")
    (directory / ".retrace").mkdir()
    with started() as stack:
        connection.save(directory / ".retrace/local.json", stack)
        deployed = Deployed(stack)
        deployed.ingest(LINES)
        assert deployed.post("/ingest", {"source": "s"}).status == 400
        yield directory


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("retrace")), *arguments]


def environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETRACE_"))}
    return kept | {"XDG_CONFIG_HOME": str(directory / "config")}


def piped(directory: Path, *arguments: str) -> CompletedProcess[bytes]:
    return run(  # noqa: S603  # our own command
        command(*arguments), cwd=directory, env=environment(directory), capture_output=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def listed(directory: Path) -> Listed:
    """Runs a command in a pipe; answers the objects that it lists."""

    def listed(*arguments: str, code: Exit = Exit.DONE) -> list[dict[str, Any]]:
        finished = piped(directory, *arguments)
        assert finished.returncode == code, finished.stderr
        return [json.loads(line) for line in finished.stdout.splitlines()]

    return listed


@pytest.fixture(scope="module")
def shown(directory: Path) -> Shown:
    """Runs a command on a terminal; answers what it shows."""

    def shown(*arguments: str, code: Exit = Exit.DONE) -> str:
        ended, text = on_a_terminal(command(*arguments), directory=directory, environment=environment(directory))
        assert ended == code, text
        return text

    return shown


def test_events_of_an_entity(listed: Listed, shown: Shown) -> None:
    window = ("events", "depot-lyon", "--day", "2025-11-28")
    events = listed(*window)
    table = shown(*window)

    assert [event["event_type"] for event in events] == [event["event_type"] for event in LYON]
    assert all(event["event_id"] in table for event in events)
    assert f"{len(LYON)} events, {len(LYON)} of them an hour late or more; by hour " in table


def test_events_of_a_type_in_a_window_newest_first(listed: Listed, shown: Shown) -> None:
    window = ("events", *SCANS, "--since", "2025-11-28T12:00", "--until", "2025-11-29", "--newest")
    times = [event["event_time"] for event in listed(*window)]
    loaded = sorted((parse_instant(event["event_time"]) for event in LOADED), reverse=True)

    assert times == [time for time in loaded if time >= "2025-11-28T12"]
    assert shown(*window, "--limit", "2").count("parcel.loaded") == 2


def test_one_event_and_its_text(listed: Listed, shown: Shown, directory: Path) -> None:
    (event,) = listed("events", "order-1001", "--limit", "1")
    sent = LINES[0]

    assert listed("event", event["event_id"])[0]["content_sha256"] == event["content_sha256"]
    assert piped(directory, "event", event["event_id"], "--raw").stdout == sent + b"\n"
    text = shown("event", event["event_id"])
    assert '"total": 48.00' in text
    assert "Łukasz" in text


def test_late_arrivals_and_what_they_touch(listed: Listed, shown: Shown) -> None:
    of_type = ("late", "depot/scanners", "--type", "parcel.loaded")

    assert len(listed(*of_type)) == len(LOADED)
    assert len(listed("late", "--limit", "1000")) == len(LINES)
    assert f"{len(LOADED)} came late" in shown(*of_type)
    assert re.search(r"147 came late, \d+ of them as a backfill", shown("late"))


def test_gaps(listed: Listed, shown: Shown) -> None:
    window = ("gaps", "--entity", "depot-lyon", "--day", "2025-11-28")

    assert [gap["start_time"][11:13] for gap in listed(*window)] == ["00", "18"]
    assert "2025-11-28 18:00:00   2025-11-29 00:00:00" in shown(*window)


def test_freshness_of_what_is_old(listed: Listed, shown: Shown) -> None:
    question = ("freshness", *SCANS, "--look-back-days", "31", "--max-age-s", "60")

    assert listed(*question, code=Exit.DIFFERENT)[0]["fresh"] is False
    assert "Nothing since" in shown(*question, code=Exit.DIFFERENT)


def test_what_was_refused(listed: Listed, shown: Shown) -> None:
    (refused,) = listed("rejected", "list")

    assert refused["status"] == "REJECTED"
    assert refused["rejected_id"][:19] in shown("rejected", "list", "--reason", "REJECTED")
    assert listed("rejected", "list", "--reason", "CONFLICT") == []


def test_the_doctor_finds_nothing_wrong_but_that_no_digest_is_written_yet(listed: Listed, shown: Shown) -> None:
    findings = {finding["check"]: finding for finding in listed("doctor")}

    assert findings.pop("speed")["level"] != "problem"  # how fast is a matter of the machine
    digests = findings.pop("digests")
    assert (digests["level"], digests["said"]) == ("warning", "There are none yet; the first comes within an hour.")
    assert {finding["level"] for finding in findings.values()} == {"ok"}
    assert findings["credentials"]["said"].startswith("arn:aws:iam::")
    assert len([check for check in findings if check.startswith("queue ")]) == 5
    assert "GET /health was answered 200" in shown("doctor")
