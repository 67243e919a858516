"""GET /events?include=event: the text of each event as it was sent, and what is wrong with one that is damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.search import answer_size
from tests.functional.application import Application
from tests.functional.events import DAY, as_json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.test_verbatim import WRITTEN
from tests.functional.wire import Wire

OF_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}


def included(application: Application, **query: str) -> list[dict[str, Any]]:
    """The items of every page of a query, with their events."""
    items: list[dict[str, Any]] = []
    given = {**OF_TYPE, "include": "event", **query}
    if "end_time" in given:
        del given["day"]
    while True:
        answer = application.get("/events", **given)
        assert answer.status_code == 200, answer.body
        items += answer.json_body["items"]
        if answer.json_body["cursor"] is None:
            return items
        given["cursor"] = answer.json_body["cursor"]


def test_an_event_is_included_byte_for_byte(application: Application) -> None:
    application.ingest(WRITTEN.encode())

    answer = application.get("/events", **OF_TYPE, include="event")

    assert f',"event":{WRITTEN}}}],"cursor":null}}'.encode() in answer.body


def test_events_are_included_only_if_they_are_asked_for(application: Application) -> None:
    application.accept(paid())

    [item] = application.get("/events", **OF_TYPE).json_body["items"]

    assert {"event", "fault"}.isdisjoint(item)


def test_each_event_of_a_page_has_its_own_text_and_metadata(application: Application) -> None:
    sent = paid_several(30)
    application.ingest(sent[:20])
    for event in sent[20:]:
        application.ingest(event)

    items = included(application)

    listed = application.get("/events", **OF_TYPE).json_body["items"]
    assert [item.pop("event") for item in items] == sent
    assert items == listed


def test_a_page_costs_one_read_for_each_raw_object(application: Application, wire: Wire) -> None:
    application.ingest(paid_several(20))
    application.ingest(paid(21))
    wire.mend()

    application.get("/events", **OF_TYPE, include="event")

    assert wire.count() == {"Query": 4, "GetObject": 2}


@pytest.mark.parametrize("limit", [3, 1_000])
@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_are_bounded_by_bytes_and_lose_no_event(
    application: Application, monkeypatch: pytest.MonkeyPatch, limit: int, order: str
) -> None:
    monkeypatch.setattr(answer_size, "ANSWER_BYTES", 12_000)  # a few events
    sent = paid_several(13)
    application.ingest(sent)

    first = application.get("/events", **OF_TYPE, include="event", limit=str(limit)).json_body["items"]
    items = included(application, limit=str(limit), order=order)

    assert 0 < len(first) < min(limit + 1, len(sent))
    assert [item["event"] for item in items] == sent[:: 1 if order == "oldest" else -1]


def test_a_page_that_is_full_of_bytes_goes_on_in_the_same_day_of_a_window(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_size, "ANSWER_BYTES", 12_000)
    sent = [paid(number, event_time=f"2023-06-{10 + number // 3}T00:00:0{number % 3}Z") for number in range(12)]
    application.ingest(sent)

    window = {"start_time": "2023-06-01T00:00:00Z", "end_time": "2023-07-01T00:00:00Z"}
    items = included(application, **window)

    assert [item["event"] for item in items] == sent


def test_a_damaged_line_is_told_of_and_loses_no_other(application: Application, storage: Storage) -> None:
    results = application.accept_all(paid_several(3))
    storage.overwrite(results[1]["s3_key"], b'{"number": 2}', b'{"number": 9}')

    first, damaged, last = included(application)

    assert (first["event"], last["event"]) == (paid(1), paid(3))
    assert damaged["event"] is None
    assert "hashes to" in damaged["fault"]


def test_a_lost_object_is_told_of_and_loses_no_other(application: Application, storage: Storage) -> None:
    storage.lose(application.accept(paid(1))["s3_key"])
    application.accept(paid(2))

    lost, kept = included(application)

    assert (lost["event"], kept["event"]) == (None, paid(2))
    assert "missing" in lost["fault"]


def test_an_event_that_is_larger_than_an_answer_is_told_of_and_loses_no_other(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_size, "ANSWER_BYTES", 5_000)
    sent = [paid(1), paid(2, payload="x" * 5_000), paid(3)]
    application.ingest(sent)

    first, large, last = included(application)

    assert (first["event"], large["event"], last["event"]) == (paid(1), None, paid(3))
    assert f"{len(as_json(sent[1])):,} bytes" in large["fault"]


def test_nothing_but_events_can_be_included(application: Application) -> None:
    answer = application.get("/events", **OF_TYPE, include="lineage")

    assert answer.status_code == 400
    assert json.loads(answer.body)["errors"][0]["field"] == "include"
