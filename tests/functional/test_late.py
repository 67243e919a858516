"""GET /late and /late/summary: what came late, of all sources, by time of arrival."""

from __future__ import annotations

import pytest

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.wire import Wire

MORNING, NOON, EVENING = (Instant(f"2026-11-28T{hour}:30:00.000000000Z") for hour in ("09", "12", "18"))
NEXT = Instant("2026-11-29T09:30:00.000000000Z")
DAY = {"day": "2026-11-28"}


def received(application: Application, monkeypatch: pytest.MonkeyPatch, now: Instant, *events: Json) -> list[str]:
    monkeypatch.setattr(system, "now", lambda: now)
    return [result["event_id"] for result in application.accept_all(events)]


def of(number: int, source: str, event_type: str, event_time: str, **members: str) -> Json:
    return paid(number, source=source, event_type=event_type, event_time=event_time, **members)


def ids(answer: Json) -> list[str]:
    return [item["event_id"] for item in answer["items"]]


@pytest.fixture
def sent(application: Application, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A backfill in the morning, one late event at noon and one in time, and one late event in the evening."""
    backfill = [of(number, "pay/ledger", "booked", f"2026-11-20T{number:02}:00:00Z") for number in range(10)]
    return {
        "backfill": received(application, monkeypatch, MORNING, *backfill),
        "noon": received(application, monkeypatch, NOON, of(50, "pay/gateway", "paid", "2026-11-28T09:00:00Z")),
        "in time": received(application, monkeypatch, NOON, of(60, "pay/gateway", "paid", "2026-11-28T12:00:00Z")),
        "evening": received(
            application, monkeypatch, EVENING, of(70, "pay/gateway", "refunded", "2026-11-27T09:00:00Z")
        ),
        "next day": received(application, monkeypatch, NEXT, of(80, "pay/gateway", "paid", "2026-11-29T01:00:00Z")),
    }


def test_late_arrivals_of_all_sources_are_listed_the_latest_first(
    application: Application, sent: dict[str, list[str]]
) -> None:
    answer = application.get("/late", **DAY).json_body

    assert ids(answer) == [*sent["backfill"], *sent["evening"], *sent["noon"]]
    assert answer["cursor"] is None
    assert {touched["day"]: touched["events"] for touched in answer["touched"]} == {
        "2026-11-20": 10,
        "2026-11-27": 1,
        "2026-11-28": 1,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"source": "pay/gateway", **DAY}, ["evening", "noon"]),
        ({"source": "pay/gateway", "event_type": "paid", **DAY}, ["noon"]),
        ({"event_type": "refunded", **DAY}, ["evening"]),
        ({"source": "pay", **DAY}, []),
        ({"start_time": NOON, "end_time": EVENING}, ["noon"]),
        ({"start_time": NOON, "end_time": "2026-11-30T00:00:00Z"}, ["next day", "evening", "noon"]),
    ],
)
def test_late_arrivals_are_chosen_by_source_type_and_time_of_arrival(
    application: Application, sent: dict[str, list[str]], query: dict[str, str], expected: list[str]
) -> None:
    assert ids(application.get("/late", **query).json_body) == [each for name in expected for each in sent[name]]


@pytest.mark.parametrize("limit", [1, 5, 100])
def test_pages_of_all_sources_and_days_together_have_each_event_once(
    application: Application, sent: dict[str, list[str]], limit: int
) -> None:
    query = {"start_time": MORNING, "end_time": "2026-11-30T00:00:00Z", "limit": str(limit)}
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = application.get("/late", **query, **({"cursor": cursor} if cursor else {})).json_body
        found, cursor = found + ids(page), page["cursor"]

    assert found == [*sent["next day"], *sent["backfill"], *sent["evening"], *sent["noon"]]


def test_a_summary_tells_a_backfill_from_single_events(application: Application, sent: dict[str, list[str]]) -> None:
    answer = application.get("/late/summary", **DAY).json_body

    assert [
        (item["source"], item["event_type"], item["hour"][11:13], item["events"], item["requests"], item["entity_days"])
        for item in answer["items"]
    ] == [
        ("pay/gateway", "refunded", "18", 1, 1, 1),
        ("pay/gateway", "paid", "12", 1, 1, 1),
        ("pay/ledger", "booked", "09", 10, 1, 1),
    ]
    assert answer["items"][2]["max_lag_ms"] - answer["items"][2]["min_lag_ms"] == 9 * 3_600_000
    assert answer["items"][2]["first_arrival"] == answer["items"][2]["last_arrival"] == MORNING
    assert (answer["events"], answer["entity_days"], answer["cursor"]) == (12, 3, None)


def test_nothing_late_is_an_empty_summary(application: Application) -> None:
    answer = application.get("/late/summary", **DAY).json_body

    assert answer == {"items": [], "cursor": None, "events": 0, "entity_days": 0}


def test_all_sources_cost_one_read_of_each_shard_and_type_and_one_for_the_list(
    application: Application, sent: dict[str, list[str]], wire: Wire
) -> None:
    wire.mend()

    application.get("/late", **DAY)

    assert wire.calls == ["Query"] * (1 + 3 * 4)
