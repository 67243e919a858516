"""Every source and type that an event was accepted of: recorded before its events, found after any crash."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.timestamps import Day, Instant, day_after
from chalicelib.runtime import event_wiring, system
from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.operators import an_operator, lose_tables
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Killed, Wire, killed_after, preceded_by, throttled

MONDAY, TUESDAY, FRIDAY = (Instant(f"2026-11-{day}T12:00:00.000000000Z") for day in (23, 24, 27))
PAID = ("shop/checkout", "order.paid")


def at(monkeypatch: pytest.MonkeyPatch, now: Instant) -> None:
    monkeypatch.setattr(system, "now", lambda: now)


def listed(application: Application, **query: str) -> list[Json]:
    items: list[Json] = application.get("/sources", **query).json_body["items"]
    return items


def pairs(application: Application) -> list[tuple[str, str]]:
    return [(item["source"], item["event_type"]) for item in listed(application)]


def test_each_source_and_type_is_listed_once_with_its_first_and_its_last_time(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    application.accept_all([paid(1, event_time=MONDAY), paid(2, event_type="order#refunded%", event_time=MONDAY)])
    at(monkeypatch, TUESDAY)
    application.accept(paid(3, event_time=TUESDAY))
    at(monkeypatch, FRIDAY)

    assert listed(application) == [
        {"source": PAID[0], "event_type": "order#refunded%", "first_seen": MONDAY, "last_seen": MONDAY},
        {"source": PAID[0], "event_type": PAID[1], "first_seen": MONDAY, "last_seen": TUESDAY},
    ]


def test_pages_together_have_every_source_and_type_once(application: Application) -> None:
    application.accept_all([paid(number, source=f"shop/{number % 3}", event_type=f"t{number}") for number in range(7)])
    found: list[Json] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = application.get("/sources", **query).json_body
        found += page["items"]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]

    assert sorted(item["event_type"] for item in found) == [f"t{number}" for number in range(7)]
    assert found == sorted(found, key=lambda item: (item["source"], item["event_type"]))


@pytest.mark.parametrize("query", [{"limit": "0"}, {"look_back_days": "367"}, {"cursor": "AAAA"}, {"source": "s"}])
def test_a_question_about_sources_that_makes_no_sense_is_refused(
    application: Application, query: dict[str, str]
) -> None:
    assert application.get("/sources", **query).status_code == 400


def test_a_source_that_was_silent_for_longer_than_is_looked_back_has_no_last_time(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    application.accept(paid(event_time=MONDAY))
    at(monkeypatch, FRIDAY)

    asked: dict[int, Any] = {
        days: application.get("/sources", look_back_days=str(days)).json_body for days in (0, 1, 3, 4)
    }

    assert {days: answer["items"][0]["last_seen"] for days, answer in asked.items()} == {
        0: None,
        1: None,
        3: None,
        4: MONDAY,
    }
    assert [answer["looked_back_to"] for answer in asked.values()] == [
        "2026-11-28",
        "2026-11-26",
        "2026-11-24",
        "2026-11-23",
    ]


@pytest.mark.parametrize(("many", "days"), [(1, 127), (12, 15), (250, 0)])
def test_of_sources_that_all_are_silent_at_most_nine_hundred_days_and_shards_are_read(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch, many: int, days: int
) -> None:
    silent = [paid(number, event_type=f"t{number}", event_time="2024-01-01T00:00:00Z") for number in range(many)]
    application.accept_all(silent)
    at(monkeypatch, FRIDAY)
    wire.mend()

    found = application.get("/sources", look_back_days="366", limit="250").json_body

    assert [item["last_seen"] for item in found["items"]] == [None] * many
    assert found["looked_back_to"] == day_after(Day("2026-11-28"), -days)
    assert 4 * many * days < wire.count()["Query"] <= 900 + 1


def test_an_event_of_a_time_to_come_does_not_hide_that_its_source_is_seen(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, MONDAY)
    application.accept(paid(1, event_time="2026-11-28T00:00:00Z"))
    at(monkeypatch, FRIDAY)
    application.accept(paid(2, event_time=FRIDAY))

    assert [item["last_seen"] for item in listed(application)] == [FRIDAY]


def test_what_was_refused_is_no_source_and_a_dry_run_records_none(application: Application) -> None:
    application.ingest({**paid(), "event_time": "yesterday"})
    application.ingest(paid(source="shop/dry"), query="?dry_run=true")

    assert pairs(application) == []


def test_a_function_that_ends_after_it_wrote_an_event_has_recorded_its_source(
    application: Application, wire: Wire, storage: Storage
) -> None:
    wire.disturb(killed_after, "TransactWriteItems")
    with pytest.raises(Killed):
        application.ingest(paid())

    assert len(storage.index()) == 1
    assert pairs(application) == [PAID]


def test_no_event_is_written_whose_source_could_not_be_recorded(
    application: Application, wire: Wire, storage: Storage
) -> None:
    wire.disturb(throttled, "PutItem", times=ALWAYS)

    assert application.ingest(paid()).status_code == 503
    assert storage.index() == []
    wire.mend()
    application.accept(paid())

    assert pairs(application) == [PAID]


def test_of_two_processes_that_record_a_source_at_once_the_earlier_time_stays(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_process() -> None:
        event_wiring.sources.cache_clear()
        at(monkeypatch, MONDAY)
        application.accept(paid(1))

    at(monkeypatch, TUESDAY)
    wire.disturb(preceded_by(another_process), "PutItem")
    application.accept(paid(2))

    assert [item["first_seen"] for item in listed(application)] == [MONDAY]


def test_a_rebuild_restores_sources_and_the_times_that_they_were_first_seen(
    application: Application, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    at(monkeypatch, MONDAY)
    application.accept(paid(1))
    at(monkeypatch, TUESDAY)
    application.accept_all([paid(2), paid(3, source="depot")])
    before = listed(application)
    lose_tables()
    event_wiring.sources.cache_clear()
    at(monkeypatch, FRIDAY)
    application.accept(paid(4))

    code, _, _ = an_operator(tmp_path).rebuild()

    assert code == 0
    assert [(each["source"], each["first_seen"]) for each in listed(application)] == [
        (each["source"], each["first_seen"]) for each in before
    ]
