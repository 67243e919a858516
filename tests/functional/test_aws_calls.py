"""How many AWS calls a request costs."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib.aws import keys
from chalicelib.replays import planner as plan
from chalicelib.runtime import event_wiring, replay_wiring, system
from tests.functional import ledger
from tests.functional.application import Application, sqs_event
from tests.functional.events import DAY, NEXT_DAY, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Attempt, Wire, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
OF_A_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}


def test_a_new_event_costs_three_calls(application: Application, wire: Wire) -> None:
    application.accept(paid(1))
    wire.mend()

    application.accept(paid(2))

    assert wire.calls == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_the_first_event_of_a_source_and_type_costs_two_calls_more_and_one_in_each_later_process(
    application: Application, wire: Wire
) -> None:
    application.accept(paid(1))
    assert wire.calls == ["BatchGetItem", "PutObject", "BatchGetItem", "PutItem", "TransactWriteItems"]
    event_wiring.sources.cache_clear()
    wire.mend()

    application.accept(paid(2))

    assert wire.calls == ["BatchGetItem", "PutObject", "BatchGetItem", "TransactWriteItems"]


def test_listing_sources_costs_a_call_for_the_list_and_one_a_day_for_each_shard_of_each_type(
    application: Application, wire: Wire
) -> None:
    application.accept_all([paid(event_time=system.now()), paid(event_type="order.refunded", event_time=system.now())])
    wire.mend()

    application.get("/sources")
    assert wire.calls == ["Query"] * 9
    wire.mend()
    application.get("/sources", look_back_days="0")

    assert wire.calls == ["Query"]


def test_listing_destinations_costs_a_query_and_two_for_each_of_the_newest_replays(
    application: Application, wire: Wire
) -> None:
    application.get("/destinations")
    assert wire.calls == ["Query"]
    for _ in range(2):
        application.requested(**WHOLE_DAY)
    wire.mend()

    application.get("/destinations")

    assert wire.count() == {"Query": 3}


def test_a_raw_object_is_sent_without_waiting_for_consent(application: Application, wire: Wire) -> None:
    sent = []

    def looked_at(attempt: Attempt) -> AWSResponse:
        sent.append(attempt.request.headers)
        return attempt.delivered()

    wire.disturb(looked_at, "PutObject")
    application.accept(paid())

    [headers] = sent
    assert "Expect" not in headers
    assert "Retrace Boto3/" in str(headers["User-Agent"])


def test_a_known_event_costs_two_calls(application: Application, wire: Wire) -> None:
    application.accept(paid())
    wire.mend()

    application.ingest(paid())

    assert wire.calls == ["BatchGetItem", "BatchWriteItem"]


def test_a_duplicate_costs_one_small_row_and_changes_nothing_of_the_first(
    application: Application, storage: Storage, wire: Wire
) -> None:
    event = paid(payload={"large": "x" * 90_000})
    application.accept(event)
    before, index = storage.everything(), storage.index()
    wire.mend()

    application.ingest([event] * 50)  # about as much as a request holds

    after = storage.everything()
    assert wire.calls == ["BatchGetItem", "BatchWriteItem", "BatchWriteItem"]
    assert after | {"EVENTS_TABLE": before["EVENTS_TABLE"]} == before
    assert storage.index() == index
    assert len(storage.arrivals()) == 50
    assert max(len(json.dumps(row, default=str)) for row in storage.arrivals()) < 600


def test_a_refused_event_costs_one_call(application: Application, wire: Wire) -> None:
    application.ingest({})

    assert wire.calls == ["PutObject"]


def test_what_is_no_request_for_ingest_costs_none(application: Application, wire: Wire) -> None:
    application.ingest([])
    application.ingest(b"{}", "text/plain")
    application.ingest(b" " * 10_000_001)

    assert wire.calls == []


def test_a_hundred_new_events_of_one_source_and_day_cost_four_calls(application: Application, wire: Wire) -> None:
    application.accept(paid(1_000))
    wire.mend()

    application.accept_all(paid_several(100))

    assert wire.calls == ["BatchGetItem", "PutObject", "TransactWriteItems", "TransactWriteItems"]


def test_a_question_about_an_event_costs_four_calls(application: Application, wire: Wire) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.mend()

    application.get(f"/events/{event_id}")

    assert wire.calls == ["BatchGetItem", "Query", "Query", "Query"]


def test_the_raw_text_of_an_event_costs_two_calls(application: Application, wire: Wire) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.mend()

    application.get(f"/events/{event_id}/raw")

    assert wire.calls == ["BatchGetItem", "GetObject"]


def test_a_call_that_aws_never_takes_is_tried_three_times(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, times=ALWAYS)

    application.ingest(paid())

    assert wire.calls == ["BatchGetItem"] * 3


PROCESSED = ["BatchGetItem", "GetObject", "BatchGetItem", "TransactWriteItems"]


def test_ten_messages_of_one_object_and_aggregate_cost_four_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    _, messages = application.planned(**WHOLE_DAY)
    wire.mend()

    application.process(messages)

    assert wire.calls == PROCESSED


def test_ten_messages_of_one_object_and_ten_aggregates_cost_four_calls(application: Application, wire: Wire) -> None:
    application.accept_all([paid(number, entity_id=f"order-{number}") for number in range(10)])
    _, messages = application.planned(**OF_A_TYPE)
    wire.mend()

    application.process(messages)

    assert wire.calls == PROCESSED


def test_a_hundred_messages_of_one_object_and_aggregate_cost_six_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(100))
    _, messages = application.planned(**WHOLE_DAY)
    wire.mend()

    application.process(messages)

    assert wire.calls == [*PROCESSED, "BatchGetItem", "TransactWriteItems"]


def test_a_hundred_messages_of_one_object_and_ten_aggregates_cost_eight_calls(
    application: Application, wire: Wire
) -> None:
    application.accept_all([paid(number, entity_id=f"order-{number % 10}") for number in range(100)])
    _, messages = application.planned(**OF_A_TYPE)
    wire.mend()

    application.process(messages)

    assert len(wire.calls) <= 8


def five_metrics(application: Application) -> None:
    for number in range(5):
        definition = {"aggregate": "sum", "value": "/number", "event_types": [f"type-{number}", "order.paid"]}
        response = application.call(
            "PUT", f"/metrics/metric_{number}", {"content-type": "application/json"}, json.dumps(definition).encode()
        )
        assert response.status_code == 200


def test_five_metrics_cost_a_call_for_their_definitions_in_each_process_and_later_messages_none(
    application: Application, wire: Wire
) -> None:
    five_metrics(application)
    application.accept_all(paid_several(10))
    _, messages = application.planned(**WHOLE_DAY)
    replay_wiring.definitions.cache_clear()
    wire.mend()

    application.process(messages[:5])
    assert wire.calls == ["BatchGetItem", *PROCESSED]
    wire.mend()
    application.process(messages[5:])

    assert wire.calls == PROCESSED


def test_asking_for_a_replay_where_metrics_are_defined_costs_one_call_more(
    application: Application, wire: Wire
) -> None:
    five_metrics(application)
    wire.mend()

    application.request_replay(WHOLE_DAY)

    assert wire.calls == ["Query", "UpdateItem", "Query", "SendMessage", "TransactWriteItems", "SendMessage"]


def test_ten_messages_that_were_processed_before_cost_three_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    _, messages = application.planned(**WHOLE_DAY)
    application.process(messages)
    wire.mend()

    application.process(messages)

    assert wire.calls == ["BatchGetItem", "GetObject", "BatchGetItem"]


def test_ten_messages_of_a_cancelled_replay_cost_three_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    replay_id, messages = application.planned(**WHOLE_DAY)
    ledger.cancel(replay_id)
    wire.mend()

    application.process(messages)

    assert wire.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


def test_ten_messages_that_were_received_too_often_cost_five_calls(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    _, messages = application.planned(**WHOLE_DAY)
    wire.mend()

    application.give_up_on(messages)

    assert wire.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems", "GetObject", "SendMessageBatch"]


def test_asking_for_a_replay_of_an_entity_costs_five_calls(application: Application, wire: Wire) -> None:
    application.request_replay(WHOLE_DAY)

    assert wire.calls == ["Query", "UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"]


def test_asking_for_a_replay_of_a_type_costs_a_query_for_each_shard(application: Application, wire: Wire) -> None:
    application.request_replay(OF_A_TYPE)

    assert wire.calls == [*["Query"] * 4, "UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"]


def test_asking_for_a_replay_with_a_small_limit_counts_nothing(application: Application, wire: Wire) -> None:
    application.request_replay({**OF_A_TYPE, "max_messages": 100_000})

    assert wire.calls == ["UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"]


def test_asking_for_a_replay_under_a_key_costs_one_call_more_and_asking_again_two(
    application: Application, wire: Wire
) -> None:
    application.request_replay(WHOLE_DAY, **{"idempotency-key": "k"})
    assert wire.calls == ["GetItem", "Query", "UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"]
    application.plan()
    wire.mend()

    application.request_replay(WHOLE_DAY, **{"idempotency-key": "k"})

    assert wire.calls == ["GetItem", "Query"]


def test_looking_at_a_replay_costs_one_call_and_listing_one_more_than_there_are_on_the_page(
    application: Application, wire: Wire
) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    application.requested(**WHOLE_DAY)
    wire.mend()

    application.job(replay_id)
    assert wire.calls == ["Query"]
    application.get("/replay")

    assert wire.calls == ["Query"] * 4


def test_cancelling_a_replay_costs_two_calls(application: Application, wire: Wire) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    wire.mend()

    application.call("POST", f"/replay/{replay_id}/cancel")

    assert wire.calls == ["Query", "PutItem"]


def test_redriving_dead_letters_costs_two_calls(application: Application, wire: Wire) -> None:
    application.accept(paid())
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    wire.mend()

    application.call("POST", f"/replay/{replay_id}/redrive")

    assert wire.calls == ["Query", "SendMessage"]


def index_more_like_it(storage: Storage, count: int) -> None:
    """Put rows like the one that is indexed, as moto takes a minute for the transactions of so many events."""
    [row] = storage.index()
    for number in range(count):
        event_id = sha256(str(number).encode()).hexdigest()
        partition, _, _ = row["type_day"].rpartition("#")
        storage.put(
            "EVENTS_TABLE",
            {
                **row,
                "SK": keys.event(row["event_time"], event_id),
                "event_id": event_id,
                "type_day": f"{partition}#{keys.shard_of(event_id, 4)}",
            },
        )


def taken(attempt: Attempt) -> AWSResponse:
    """SQS takes every message of a batch; moto would look through all that it has for each."""
    entries = attempt.members["Entries"]
    answer = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""} for entry in entries]
    return attempt.answered(200, json.dumps({"Successful": answer}).encode())


class FewSecondsLeft:
    """What Lambda tells a planner that has just begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 45_000


@pytest.mark.parametrize("request_", [WHOLE_DAY, OF_A_TYPE], ids=["entity", "type over four shards"])
def test_sending_a_thousand_events_costs_a_tenth_of_a_call_for_each_and_thirteen_in_all(
    application: Application, storage: Storage, wire: Wire, monkeypatch: pytest.MonkeyPatch, request_: dict[str, str]
) -> None:
    from app import planner  # noqa: PLC0415  # not before the environment stands

    monkeypatch.setattr(plan, "SLICE_S", 3_600)  # however slow the machine is
    application.accept(paid())
    index_more_like_it(storage, 999)
    replay_id = application.requested(**request_)
    [found] = application.jobs.taken()
    wire.mend()
    wire.disturb(taken, "SendMessageBatch", times=ALWAYS)

    planner(sqs_event([found]), FewSecondsLeft())

    calls = wire.count()
    assert (application.job(replay_id)["state"], application.job(replay_id)["sent"]) == ("SENT", 1_000)
    assert application.jobs.counted()["ApproximateNumberOfMessages"] == "0"
    assert calls["SendMessageBatch"] == 100
    assert sum(calls.values()) <= 113, calls
