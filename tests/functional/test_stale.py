"""GET /stale: days of entities whose newest version lacks events that came late, and the replays that mend them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.core.timestamps import instant_of
from chalicelib.runtime import system
from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.wire import Wire

MONDAY, TUESDAY = "2026-11-23", "2026-11-24"
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
TODAY = {"day": "2026-11-28"}
WHOLE_DAYS = {"start_day": MONDAY, "end_day": TUESDAY, "whole_days": True}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid"}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that is asked for is a second later than the one before."""
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(system, "now", lambda: instant_of(NOW + timedelta(seconds=next(seconds))))


def sent(application: Application, first: int, entity: str, day: str, count: int = 1, **members: Any) -> None:
    numbers = range(first, first + count)
    application.accept_all(
        [paid(number, entity_id=entity, event_time=f"{day}T10:00:00Z", **members) for number in numbers]
    )


def stale(application: Application, **query: str) -> Json:
    answer: Json = application.get("/stale", **(query or TODAY)).json_body
    return answer


def lacking(answer: Json) -> list[tuple[str, str, int, int]]:
    return [(item["entity_id"], item["day"], item["arrived_since"], item["event_count"]) for item in answer["items"]]


def mended(application: Application, answer: Json) -> None:
    for request in answer["replays"]:
        application.replayed(**request)


def test_days_are_listed_with_what_they_lack_and_the_worst_first(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY, 3)
    sent(application, 4, "order-2", TUESDAY, 2)
    sent(application, 6, "order-3", TUESDAY, 1)
    replay_id = application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 10, "order-1", MONDAY, 1)
    sent(application, 20, "order-2", TUESDAY, 4)

    answer = stale(application)

    assert lacking(answer) == [("order-2", TUESDAY, 4, 2), ("order-1", MONDAY, 1, 3)]
    assert {item["replay_id"] for item in answer["items"]} == {replay_id}
    assert all(item["exact"] for item in answer["items"])
    assert (answer["late_events"], answer["entity_days"], answer["without_version"]) == (11, 3, 0)
    assert answer["cursor"] is None


def test_what_a_day_lacks_is_what_its_versions_say(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY, 2)
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 10, "order-1", MONDAY, 2, event_type="order.refunded")
    sent(application, 20, "order-1", MONDAY, 1)

    [item] = stale(application)["items"]
    versions = application.get("/aggregates", entity_id="order-1", day=MONDAY).json_body

    assert item["arrived_since"] == versions["late_arrivals"] == 3
    assert item["computed_at"] == versions["versions"][0]["computed_at"]


def test_the_replays_of_the_answer_mend_every_day(application: Application) -> None:
    for entity, day, number in (("order-1", MONDAY, 1), ("order-2", TUESDAY, 2), ("order-3", TUESDAY, 3)):
        sent(application, number, entity, day)
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 10, "order-1", MONDAY)
    sent(application, 20, "order-2", TUESDAY, source="depot")
    sent(application, 30, "order-3", TUESDAY, source="depot", event_type="scanned")
    sent(application, 40, "order-1", MONDAY, source="depot")

    answer = stale(application)

    assert len(answer["items"]) == 3
    assert len(answer["replays"]) == 1, "one type has late events on every stale day"
    mended(application, answer)
    assert lacking(stale(application)) == []


def test_a_single_day_is_mended_by_a_replay_of_its_entity(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY)
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 2, "order-1", MONDAY)

    answer = stale(application)

    assert [request["entity_id"] for request in answer["replays"]] == ["order-1"]
    mended(application, answer)
    assert stale(application)["items"] == []


def test_a_version_of_one_type_lacks_what_came_of_that_type(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY, 2)
    sent(application, 5, "order-1", MONDAY, 2, event_type="order.refunded")
    application.replayed(**BY_TYPE, day=MONDAY)
    sent(application, 10, "order-1", MONDAY, 3)

    assert lacking(stale(application)) == [("order-1", MONDAY, 3, 2)]


def test_a_version_without_a_job_that_is_settled_lacks_what_is_no_input(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY, 3)
    [message, *_] = application.planned(**BY_TYPE, **WHOLE_DAYS)[1]
    application.process([message])
    sent(application, 10, "order-1", MONDAY, 2)

    assert lacking(stale(application)) == [("order-1", MONDAY, 2, 1)]


def test_a_day_that_no_replay_computed_has_no_number_to_be_stale(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY, 3)

    answer = stale(application)

    assert (answer["items"], answer["replays"]) == ([], [])
    assert (answer["late_events"], answer["entity_days"], answer["without_version"]) == (3, 1, 1)


def test_only_days_of_events_that_arrived_then_are_looked_at(application: Application) -> None:
    sent(application, 1, "order-1", MONDAY)
    sent(application, 2, "order-2", MONDAY, source="depot")
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 3, "order-1", MONDAY)

    assert stale(application, day="2026-11-27")["late_events"] == 0
    assert stale(application, source="depot", **TODAY)["items"] == []
    assert len(stale(application, source="shop/checkout", **TODAY)["items"]) == 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_pages_together_have_every_stale_day(
    application: Application, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("chalicelib.search.stale._EVENTS_AT_ONCE", at_once)
    for number in range(6):
        sent(application, number, f"order-{number}", MONDAY)
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    for number in range(6):
        sent(application, 10 + number, f"order-{number}", MONDAY)
    found: set[str] = set()
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        page = stale(application, **TODAY, limit="2", **({"cursor": cursor} if cursor else {}))
        found |= {item["entity_id"] for item in page["items"]}
        pages, cursor = pages + 1, page["cursor"]

    assert found == {f"order-{number}" for number in range(6)}
    assert pages > 1


def test_a_day_of_more_events_than_are_read_lacks_at_least_some(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.aggregates.newest_versions.ROWS_OF_A_DAY", 4)
    sent(application, 1, "order-1", MONDAY, 2)
    application.replayed(**BY_TYPE, day=MONDAY)
    sent(application, 10, "order-1", MONDAY, 4)

    [item] = stale(application)["items"]

    assert item["exact"] is False
    assert 0 < item["arrived_since"] <= 4


def test_a_stale_day_costs_a_few_reads(application: Application, wire: Wire) -> None:
    sent(application, 1, "order-1", MONDAY)
    application.replayed(**BY_TYPE, **WHOLE_DAYS)
    sent(application, 2, "order-1", MONDAY)
    wire.mend()

    stale(application)

    # The sources, four shards, the newest version twice with its job, and the events of the day.
    assert sorted(wire.calls) == sorted(["Query"] * (1 + 4 + 2 + 1 + 1))
