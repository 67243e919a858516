"""GET /events, /late, /gaps and /freshness against a brute-force look at what was sent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.core.pagination import query_fingerprint, to_cursor
from chalicelib.search import sources
from chalicelib.search import use_cases as search_use_cases
from chalicelib.search.queries import EventsQuery
from tests.functional.application import Application
from tests.functional.storage import Storage
from tests.functional.wire import Wire

SOURCE, TYPE = "shop/checkout", "order.paid"
BY_TYPE = {"source": SOURCE, "event_type": TYPE}


def event(entity_id: str, event_time: str, **changes: Any) -> dict[str, Any]:
    """A valid event whose payload tells it from every other."""
    members = {"source": SOURCE, "event_type": TYPE, "entity_id": entity_id, "event_time": event_time}
    return members | {"payload": f"{entity_id} {event_time} {changes}"} | changes


@pytest.fixture
def sent(application: Application) -> list[dict[str, Any]]:
    """Sixty events of three entities over three days, with ties in time, as the API lists them, oldest first."""
    rng = random.Random(3)
    minutes = [rng.randrange(3 * 1440) for _ in range(30)]
    events = [
        event(
            f"ordër-{number % 3}#%", f"2026-11-{20 + minute // 1440}T{minute // 60 % 24:02d}:{minute % 60:02d}:00Z", n=0
        )
        for number, minute in enumerate(minutes + minutes)
    ]
    for number, one in enumerate(events):
        del one["n"]
        one["payload"] = number
        one["event_type"] = TYPE if number % 4 else "order.refunded"
    results = application.ingest(events).json_body["results"]
    listed = [
        {name: one[name] for name in ("source", "event_type", "entity_id")}
        | {"event_id": result["event_id"], "event_time": one["event_time"].replace("Z", ".000000000Z")}
        for one, result in zip(events, results, strict=True)
    ]
    return sorted(listed, key=lambda one: (one["event_time"], one["event_id"]))


def pages(application: Application, path: str = "/events", **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Every page of a query."""
    while True:
        answer = application.get(path, **{name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.json_body
        yield answer.json_body["items"]
        if answer.json_body["cursor"] is None:
            return
        query["cursor"] = answer.json_body["cursor"]


def ids(application: Application, **query: Any) -> list[str]:
    """The ids of every page of a query."""
    return [item["event_id"] for page in pages(application, **query) for item in page]


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_an_entitys_events_come_in_order_and_each_once_whatever_the_page_size(
    application: Application, sent: list[dict[str, Any]], order: str, limit: int
) -> None:
    expected = [one["event_id"] for one in sent if one["entity_id"] == "ordër-1#%"]
    if order == "newest":
        expected.reverse()
    assert ids(application, entity_id="ordër-1#%", order=order, limit=limit) == expected


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_the_shards_and_days_of_a_type_are_merged_into_one_order(
    application: Application, sent: list[dict[str, Any]], order: str, limit: int
) -> None:
    expected = [one["event_id"] for one in sent if one["event_type"] == TYPE]
    if order == "newest":
        expected.reverse()
    window = {"start_time": "2026-11-20T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
    assert ids(application, **BY_TYPE, **window, order=order, limit=limit) == expected


def test_windows_include_their_start_and_exclude_their_end(
    application: Application, sent: list[dict[str, Any]]
) -> None:
    start, end = sent[10]["event_time"], sent[40]["event_time"]
    inside = [one for one in sent if start <= one["event_time"] < end]
    for selected, expected in [
        ({"entity_id": "ordër-0#%"}, [one for one in inside if one["entity_id"] == "ordër-0#%"]),
        (BY_TYPE, [one for one in inside if one["event_type"] == TYPE]),
    ]:
        found = ids(application, **selected, start_time=start, end_time=end)
        assert found == [one["event_id"] for one in expected]


def test_filters_leave_the_order_and_miss_nothing(application: Application, sent: list[dict[str, Any]]) -> None:
    mine = [one for one in sent if one["entity_id"] == "ordër-2#%"]
    refunds = [one["event_id"] for one in mine if one["event_type"] == "order.refunded"]
    assert ids(application, entity_id="ordër-2#%", event_type="order.refunded", limit=2) == refunds
    assert ids(application, entity_id="ordër-2#%", source="nobody") == []
    assert ids(application, entity_id="ordër-2#%", min_lag_ms=0) == [one["event_id"] for one in mine]
    assert ids(application, entity_id="ordër-2#%", min_lag_ms=10**14) == []


def test_status_finds_what_arrived_again(application: Application, sent: list[dict[str, Any]]) -> None:
    again = event("twice", "2026-11-21T10:00:00Z", idempotency_key="k")
    once = event("twice", "2026-11-21T11:00:00Z")
    application.ingest([again, once])
    application.ingest(again)
    application.ingest(again | {"payload": "other"})
    everything = ids(application, entity_id="twice")
    assert ids(application, entity_id="twice", status="ACCEPTED") == everything
    assert ids(application, entity_id="twice", status="DUPLICATE") == everything[:1]
    assert ids(application, entity_id="twice", status="CONFLICT") == everything[:1]


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_status_misses_nothing_in_shards_that_are_read_unevenly(
    application: Application, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, order: str, limit: int
) -> None:
    """One day in several shards, of which one holds hours that the others have not been read to yet."""
    monkeypatch.setattr(search_use_cases, "_ROWS_A_STATUS_READ", 2)
    events = [event(f"again-{number}", f"2026-11-25T{number:02d}:00:00Z") for number in range(24)]
    application.ingest(events)
    results = application.ingest(events[::3]).json_body["results"]
    expected = [result["event_id"] for result in results]
    if order == "newest":
        expected.reverse()

    window = {"start_time": "2026-11-25T00:00:00Z", "end_time": "2026-11-26T00:00:00Z"}

    assert ids(application, **BY_TYPE, **window, status="DUPLICATE", order=order, limit=limit) == expected


def test_the_reads_of_a_page_do_not_grow_with_the_partition(
    application: Application, sent: list[dict[str, Any]], wire: Wire
) -> None:
    wire.calls.clear()
    assert len(next(pages(application, entity_id="ordër-0#%", limit=5))) == 5
    assert wire.count() == {"Query": 1}
    wire.calls.clear()
    assert len(next(pages(application, **BY_TYPE, day="2026-11-21", limit=5))) == 5
    assert wire.count() == {"Query": 4}, "one for each shard"


def test_a_search_that_finds_little_ends_early_with_a_cursor(
    application: Application, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_use_cases, "MAX_READS", 8)
    window = {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-23T00:00:00Z"}
    found = list(pages(application, **BY_TYPE, **window))
    assert found[0] == []
    assert [one["event_id"] for page in found for one in page] == [
        one["event_id"] for one in sent if one["event_type"] == TYPE
    ]


@pytest.mark.parametrize("change", [lambda cursor: cursor[:-2] + "AA", lambda cursor: "x" + cursor, lambda _: "é%"])
def test_a_changed_cursor_is_refused(application: Application, sent: list[dict[str, Any]], change: Any) -> None:
    cursor = application.get("/events", entity_id="ordër-1#%", limit="1").json_body["cursor"]
    answer = application.get("/events", entity_id="ordër-1#%", limit="1", cursor=change(cursor))
    assert answer.status_code == 400
    assert answer.json_body["errors"][0]["field"] == "cursor"


def test_a_cursor_of_another_query_is_refused(application: Application, sent: list[dict[str, Any]]) -> None:
    cursor = application.get("/events", entity_id="ordër-1#%", limit="1").json_body["cursor"]
    for other in ({"entity_id": "ordër-2#%"}, {"entity_id": "ordër-1#%", "order": "newest"}):
        assert application.get("/events", cursor=cursor, **other).status_code == 400


@pytest.mark.parametrize("position", ["x:y", "-1:", "", "9"])
def test_a_cursor_that_a_client_made_is_refused(application: Application, position: str) -> None:
    query = EventsQuery(entity_id="ordër-1#%")
    cursor = to_cursor(query_fingerprint(query), position)
    assert cursor is not None
    assert application.get("/events", entity_id="ordër-1#%", cursor=cursor).status_code == 400


def test_a_parameter_that_is_given_twice_is_refused(application: Application) -> None:
    answer = application.call("GET", "/events?entity_id=a&entity_id=b")
    assert answer.status_code == 400
    assert answer.json_body["errors"] == [{"field": "entity_id", "message": "is given more than once"}]


def test_whole_years_and_months_may_be_asked_for(application: Application) -> None:
    leap_year = {"start_time": "2024-01-01T00:00:00Z", "end_time": "2025-01-01T00:00:00Z"}
    assert application.get("/events", **BY_TYPE, **leap_year).status_code == 200
    month = {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00Z"}
    assert len(application.get("/gaps", entity_id="nobody", **month).json_body["items"]) == 1
    longer = {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-11-01T00:00:00.1Z"}
    assert application.get("/gaps", entity_id="nobody", **longer).status_code == 400


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/events", {}, "entity_id"),
        ("/events", {"source": "a", "event_type": "b"}, "day"),
        ("/events", {"entity_id": "a", "day": "2026-02-30"}, "not a real day"),
        ("/events", {"entity_id": "a", "start_time": "2026-01-01T00:00:00"}, "offset"),
        ("/events", {"entity_id": "a", "limit": "1001"}, "1000"),
        ("/events", {"entity_id": "a", "limits": "1"}, "not a known field"),
        ("/events", {"entity_id": "a", "status": "REJECTED"}, "GET /rejected"),
        ("/events", {"entity_id": "a", "day": "2026-01-01", "end_time": "2026-01-02T00:00:00Z"}, "either a day"),
        ("/late", {"source": "a"}, "day"),
        ("/late", {"day": "2026-01-01", "start_time": "2026-01-01T00:00:00Z"}, "either a day"),
        ("/late", {"start_time": "2026-01-02T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}, "before end_time"),
        ("/late/summary", {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-02-01T00:00:00.1Z"}, "31 days"),
        ("/gaps", {"entity_id": "a"}, "day"),
        ("/gaps", {"entity_id": "a", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}, "31"),
        ("/freshness", {"source": "a", "event_type": "b", "max_age_s": "-1"}, "max_age_s"),
        ("/freshness", {"source": "a", "event_type": "b", "max_age_s": "9" * 39}, "less than or equal to 999999999999"),
        ("/events", {"entity_id": "a", "min_lag_ms": "9" * 39}, "less than or equal to 999999999999999"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    application: Application, path: str, query: dict[str, str], named: str
) -> None:
    answer = application.get(path, **query)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert named in str(answer.json_body["errors"])


def test_late_lists_the_worst_first_and_what_it_touches(application: Application) -> None:
    application.ingest([event(f"late-{hours}", _ago(hours=hours)) for hours in (2, 50, 26)])
    application.ingest(event("on-time", _ago(minutes=1)))
    today = _ago()[:10]
    answer = application.get("/late", **BY_TYPE, day=today).json_body
    assert [item["entity_id"] for item in answer["items"]] == ["late-50", "late-26", "late-2"]
    assert [touched["day"] for touched in answer["touched"]] == [_ago(hours=hours)[:10] for hours in (50, 26, 2)]
    first = application.get("/late", **BY_TYPE, day=today, limit="2").json_body
    rest = application.get("/late", **BY_TYPE, day=today, limit="2", cursor=first["cursor"]).json_body
    assert first["items"] + rest["items"] == answer["items"]


@pytest.mark.parametrize("limit", [1, 4, 11, 1000])
def test_late_arrivals_of_all_shards_are_listed_once_and_in_order_whatever_the_size_of_a_page(
    application: Application, storage: Storage, limit: int
) -> None:
    sent = [event("late", f"2001-01-01T{number // 2:02}:00:00Z", payload=number) for number in range(24)]
    results = application.ingest(sent).json_body["results"]
    expected = sorted(((one["ingest_lag_ms"], one["event_id"]) for one in results), reverse=True)

    found = list(pages(application, "/late", **BY_TYPE, day=results[0]["ingest_time"][:10], limit=limit))

    assert {row["late_day"][-2:] for row in storage.index()} == {"#0", "#1", "#2", "#3"}
    assert [(one["ingest_lag_ms"], one["event_id"]) for page in found for one in page] == expected
    assert all(len(page) == limit for page in found[:-1])


def test_a_page_of_late_arrivals_costs_one_query_for_each_shard(application: Application, wire: Wire) -> None:
    application.get("/late", **BY_TYPE, day="2026-11-21")

    assert wire.count() == {"Query": 4}


def _ago(**time: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**time):%Y-%m-%dT%H:%M:%SZ}"


def test_gaps_are_the_hours_without_events(application: Application) -> None:
    hours = [0, 1, 5, 23]
    application.ingest([event("gappy", f"2026-11-21T{hour:02d}:30:00Z") for hour in hours])
    for selected in ({"entity_id": "gappy"}, BY_TYPE):
        answer = application.get("/gaps", **selected, day="2026-11-21").json_body
        assert [(gap["start_time"][11:16], gap["end_time"][11:16]) for gap in answer["items"]] == [
            ("02:00", "05:00"),
            ("06:00", "23:00"),
        ]


def test_gaps_in_days_reach_to_the_edges_of_the_window(application: Application) -> None:
    application.ingest(event("gappy", "2026-11-20T12:00:00Z"))
    window = {"start_time": "2026-11-18T06:00:00Z", "end_time": "2026-11-22T18:00:00Z"}
    for selected in ({"entity_id": "gappy"}, BY_TYPE):
        answer = application.get("/gaps", **selected, **window, unit="day").json_body
        assert [(gap["start_time"][:13], gap["end_time"][:13]) for gap in answer["items"]] == [
            ("2026-11-18T06", "2026-11-20T00"),
            ("2026-11-21T00", "2026-11-22T18"),
        ]


def test_a_window_without_events_is_one_gap(application: Application) -> None:
    answer = application.get("/gaps", entity_id="nobody", day="2026-11-21").json_body
    assert len(answer["items"]) == 1


def test_freshness_answers_a_monitor(application: Application) -> None:
    application.ingest([event("a", _ago(hours=30)), event("b", _ago(minutes=5))])
    answer = application.get("/freshness", **BY_TYPE)
    assert answer.status_code == 200
    assert answer.json_body["newest"]["entity_id"] == "b"
    assert application.get("/freshness", **BY_TYPE, max_age_s="3600").status_code == 200
    stale = application.get("/freshness", **BY_TYPE, max_age_s="60")
    assert stale.status_code == 503
    assert stale.json_body["newest"]["entity_id"] == "b"


def test_freshness_without_any_event_says_how_far_it_looked(application: Application) -> None:
    answer = application.get("/freshness", source="nobody", event_type="none", look_back_days="3", max_age_s="5")
    assert answer.status_code == 503
    assert answer.json_body["newest"] is None
    assert answer.json_body["looked_back_to"] == _ago(days=3)[:10]


@pytest.mark.parametrize("digits", [16, 38, 39, 5_000])
@pytest.mark.parametrize(
    ("path", "name", "query"),
    [
        ("/events", "min_lag_ms", {"entity_id": "e"}),
        ("/events", "limit", {"entity_id": "e"}),
        ("/late", "limit", {"source": "s", "event_type": "t", "day": "2026-11-21"}),
        ("/freshness", "max_age_s", {"source": "s", "event_type": "t"}),
        ("/freshness", "look_back_days", {"source": "s", "event_type": "t"}),
        ("/rejected", "limit", {"day": "2026-11-21"}),
        ("/replay", "limit", {}),
        ("/aggregates/inputs", "limit", {"entity_id": "e", "day": "2026-11-21", "replay_id": "r"}),
    ],
)
def test_a_number_that_dynamodb_cannot_take_is_refused(
    application: Application, path: str, name: str, query: dict[str, str], digits: int
) -> None:
    response = application.get(path, **query, **{name: "9" * digits})

    assert (response.status_code, response.json_body["errors"][0]["field"]) == (400, name)


def test_an_event_of_the_future_keeps_no_monitor_quiet(application: Application) -> None:
    application.ingest([event("a", _ago(days=10)), *(event(f"fast-{h}", _ago(hours=-h)) for h in (20, 19))])

    stale = application.get("/freshness", **BY_TYPE, max_age_s="60")

    assert (stale.status_code, stale.json_body["fresh"], stale.json_body["newest"]["entity_id"]) == (503, False, "a")
    assert stale.json_body["age_s"] >= 10 * 86_400
    assert stale.json_body["ahead"]["entity_id"] == "fast-20"


def test_a_clock_that_is_a_little_fast_is_fresh(application: Application) -> None:
    application.ingest(event("a", _ago(minutes=-3)))

    found = application.get("/freshness", **BY_TYPE, max_age_s="60").json_body

    assert (found["fresh"], found["age_s"], found["ahead"]) == (True, 0, None)


def test_events_of_the_future_alone_are_not_fresh(application: Application) -> None:
    application.ingest([event(f"fast-{hours}", _ago(hours=-hours)) for hours in (1, 2, 3)])

    found = application.get("/freshness", **BY_TYPE, max_age_s="60", look_back_days="1").json_body

    assert (found["fresh"], found["newest"], found["age_s"]) == (False, None, None)
    assert found["ahead"]["entity_id"] == "fast-3"


def test_looking_past_events_of_the_future_has_an_end(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "REQUEST_US", 1)
    application.ingest([event("a", _ago(minutes=1)), *(event("fast", _ago(hours=-1 - n / 10)) for n in range(8))])

    found = application.get("/freshness", **BY_TYPE, max_age_s="1000000").json_body

    assert (found["fresh"], found["newest"]) == (False, None)
    assert found["looked_back_to"] > _ago(days=0)[:10], "it has not come to today's events"


def test_events_of_the_future_are_passed_over_without_being_fetched(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AHEAD", 2)
    application.ingest([event("a", _ago(minutes=1)), *(event("fast", _ago(minutes=-6 - n)) for n in range(8))])

    found = application.get("/freshness", **BY_TYPE, max_age_s="1000000").json_body

    assert (found["fresh"], found["newest"]["entity_id"], found["ahead"]["entity_id"]) == (True, "a", "fast")


def test_gaps_of_more_than_a_request_reads_are_refused_with_what_to_do(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.search.gaps.REQUEST_US", 1)
    monkeypatch.setattr("chalicelib.search.dips._READS_AT_ONCE", 1)
    window = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-11-20T00:00:00Z"}

    response = application.get("/gaps", entity_id="a", **window)

    assert response.status_code == 400
    assert response.json_body["errors"][0]["message"].endswith("ask for fewer days")


@pytest.mark.parametrize("selection", [BY_TYPE, {"entity_id": "a"}], ids=["type", "entity"])
def test_an_event_of_the_future_fills_no_gap(application: Application, selection: dict[str, str]) -> None:
    day = _ago(days=-2)[:10]
    application.ingest([event("a", f"{day}T05:10:00Z"), event("a", f"{day}T05:20:00Z")])

    [gap] = application.get("/gaps", **selection, day=day).json_body["items"]

    assert (gap["start_time"][:10], gap["start_time"][11:16]) == (day, "00:00")
