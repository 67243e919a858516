"""What a metric comes to by day: exact totals over all entities, from which replay, and whether they are stale."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.core.errors import WriteConflict
from chalicelib.core.timestamps import Day
from chalicelib.metrics.definition import BUILT_IN
from chalicelib.runtime import query_wiring
from tests.functional.application import Application
from tests.functional.events import DAY, NEXT_DAY, Json, paid
from tests.functional.recomputed import inputs_hash
from tests.functional.storage import Storage
from tests.functional.test_metrics_of_replays import define, sha256_of
from tests.functional.wire import Wire
from tests.unit.examples import INGESTED

OF_DAY = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
REVENUE: Json = {
    "source": "shop/checkout",
    "event_types": ["order.paid"],
    "aggregate": "sum",
    "value": "/amount",
    "group_by": ["/currency"],
}
AMOUNTS = {"a": "1.10", "b": "2.20", "c": "-0.30"}


def sold(entity_id: str, amount: str, number: int = 1, **changes: Any) -> Json:
    """An event of an entity with an amount."""
    members: Json = {"amount": "AMOUNT", "currency": "EUR"}
    return paid(number, entity_id=entity_id, payload=members, **changes) | {"amount": amount}


def accept(application: Application, *events: Json) -> list[Json]:
    """Send events whose amounts are numbers as they are written."""
    texts = [json.dumps(each).replace('"AMOUNT"', each["amount"]) for each in map(dict, events)]
    sent = "[" + ",".join(text.partition(', "amount": "')[0] + "}" for text in texts) + "]"
    answer = application.ingest(sent.encode()).json_body
    assert answer["counts"]["accepted"] == len(events), answer
    results: list[Json] = answer["results"]
    return results


@pytest.fixture
def revenue(application: Application) -> str:
    return define(application, "revenue", REVENUE)


@pytest.fixture
def replay_id(application: Application, revenue: str) -> str:
    """A complete replay of three entities' events."""
    assert revenue
    accept(application, *(sold(name, amount, number) for number, (name, amount) in enumerate(AMOUNTS.items(), 1)))
    return application.replayed(**OF_DAY)


def values_of(application: Application, name: str = "revenue", **query: str) -> Json:
    asked = {"start_day": DAY, "end_day": DAY, **query}
    answer: Json = application.get(f"/metrics/{name}/values", **asked).json_body
    return answer


def every_page(application: Application, name: str = "revenue", **query: str) -> Iterator[Json]:
    page = values_of(application, name, **query)
    yield page
    while page["cursor"] is not None:
        page = values_of(application, name, **query, cursor=page["cursor"])
        yield page


def euros(answer: Json) -> Json:
    """The only value that has a group."""
    [found] = [each for each in answer["values"] if each["group"] == {"/currency": "EUR"}]
    value: Json = found
    return value


def test_a_total_is_exact_and_says_what_it_was_folded_from(
    application: Application, storage: Storage, revenue: str, replay_id: str
) -> None:
    answer = values_of(application)

    total = euros(answer)
    rows = [row for row in storage.rows("AGGREGATES_TABLE") if row.get("outcome") == "INPUT"]
    assert Fraction(total["value"]) == sum(map(Fraction, AMOUNTS.values()))
    assert (total["versions"], total["inputs_hash"], total["event_count"]) == (3, inputs_hash(rows), 3)
    assert (total["replay_id"], total["definition_sha256"]) == (replay_id, revenue)
    assert (total["complete"], total["arrived_since"], "partial_because" in total) == (True, 0, False)
    assert (answer["calendar"], answer["missing"], answer["replays"], answer["cursor"]) == ("UTC", [], [], None)


def test_a_total_is_kept_once_it_is_made(application: Application, storage: Storage, replay_id: str) -> None:
    first = values_of(application)
    [kept] = totals(storage, replay_id)

    assert values_of(application) == first
    assert totals(storage, replay_id) == [kept]
    assert (kept["versions"], kept["revision"], "folded_to" in kept) == (3, 1, False)


def totals(storage: Storage, replay_id: str) -> list[Any]:
    return [row for row in storage.rows("AGGREGATES_TABLE") if row["PK"] == f"TOTALS#{replay_id}"]


def test_a_kept_total_is_not_replaced_by_another_request(replay_id: str) -> None:
    stored = query_wiring.totals()
    total = Total(ReplayedDay(replay_id, Day(DAY)), processed=3, folded_to=None)
    kept = stored.keep(total, INGESTED)

    for late in (total, replace(kept, revision=kept.revision - 1), replace(kept, revision=kept.revision + 1)):
        with pytest.raises(WriteConflict):
            stored.keep(late, INGESTED)
    [found] = stored.kept([total.of], {replay_id: BUILT_IN}).values()
    assert found == kept


def test_an_event_that_came_later_makes_it_stale_and_a_replay_mends_it(
    application: Application, replay_id: str
) -> None:
    values_of(application)
    accept(application, sold("d", "5", 4))

    stale = values_of(application)

    assert (euros(stale)["value"], euros(stale)["arrived_since"], euros(stale)["complete"]) == ("3", 1, True)
    assert stale["replays"] == [OF_DAY]
    again = application.replayed(**stale["replays"][0])
    mended = values_of(application)
    assert (euros(mended)["value"], euros(mended)["arrived_since"], euros(mended)["replay_id"]) == ("8", 0, again)
    assert mended["replays"] == []
    assert euros(values_of(application, replay_id=replay_id))["value"] == "3"


def test_an_event_that_the_metric_does_not_take_makes_nothing_stale(application: Application, replay_id: str) -> None:
    both = OF_DAY | {"event_types": ["order.paid", "order.noted"]}
    del both["event_type"]
    accept(application, sold("a", "9", 5, event_type="order.noted"))
    application.replayed(**both)
    accept(application, sold("a", "9", 6, event_type="order.noted"))

    answer = values_of(application)

    assert euros(answer)["replay_id"] != replay_id
    assert (euros(answer)["value"], euros(answer)["arrived_since"], euros(answer)["complete"]) == ("3", 0, True)


WHERE = {"where": [{"path": "/amount", "in": [1, 2]}]}


def test_what_came_since_is_counted_before_where_and_says_so(application: Application, revenue: str) -> None:
    assert revenue
    define(application, "small", REVENUE | WHERE)
    accept(application, sold("a", "1", 1), sold("b", "9", 2))
    application.replayed(**OF_DAY)
    certain = values_of(application, "small")
    accept(application, sold("c", "9", 3))

    by_where, by_type = values_of(application, "small"), values_of(application)

    assert (euros(certain)["value"], euros(certain)["arrived_since"]) == ("1", 0)
    assert (euros(by_where)["value"], euros(by_where)["arrived_since"]) == ("1", 1)
    assert euros(by_where)["arrived_since_counts"] == (
        "events of the metric's source and types, whether or not they meet its where"
    )
    assert (euros(by_type)["arrived_since"], "arrived_since_counts" in euros(by_type)) == (1, False)


def test_what_came_since_of_an_entity_that_was_replayed_alone_is_every_event(
    application: Application, revenue: str
) -> None:
    assert revenue
    accept(application, sold("a", "1", 1))
    application.replayed(entity_id="a", start_time=f"{DAY}T00:00:00Z", end_time=f"{NEXT_DAY}T00:00:00Z")
    accept(application, sold("a", "9", 2, event_type="order.noted"))

    answer = values_of(application, entity_id="a")

    assert (euros(answer)["arrived_since"], euros(answer)["arrived_since_counts"]) == (
        1,
        "every event of the entity's day, whether or not the metric takes it",
    )


def test_a_replay_of_a_part_of_the_day_says_so_and_counts_only_if_no_other_covers_all(
    application: Application, replay_id: str
) -> None:
    accept(application, sold("a", "7", 7, event_time=f"{DAY}T20:00:00Z"))
    window = {"start_time": f"{DAY}T12:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
    part = application.replayed(**{name: OF_DAY[name] for name in ("source", "event_type")}, **window)

    assert euros(values_of(application))["replay_id"] == replay_id
    partial = values_of(application, replay_id=part)
    assert (euros(partial)["value"], euros(partial)["versions"], euros(partial)["complete"]) == ("7", 1, False)
    [reason] = euros(partial)["partial_because"]
    assert reason == f"Its replay leaves out the day's events before {DAY}T12:00:00Z."
    assert partial["replays"] == [OF_DAY]


def test_a_replay_that_left_out_events_by_filters_type_or_limit_says_so(application: Application, revenue: str) -> None:
    assert revenue
    define(application, "notes", REVENUE | {"event_types": ["order.noted", "order.paid"]})
    accept(application, sold("a", "1", 1), sold("b", "2", 2))

    filtered = application.replayed(**OF_DAY, exclude={"min_lag_ms": 10**14})
    cut = application.replayed(**OF_DAY, max_messages=1)

    said = {
        each: values_of(application, name, replay_id=each)["values"][1]["partial_because"]
        for each, name in ((filtered, "revenue"), (cut, "revenue"))
    }
    assert said == {
        filtered: ["Its replay took only events that pass its filters."],
        cut: ["Its replay ended after max_messages (1)."],
    }
    other = euros(values_of(application, "notes", replay_id=filtered))
    assert other["partial_because"][0] == "It covers events of source shop/checkout and type order.paid only."
    assert other["arrived_since"] is None


def test_a_replay_that_is_not_complete_is_refused_with_what_to_do(application: Application, revenue: str) -> None:
    assert revenue
    accept(application, sold("a", "1"))
    running = application.requested_and_planned(**OF_DAY)

    response = application.get("/metrics/revenue/values", start_day=DAY, end_day=DAY, replay_id=running)

    assert response.status_code == 409
    assert (
        "is SENT, with 0 of 1 sent messages processed. Its versions make a total once it is COMPLETE: retrace"
        in (response.json_body["detail"])
    )
    assert values_of(application)["missing"] == [
        {"day": DAY, "reason": "No complete replay by source and type computed revenue for this day."}
    ]
    assert values_of(application)["replays"] == [OF_DAY]


def test_a_replay_of_one_entity_or_of_touched_days_makes_no_total(application: Application, replay_id: str) -> None:
    of_entity = application.replayed(entity_id="a", start_time=f"{DAY}T00:00:00Z", end_time=f"{NEXT_DAY}T00:00:00Z")
    of_days = application.replayed(**OF_DAY, whole_days=True)

    for each in (of_entity, of_days):
        response = application.get("/metrics/revenue/values", start_day=DAY, end_day=DAY, replay_id=each)
        assert (response.status_code, "its versions make no total" in response.json_body["detail"]) == (409, True)
    assert euros(values_of(application))["replay_id"] == replay_id


def test_dead_letters_are_told_and_what_a_redrive_processes_is_in_the_total(
    application: Application, revenue: str
) -> None:
    assert revenue
    accept(application, sold("a", "1", 1), sold("b", "2", 2))
    replay_id, messages = application.planned(**OF_DAY)
    application.process(messages[:1])
    for message in messages[1:]:
        application.failures.send(message.body)
    application.give_up_on(application.failures.taken())

    failed = values_of(application)
    application.call("POST", f"/replay/{replay_id}/redrive", {"content-type": "application/json"})
    application.plan()
    application.process(application.messages.taken())
    mended = values_of(application)

    assert euros(failed)["partial_because"] == ["Of its replay's 2 messages, 1 failed."]
    assert euros(failed)["versions"] == 1
    assert (euros(mended)["value"], euros(mended)["versions"], euros(mended)["complete"]) == ("3", 2, True)


def test_values_are_by_group_or_over_all_groups_or_of_one(application: Application, revenue: str) -> None:
    assert revenue
    dollars = sold("b", "2", 2)
    dollars["payload"]["currency"] = "USD"
    accept(application, sold("a", "1", 1), dollars)
    application.replayed(**OF_DAY)

    by_group, by_day = values_of(application), values_of(application, by="day")
    of_one = values_of(application, group='{"/currency":"USD"}')

    assert [(each["group"], each["value"]) for each in by_group["values"]] == [
        ({}, None),
        ({"/currency": "EUR"}, "1"),
        ({"/currency": "USD"}, "2"),
    ]
    assert [(each["group"], each["value"], each["inputs"]) for each in by_day["values"]] == [({}, "3", 2)]
    assert [each["value"] for each in of_one["values"]] == ["2"]


@pytest.mark.parametrize("limit", ["1", "2", "5"])
def test_values_come_in_pages_of_any_size(application: Application, replay_id: str, limit: str) -> None:
    assert replay_id
    for query in ({}, {"by": "entity"}, {"entity_id": "a"}):
        whole = values_of(application, end_day=NEXT_DAY, **query)
        pages = list(every_page(application, end_day=NEXT_DAY, limit=limit, **query))

        assert [value for page in pages for value in page["values"]] == whole["values"]
        assert [day for page in pages for day in page["missing"]] == whole["missing"]
        assert [each["day"] for each in whole["missing"]] == [NEXT_DAY]


def test_values_by_entity_add_up_to_the_total(application: Application, replay_id: str) -> None:
    every = values_of(application, by="entity")["values"]

    found = {each["entity_id"]: each["value"] for each in every if each["group"]}
    assert {name: Fraction(value) for name, value in found.items()} == {
        name: Fraction(amount) for name, amount in AMOUNTS.items()
    }
    assert {(each["replay_id"], each["versions"], each["complete"]) for each in every} == {(replay_id, 1, True)}


def test_values_of_one_entity_are_those_of_its_newest_version(application: Application, replay_id: str) -> None:
    accept(application, sold("a", "4", 8))
    stale = values_of(application, entity_id="a")
    mended = application.replayed(**stale["replays"][0])

    answer = values_of(application, entity_id="a")

    assert (euros(stale)["value"], euros(stale)["arrived_since"], euros(stale)["replay_id"]) == ("1.1", 1, replay_id)
    assert (euros(answer)["value"], euros(answer)["arrived_since"]) == ("5.1", 0)
    assert (euros(answer)["replay_id"], euros(answer)["entity_id"], euros(answer)["versions"]) == (mended, "a", 1)


@pytest.fixture
def buyers(application: Application) -> None:
    """A metric that needs all inputs, of two entities, one of which has two groups."""
    members: Json = {name: REVENUE[name] for name in ("source", "event_types", "group_by")}
    define(application, "buyers", members | {"aggregate": "distinct", "value": "/amount"})
    dollars = sold("a", "3", 4)
    dollars["payload"]["currency"] = "USD"
    accept(application, sold("a", "1", 1), sold("a", "2", 2), sold("b", "1", 3), dollars)
    application.replayed(**OF_DAY)


@pytest.mark.usefixtures("buyers")
@pytest.mark.parametrize("limit", ["1", "100"])
def test_values_that_need_all_inputs_are_those_of_each_entity(application: Application, limit: str) -> None:
    for query, expected in (
        ({"by": "entity"}, [("a", "EUR", "2"), ("a", "USD", "1"), ("b", "EUR", "1")]),
        ({"entity_id": "a"}, [("a", "EUR", "2"), ("a", "USD", "1")]),
    ):
        pages = list(every_page(application, name="buyers", limit=limit, **query))
        found = [each for page in pages for each in page["values"] if each["inputs"]]
        assert [(each["entity_id"], each["group"]["/currency"], each["value"]) for each in found] == expected
        assert not any("unknown_because" in each for each in found)


@pytest.mark.usefixtures("buyers")
def test_a_value_that_does_not_follow_from_others_is_null_and_says_what_to_ask(application: Application) -> None:
    [over_groups] = values_of(application, "buyers", entity_id="a", by="day")["values"]
    define(application, "buyers", REVENUE)  # replays pin the definition that it had
    total = euros(values_of(application, "buyers"))

    for each in (over_groups, total):
        assert each["value"] is None
        assert each["unknown_because"].endswith("Ask by=entity, or by=group with entity_id.")


@pytest.mark.usefixtures("buyers")
def test_a_value_that_needs_more_reads_than_a_page_has_left_is_on_the_next(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = values_of(application, "buyers", by="entity")["values"]
    monkeypatch.setattr("chalicelib.totals.use_cases.REQUEST_US", 180_000)

    pages = list(every_page(application, name="buyers", by="entity"))

    assert [each for page in pages for each in page["values"]] == whole
    assert len(pages) > 1


def test_a_total_of_a_calendar_is_of_its_own_days(application: Application) -> None:
    define(application, "revenue", REVENUE | {"time_zone": "Asia/Kolkata"})
    times = {"a": "18:29:59Z", "b": "18:30:00Z", "c": "23:00:00Z"}
    events = [sold(name, "1", number, event_time=f"{DAY}T{at}") for number, (name, at) in enumerate(times.items(), 1)]
    accept(application, *events)
    window = {"start_time": "2023-06-29T18:30:00Z", "end_time": f"{NEXT_DAY}T18:30:00Z"}
    application.replayed(source="shop/checkout", event_type="order.paid", **window)

    answer = values_of(application, end_day=NEXT_DAY)

    found = [(each["day"], each["value"], each["complete"]) for each in answer["values"] if each["group"]]
    assert answer["calendar"] == "Asia/Kolkata"
    assert found == [(DAY, "1", True), (NEXT_DAY, "2", True)]
    missing = values_of(application, start_day="2023-07-02", end_day="2023-07-03")
    assert missing["replays"][0]["start_time"] == "2023-07-01T18:30:00.000000000Z"


def test_the_number_of_events_has_totals_too(application: Application, replay_id: str) -> None:
    [total] = values_of(application, "daily_event_count")["values"]

    assert (total["value"], total["versions"], total["replay_id"]) == ("3", 3, replay_id)
    assert (total["complete"], total["arrived_since"]) == (True, 0)


def test_a_metric_of_every_type_has_a_whole_total_once_a_replay_sends_all_that_the_day_has(
    application: Application, replay_id: str
) -> None:
    accept(application, sold("d", "9", 5, event_type="order.noted"))
    partial = values_of(application, "daily_event_count")
    [body] = partial["replays"]

    application.replayed(**body)
    whole = values_of(application, "daily_event_count")
    accept(application, sold("d", "9", 6, event_type="order.new"))
    again = values_of(application, "daily_event_count")

    assert (partial["values"][0]["replay_id"], partial["values"][0]["complete"]) == (replay_id, False)
    assert partial["values"][0]["partial_because"] == [
        "It covers events of source shop/checkout and type order.paid only.",
        "The day also has events of source shop/checkout and type order.noted.",
    ]
    assert body == {"source": "shop/checkout", "event_types": ["order.noted", "order.paid"], "day": DAY}
    assert [(each["value"], each["complete"]) for each in whole["values"]] == [("4", True)]
    assert [(each["value"], each["complete"]) for each in again["values"]] == [("4", False)]
    assert again["replays"][0]["event_types"] == ["order.new", "order.noted", "order.paid"]


def test_a_metric_of_several_sources_has_no_whole_total_and_says_what_to_define(
    application: Application, replay_id: str
) -> None:
    accept(application, sold("d", "9", 5, source="shop/returns"))

    found = values_of(application, "daily_event_count", replay_id=replay_id)
    missing = values_of(application, "daily_event_count", start_day=NEXT_DAY, end_day=NEXT_DAY)

    assert found["values"][0]["partial_because"][1:] == [
        "The day also has events of source shop/returns and type order.paid.",
        "A replay has one source, and the metric takes events of several: define a metric for each.",
    ]
    assert missing["missing"][0]["reason"].startswith("No complete replay by source and type")


def test_a_missing_day_of_a_metric_of_every_type_names_the_replay_that_computes_it(application: Application) -> None:
    define(application, "seen", {"aggregate": "count", "source": "shop/checkout"})
    accept(application, sold("a", "1", 1), sold("b", "1", 2, event_type="order.noted"))

    [body] = values_of(application, "seen")["replays"]
    application.replayed(**body)

    [total] = values_of(application, "seen")["values"]
    assert (total["value"], total["complete"]) == ("2", True)


def test_a_day_without_events_has_the_total_of_no_version(application: Application, replay_id: str) -> None:
    assert replay_id
    application.replayed(**OF_DAY | {"day": NEXT_DAY})

    [total] = values_of(application, start_day=NEXT_DAY, end_day=NEXT_DAY)["values"]

    assert (total["value"], total["versions"], total["complete"]) == (None, 0, True)


def test_an_older_definition_counts_until_a_replay_computes_the_newest(
    application: Application, revenue: str, replay_id: str
) -> None:
    ungrouped = {name: value for name, value in REVENUE.items() if name != "group_by"}
    newest = define(application, "revenue", ungrouped)

    before = values_of(application)
    exactly = values_of(application, definition_sha256=newest)

    assert (before["definition_sha256"], euros(before)["definition_sha256"]) == (newest, revenue)
    assert (exactly["values"], len(exactly["missing"])) == ([], 1)
    assert euros(before)["replay_id"] == replay_id


def test_what_a_replay_would_not_compute_has_no_replay_that_mends_it(
    application: Application, revenue: str, replay_id: str
) -> None:
    assert replay_id
    before = values_of(application, start_day=NEXT_DAY, end_day=NEXT_DAY, definition_sha256=revenue)
    define(application, "revenue", REVENUE | {"value": "/net"})
    after = values_of(application, start_day=NEXT_DAY, end_day=NEXT_DAY, definition_sha256=revenue)

    assert (len(before["missing"]), before["replays"]) == (1, [OF_DAY | {"day": NEXT_DAY}])
    assert (len(after["missing"]), after["replays"]) == (1, [])


def test_a_retired_metric_is_named_by_the_replay_that_mends_it(application: Application, revenue: str) -> None:
    accept(application, sold("a", "4"))
    application.call("DELETE", "/metrics/revenue", {"content-type": "application/json"})

    for query in ({"entity_id": "a"}, {}):
        [request] = values_of(application, **query)["replays"]
        application.replayed(**request)
        assert euros(values_of(application, **query))["definition_sha256"] == revenue


@pytest.mark.parametrize("query", [{}, {"by": "entity"}, {"entity_id": "a"}])
def test_values_are_of_a_what_if_only_if_it_is_named(
    application: Application, replay_id: str, query: dict[str, str]
) -> None:
    draft = {"name": "revenue", **REVENUE, "value": "/tax", "group_by": []}
    what_if = application.replayed(**OF_DAY, metrics=[draft])

    newest, named = values_of(application, **query), values_of(application, **query, replay_id=what_if)

    assert {each["replay_id"] for each in newest["values"]} == {replay_id}
    assert {(each["replay_id"], each["inputs"], each["skipped"] > 0) for each in named["values"]} == {
        (what_if, 0, True)
    }
    assert {each["definition_sha256"] for each in named["values"]} == {sha256_of("revenue", draft)}


@pytest.mark.parametrize("query", [{}, {"by": "entity"}, {"entity_id": "a"}])
def test_a_day_that_clocks_left_out_says_so_and_no_replay_is_asked_for(
    application: Application, query: dict[str, str]
) -> None:
    define(application, "in_apia", REVENUE | {"time_zone": "Pacific/Apia"})

    answer = values_of(application, "in_apia", start_day="2011-12-29", end_day="2011-12-31", **query)

    left_out = {"day": "2011-12-30", "reason": "The clocks of Pacific/Apia left this day out."}
    assert (len(answer["missing"]), answer["missing"][1]) == (3, left_out)
    assert [(each["start_time"][:10], each["end_time"][:10]) for each in answer["replays"]] == [
        ("2011-12-29", "2011-12-30"),
        ("2011-12-30", "2011-12-31"),
    ]


@pytest.mark.parametrize("group", ["[" * 4_000, '{"/currency":1}', "NaN", "{"])
def test_a_group_that_is_none_is_refused(application: Application, revenue: str, group: str) -> None:
    assert revenue
    refused = application.get("/metrics/revenue/values", start_day=DAY, end_day=DAY, group=group)

    assert (refused.status_code, [each["field"] for each in refused.json_body["errors"]]) == (400, ["group"])


def test_csv_has_the_same_values(application: Application, replay_id: str) -> None:
    response = application.call(
        "GET", f"/metrics/revenue/values?start_day={DAY}&end_day={DAY}&limit=1", {"Accept": "text/csv"}
    )
    more = response.headers["Retrace-Cursor"]
    rest = application.call(
        "GET", f"/metrics/revenue/values?start_day={DAY}&end_day={DAY}&limit=1&cursor={more}", {"Accept": "text/csv"}
    )

    total = euros(values_of(application))
    header, line = rest.body.decode().splitlines()
    assert response.headers["Content-Type"].startswith("text/csv")
    assert "Retrace-Cursor" not in rest.headers
    assert dict(zip(header.split(","), line.split(","), strict=True)) == {
        "day": DAY,
        "entity_id": "",
        "/currency": "EUR",
        "value": "3",
        "inputs": "3",
        "skipped": "0",
        "replay_id": replay_id,
        "definition_sha256": total["definition_sha256"],
        "versions": "3",
        "inputs_hash": total["inputs_hash"],
        "complete": "true",
        "arrived_since": "0",
    }


def test_what_cannot_be_answered_says_why(application: Application, replay_id: str) -> None:
    define(application, "customers", {"aggregate": "distinct", "value": "/customer"})

    def status(name: str, **query: str) -> tuple[int, str]:
        response = application.get(f"/metrics/{name}/values", **{"start_day": DAY, "end_day": DAY, **query})
        return response.status_code, response.json_body["detail"]

    assert status("revenu") == (404, "There is no metric revenu. Did you mean revenue? GET /metrics lists all.")
    assert status("revenue", replay_id="unknown")[0] == 404
    assert status("customers", replay_id=replay_id) == (400, "customers has no totals.")
    assert status("revenue", start_day=NEXT_DAY)[0] == 400
    assert status("revenue", end_day="2024-06-30")[0] == 400
    assert status("revenue", group="EUR")[0] == 400
    assert status("revenue", by="entity", entity_id="a")[0] == 400
    assert status("revenue", cursor="x")[0] == 400
    assert status("revenue", definition_sha256="0" * 64)[0] == 404


def test_a_total_reads_a_hundred_versions_with_a_call_and_is_one_call_once_it_is_kept(
    application: Application, wire: Wire, revenue: str
) -> None:
    assert revenue
    for first in range(0, 120, 40):
        accept(application, *(sold(f"e{number}", "0.01", number) for number in range(first, first + 40)))
    application.replayed(**OF_DAY)
    values_of(application, start_day=NEXT_DAY, end_day=NEXT_DAY)
    wire.mend()

    total = euros(values_of(application))
    first_asked, again = list(wire.calls), values_of(application)
    asked_again = wire.calls[len(first_asked) :]

    assert (total["value"], total["versions"], euros(again)) == ("1.2", 120, total)
    of_shards = ["Query"] * 4
    which = ["GetItem", "Query", "Query", "BatchGetItem"]  # the name, the replays, the replay, and the total
    versions = ["BatchGetItem"] * 2
    assert Counter(first_asked) == Counter([*which, *of_shards, *versions, "PutItem", *of_shards])
    assert Counter(asked_again) == Counter([*which, *of_shards])
