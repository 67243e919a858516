"""How many AWS calls a request costs."""

from __future__ import annotations

from tests.functional.application import Application
from tests.functional.events import paid, paid_several
from tests.functional.wire import ALWAYS, Wire, throttled


def test_a_new_event_costs_three_calls(application: Application, wire: Wire) -> None:
    application.accept(paid())

    assert wire.calls == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_a_known_event_costs_two_calls(application: Application, wire: Wire) -> None:
    application.accept(paid())
    wire.mend()

    application.ingest(paid())

    assert wire.calls == ["BatchGetItem", "BatchWriteItem"]


def test_a_refused_event_costs_one_call(application: Application, wire: Wire) -> None:
    application.ingest({})

    assert wire.calls == ["PutObject"]


def test_what_is_no_request_for_ingest_costs_none(application: Application, wire: Wire) -> None:
    application.ingest([])
    application.ingest(b"{}", "text/plain")
    application.ingest([1] * 1_001)

    assert wire.calls == []


def test_a_hundred_new_events_of_one_source_and_day_cost_four_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(100))

    assert wire.calls == ["BatchGetItem", "PutObject", "TransactWriteItems", "TransactWriteItems"]


def test_a_question_about_an_event_costs_three_calls(application: Application, wire: Wire) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.mend()

    application.get(f"/events/{event_id}")

    assert wire.calls == ["BatchGetItem", "Query", "Query"]


def test_the_raw_text_of_an_event_costs_two_calls(application: Application, wire: Wire) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.mend()

    application.get(f"/events/{event_id}/raw")

    assert wire.calls == ["BatchGetItem", "GetObject"]


def test_a_call_that_aws_never_takes_is_tried_three_times(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, times=ALWAYS)

    application.ingest(paid())

    assert wire.calls == ["BatchGetItem"] * 3


def test_ten_messages_of_one_object_and_aggregate_cost_three_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    _, messages = application.planned(
        entity_id="order-1", start_time="2023-06-30T00:00:00Z", end_time="2023-07-01T00:00:00Z"
    )
    wire.mend()

    application.process(messages)

    assert wire.calls == ["GetObject", "BatchGetItem", "TransactWriteItems"]
