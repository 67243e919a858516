"""Questions about three days of payments: one command answers each, as examples/payments/truth.json says."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from chalicelib.core.timestamps import instant_of
from embedded import connection
from embedded.stack import started
from retrace.problem import Exit
from tests.e2e.deployed import DESTINATIONS
from tests.e2e.samples import ROOT
from tests.e2e.test_cli_search import piped

PAYMENTS = ROOT / "examples/payments"
TRUTH = json.loads((PAYMENTS / "truth.json").read_text())
GATEWAY = "pay/gateway"
KINDS = [(source, event_type) for source, types in TRUTH["hours"].items() for event_type in types]
ARRIVED = ("missing", "quarantine", "conflict")
EVERY_DAY = ("--source", "pay/ledger", "--type", "entry.booked", "--since", "2025-11-21", "--until", "2025-11-24")
CONFLICTS = TRUTH["conflicts"].items()

Asked = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a local stack is found that has the three days, aggregated before the late events came."""
    directory = tmp_path_factory.mktemp("payments")
    (directory / ".retrace").mkdir()
    with started(destinations=DESTINATIONS) as stack:
        connection.save(directory / ".retrace/local.json", stack)
        assert sent(directory, "arrived.ndjson.gz").returncode == Exit.DIFFERENT
        assert sent(directory, "again.ndjson").returncode == Exit.DIFFERENT
        replayed = piped(directory, "replay", "create", *EVERY_DAY, "--whole-days", "--yes", "--wait")
        assert replayed.returncode == Exit.DONE, replayed.stderr
        (directory / "late-since").write_text(instant_of(datetime.now(UTC)))
        assert sent(directory, "late.ndjson").returncode == Exit.DONE
        yield directory


def sent(directory: Path, name: str) -> CompletedProcess[bytes]:
    return piped(directory, "ingest", str(PAYMENTS / name))


@pytest.fixture(scope="module")
def asked(directory: Path) -> Asked:
    """Runs one command; answers the objects that it lists."""

    def asked(*arguments: str, code: Exit = Exit.DONE) -> list[dict[str, Any]]:
        finished = piped(directory, *arguments)
        assert finished.returncode == code, finished.stderr
        return [json.loads(line) for line in finished.stdout.splitlines()]

    return asked


def test_an_event_is_found_by_its_key_with_every_arrival(asked: Asked) -> None:
    [event] = asked("event", GATEWAY, "payment_000491")

    assert sorted(arrival["status"] for arrival in event["arrivals"]) == ["CONFLICT", "DUPLICATE", "DUPLICATE"]


def test_an_event_is_found_by_the_beginning_of_its_id(asked: Asked) -> None:
    [listed] = asked("events", "merchant-07", "--limit", "1")
    [found] = asked("event", listed["event_id"][:12])

    assert found["event_id"] == listed["event_id"]


@pytest.mark.parametrize("key", TRUTH["refused"][:1])
def test_a_refused_event_is_found_by_its_key_in_quarantine(asked: Asked, key: str) -> None:
    [refused] = asked("event", GATEWAY, key, code=Exit.DIFFERENT)

    assert (refused["status"], refused["idempotency_key"]) == ("REJECTED", key)


@pytest.mark.parametrize("key", TRUTH["lost"][:1])
def test_a_lost_event_is_not_found(asked: Asked, key: str) -> None:
    assert asked("event", GATEWAY, key, code=Exit.NOT_FOUND) == []


@pytest.mark.parametrize(("source", "event_type"), KINDS)
def test_events_of_each_type_are_counted_in_the_hours_in_which_they_happened(
    asked: Asked, source: str, event_type: str
) -> None:
    window = ("--since", "2025-11-21", "--until", "2025-11-24")
    events = asked("events", "--source", source, "--type", event_type, *window, "--limit", "5000")

    assert Counter(event["event_time"][:13] for event in events) == TRUTH["hours"][source][event_type]


def test_the_sources_and_their_types_are_listed(asked: Asked) -> None:
    assert [(item["source"], item["event_type"]) for item in asked("sources")] == sorted(KINDS)


def test_the_refused_events_are_listed_with_their_keys(asked: Asked) -> None:
    refused = asked("rejected", "list", "--reason", "event_time", "--since", "1d", "--limit", "5000")

    assert sorted(item["idempotency_key"] for item in refused) == TRUTH["refused"]


@pytest.mark.parametrize(("key", "amounts"), CONFLICTS)
def test_a_conflict_shows_both_amounts(asked: Asked, key: str, amounts: dict[str, str]) -> None:
    [event] = asked("event", GATEWAY, key)
    [conflict] = [arrival["rejected_id"] for arrival in event["arrivals"] if arrival["status"] == "CONFLICT"]
    [refused] = asked("rejected", "get", conflict)

    assert refused["conflicts"][0]["differences"] == [{"path": "payload.amount", **amounts}]


def test_a_list_of_conflicts_shows_what_differs_in_each(directory: Path) -> None:
    listed = piped(directory, "rejected", "list", "--reason", "CONFLICT", "--since", "1d", "--table").stdout.decode()

    for key, amounts in CONFLICTS:
        [line] = [line for line in listed.splitlines() if key in line]
        assert f"payload.amount: {amounts['refused']}, first was {amounts['first']}" in line


def test_the_refused_events_are_corrected_and_retried_in_bulk(directory: Path, asked: Asked, tmp_path: Path) -> None:
    """A dry run, which leaves the stack as the other tests know it; the page for on-call readers retries them."""
    listed = asked("rejected", "list", "--unresolved", "--reason", "event_time", "--since", "1d", "--bodies")
    for item in listed:
        item["event"]["event_time"] += "Z"
    (tmp_path / "fixed.ndjson").write_text("".join(f"{json.dumps(item)}\n" for item in listed))
    retried = piped(directory, "rejected", "retry", "--fix", str(tmp_path / "fixed.ndjson"), "--dry-run")

    assert (retried.returncode, retried.stderr.decode().splitlines()[-1]) == (
        Exit.DONE,
        f"{len(TRUTH['refused'])} retried. Would be: {len(TRUTH['refused'])} accepted",
    )


def test_an_unknown_source_is_told_from_an_outage_with_near_names(directory: Path) -> None:
    asked = piped(directory, "gaps", "pay/gatway", "--since", "2025-11-21", "--until", "2025-11-24")

    assert (asked.returncode, asked.stdout) == (Exit.NOT_FOUND, b"")
    assert f"Did you mean {GATEWAY}?" in asked.stderr.decode()


def test_the_outage_is_found_in_spite_of_the_event_that_came_late(asked: Asked) -> None:
    [dip] = asked("gaps", GATEWAY, "--since", "2025-11-21", "--until", "2025-11-24")

    assert (dip["start_time"][:13], dip["end_time"][:13]) == (min(TRUTH["outage"]), "2025-11-22T16")
    assert dip["events"] == sum(TRUTH["outage"].values())
    assert dip["usual"] > 10


@pytest.mark.parametrize("source", [source for source in TRUTH["hours"] if source != GATEWAY])
def test_sources_without_an_outage_have_no_gap(asked: Asked, source: str) -> None:
    assert asked("gaps", source, "--since", "2025-11-21", "--until", "2025-11-24") == []


def test_two_hours_of_a_type_are_sent_again(asked: Asked) -> None:
    window = ("--since", "2025-11-22T09:00", "--until", "2025-11-22T11:00")
    kind = ("--source", GATEWAY, "--type", "payment.captured")
    [replay] = asked("replay", "create", *kind, *window, "--destination", "ordered", "--yes", "--wait")

    hours = TRUTH["hours"][GATEWAY]["payment.captured"]
    assert (replay["state"], replay["sent"]) == ("SENT", hours["2025-11-22T09"] + hours["2025-11-22T10"])


def test_all_events_of_all_sources_are_exported_in_one_command(asked: Asked) -> None:
    events = asked("export", "--since", "2025-11-21", "--until", "2025-11-24")

    assert len({event["event_id"] for event in events}) == len(events) == TRUTH["accepted"]
    assert Counter((event["source"], event["event_type"]) for event in events) == {
        (source, event_type): sum(TRUTH["hours"][source][event_type].values()) for source, event_type in KINDS
    }


def test_of_the_gateways_own_record_each_event_that_never_arrived_is_told(asked: Asked) -> None:
    record = str(PAYMENTS / "gateway.ndjson.gz")
    events = asked("ingest", "--dry-run", "--list", record, code=Exit.DIFFERENT)

    keys = {arrived: sorted(e["idempotency_key"] for e in events if e["arrived"] == arrived) for arrived in ARRIVED}
    assert keys == {"missing": TRUTH["lost"], "quarantine": TRUTH["refused"], "conflict": sorted(TRUTH["conflicts"])}
    assert len(events) == sum(map(len, keys.values()))


def test_a_source_is_exported_from_s3_in_one_command(asked: Asked) -> None:
    events = asked("export", "--source", GATEWAY, "--since", "2025-11-21", "--until", "2025-11-24", "--direct")

    assert len(events) == TRUTH["of_the_gateway"] - len(TRUTH["lost"]) - len(TRUTH["refused"])


def test_a_question_in_sql_is_answered_to_the_cent(asked: Asked) -> None:
    query = """
        SELECT payload->>'country' AS country, sum((payload->>'amount')::DECIMAL(18, 2))::VARCHAR AS amount
        FROM events WHERE event_type = 'payment.captured' GROUP BY ALL
    """
    found = asked("sql", query, "--day", "2025-11-22", "--source", GATEWAY)

    assert {row["country"]: row["amount"] for row in found} == TRUTH["captured"]


def test_what_came_late_is_listed_by_time_of_arrival(asked: Asked, directory: Path) -> None:
    late = asked("late", "--since", (directory / "late-since").read_text())

    assert Counter((event["source"], event["event_type"]) for event in late) == Counter(
        (event["source"], event["event_type"]) for event in TRUTH["late"]
    )
    assert [event["ingest_time"] for event in late] == sorted((e["ingest_time"] for e in late), reverse=True)
    assert len(asked("late", "--limit", "5000")) == TRUTH["accepted"]


def test_the_stale_days_are_listed_and_the_command_that_is_shown_mends_them(asked: Asked, directory: Path) -> None:
    stale = asked("stale")
    command = piped(directory, "stale", "--table").stdout.decode().partition("Compute them again: ")[2]

    assert [{"entity_id": day["entity_id"], "day": day["day"], "events": day["arrived_since"]} for day in stale] == (
        TRUTH["stale"]
    )
    for replay in command.split(" && "):
        assert piped(directory, *shlex.split(replay)[1:], "--yes", "--wait").returncode == Exit.DONE
    assert asked("stale") == []
