"""The console's search: what a text names, and names that are near where it names nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.events.index_pages import days_of
from chalicelib.quarantine.retries import MAX_DAYS, RejectedQuery
from tests.unit.cli.console import console
from tests.unit.cli.scripted_api import Answer, Asked, problem

EVENT_ID = "ab" * 32
REJECTED_ID = f"2026-11-22.{'cd' * 32}"
REPLAY_ID = "01a2087f-5d30-7685-9d9f-d6fe157fef44"
EVENT = {
    "event_id": EVENT_ID,
    "source": "pay/gateway",
    "event_type": "payment.captured",
    "entity_id": "merchant-03",
    "event_time": "2026-11-22T10:00:00.000000000Z",
}
REFUSED = {
    "rejected_id": REJECTED_ID,
    "status": "REJECTED",
    "source": "pay/gateway",
    "entity_id": "merchant-17",
    "idempotency_key": "payment_x1",
    "ingest_time": "2026-11-22T10:00:00.000000000Z",
}
SEEN = {"last_seen": "2026-11-22T10:00:00.000000000Z"}
PAIRS = [
    {"source": "pay/gateway", "event_type": "payment.captured", **SEEN},
    {"source": "shop/orders", "event_type": "order.placed", **SEEN},
]


def known(asked: Asked) -> Answer:
    """An API with an event, its entity, a refused event and a replay."""
    said: dict[str, Any] = {
        "GET /sources": {"items": PAIRS, "cursor": None},
        f"GET /events/{EVENT_ID}": EVENT,
        f"GET /rejected/{REJECTED_ID}": REFUSED,
        f"GET /replay/{REPLAY_ID}": {"replay_id": REPLAY_ID, "state": "COMPLETE"},
        "GET /rejected": {"items": [REFUSED], "cursor": None},
        "GET /replay": {"items": [{"replay_id": REPLAY_ID, "state": "COMPLETE", "request": {}}], "cursor": None},
        "GET /late": {"items": [], "cursor": None},
        "GET /events": {"items": [EVENT] * is_of_the_event(asked.query), "cursor": None},
    }
    return (200, said[asked.call]) if asked.call in said else (404, problem("There is nothing here."))


def is_of_the_event(query: dict[str, str]) -> bool:
    if "entity_id" in query:
        return query["entity_id"] == EVENT["entity_id"]
    if "event_type" in query:
        named = (query["source"], query["event_type"]) == (EVENT["source"], EVENT["event_type"])
        return named and query["start_time"] <= EVENT["event_time"] < query["end_time"]
    return (query.get("source"), query.get("idempotency_key")) == (EVENT["source"], "payment_000491")


def found(text: str) -> dict[str, Any]:
    with console(known) as served:
        answer: dict[str, Any] = served.page(f"/console/search?q={quote(text)}").json()
    return answer


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (EVENT_ID, "event"),
        ("payment_000491", "event"),
        ("pay/gateway payment_000491", "event"),
        ("merchant-03", "entity"),
        (REPLAY_ID, "replay"),
        (REJECTED_ID, "rejected"),
        ("payment_x1", "rejected"),
        ("pay/gateway", "source"),
        ("order.placed", "type"),
    ],
)
def test_a_name_is_found_whatever_it_names(text: str, kind: str) -> None:
    assert [item["kind"] for item in found(text)["items"]] == [kind]


@pytest.mark.parametrize(
    ("text", "near"),
    [("merchnt-17", "merchant-17"), ("pay/gatewya", "pay/gateway"), ("placed", "order.placed")],
)
def test_of_a_name_that_is_not_known_near_ones_are_told(text: str, near: str) -> None:
    answer = found(text)

    assert answer["items"] == []
    assert near in [value for item in answer["near"] for value in item.values()]


@pytest.mark.parametrize(("beginning", "kind"), [(EVENT_ID[:12], "event"), (REPLAY_ID[:13], "replay")])
def test_the_beginning_of_an_id_is_found_as_lists_show_it(beginning: str, kind: str) -> None:
    assert [item["kind"] for item in found(beginning)["items"]] == [kind]


@pytest.mark.parametrize(
    ("day", "kinds"), [("2026-11-22", ["event"]), ("2026-11-21", []), ("2025-01-01", [])], ids=["in", "before", "year"]
)
def test_the_beginning_of_an_event_id_is_searched_for_in_the_window_in_view(day: str, kinds: list[str]) -> None:
    with console(known) as served:
        view = f"start_time={day}T00:00:00Z&end_time={day}T23:00:00Z"
        answer = served.page(f"/console/search?q={EVENT_ID[:12]}&{view}").json()

    assert [item["kind"] for item in answer["items"]] == kinds
    assert bool(kinds) or f"{day} 00:00 to {day} 23:00" in answer["hint"]


def test_a_window_at_the_beginning_of_time_is_searched_like_others() -> None:
    with console(known) as served:
        view = "start_time=0001-01-01T00:00:00Z&end_time=0001-01-02T00:00:00Z"
        answer = served.page(f"/console/search?q={EVENT_ID[:12]}&{view}")

    assert (answer.status, answer.json()["items"]) == (200, [])


def test_the_beginning_of_an_id_of_an_event_that_came_late_is_found_without_a_window() -> None:
    late = {**EVENT, "event_id": "cd" * 32, "event_time": "2025-01-01T00:00:00.000000000Z"}

    def script(asked: Asked) -> Answer:
        return (200, {"items": [late], "cursor": None}) if asked.call == "GET /late" else known(asked)

    with console(script) as served:
        answer = served.page(f"/console/search?q={'cd' * 6}").json()

    assert [item["event_id"] for item in answer["items"]] == ["cd" * 32]


def test_a_window_that_is_none_is_said_to_be_none() -> None:
    with console(known) as served:
        assert served.page("/console/search?q=a&start_time=b").status == 400


def test_an_id_that_is_not_known_finds_nothing() -> None:
    assert [found(text)["items"] for text in ("0" * 64, f"2026-11-22.{'0' * 64}")] == [[], []]


def test_an_event_is_found_without_its_conflicts_which_it_shows() -> None:
    conflict = {**REFUSED, "status": "CONFLICT", "idempotency_key": "payment_000491"}

    def script(asked: Asked) -> Answer:
        return (200, {"items": [conflict], "cursor": None}) if asked.call == "GET /rejected" else known(asked)

    with console(script) as served:
        answer = served.page("/console/search?q=payment_000491").json()

    assert [item["kind"] for item in answer["items"]] == ["event"]


def test_quarantine_is_asked_for_no_more_days_than_the_api_takes() -> None:
    with console(known) as served:
        served.page("/console/search?q=payment_x1")
        [asked] = served.api.calls("GET /rejected")
    window = {name: asked.query[name] for name in ("start_time", "end_time")}

    assert len(list(days_of(RejectedQuery(**window).window))) >= MAX_DAYS - 1


def test_who_may_not_look_into_quarantine_finds_the_rest() -> None:
    def script(asked: Asked) -> Answer:
        return (403, problem("It is not allowed.")) if asked.call == "GET /rejected" else known(asked)

    with console(script) as served:
        answer = served.page("/console/search?q=payment_000491").json()

    assert [item["kind"] for item in answer["items"]] == ["event"]


def test_nothing_is_asked_for_nothing() -> None:
    with console(known) as served:
        assert served.page("/console/search?q=%20").status == 400
        assert served.api.asked == []
