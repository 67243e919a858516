"""The processor: aggregates are exact however messages are batched, repeated, reordered and processed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest

from tests.functional import ledger
from tests.functional.application import Application, Message, batched, message
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.recomputed import aggregate, inputs_of, said
from tests.functional.storage import Row, Storage
from tests.functional.wire import (
    Effect,
    Killed,
    Wire,
    answer_lost,
    broken,
    cancelled,
    killed_after,
    killed_before,
    never_arrives,
    preceded_by,
    throttled,
)

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}

ALL_WELL: Json = {"batchItemFailures": []}


def assert_counts(
    application: Application, storage: Storage, replay_id: str, events: Sequence[Row], entity_id: str = "order-1"
) -> None:
    """The version of a replay is that of exactly these index rows, and so are its inputs."""
    [version] = [version for version in application.versions(entity_id, DAY) if version["replay_id"] == replay_id]
    inputs = inputs_of(storage.rows("AGGREGATES_TABLE"), entity_id, DAY, replay_id)
    assert {row["event_id"] for row in inputs} == {row["event_id"] for row in events}
    assert said(version) == aggregate(inputs) == aggregate(events)


# Batches, order, repetition


def in_order(messages: Sequence[Message]) -> list[Message]:
    return list(messages)


def in_reverse(messages: Sequence[Message]) -> list[Message]:
    return list(reversed(messages))


@pytest.mark.parametrize("order", [in_order, in_reverse])
@pytest.mark.parametrize("sizes", [(10, 2), (2, 10), (1,), (5, 5, 2)])
def test_twelve_messages_delivered_twice_in_any_batches_are_value_twelve_in_one_version(
    application: Application,
    storage: Storage,
    order: Callable[[Sequence[Message]], list[Message]],
    sizes: tuple[int, ...],
) -> None:
    application.accept_all(paid_several(12))
    replay_id, messages = application.planned(**WHOLE_DAY)
    batches = list(batched(order(messages), *sizes))

    for batch in [*batches, *batches]:
        assert application.process(batch) == ALL_WELL

    assert len(application.versions("order-1", DAY)) == 1
    assert application.job(replay_id)["processed"] == 12
    assert_counts(application, storage, replay_id, storage.index())


def test_a_message_that_is_in_a_batch_several_times_counts_once(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(2))
    replay_id, [one, other] = application.planned(**WHOLE_DAY)
    repeated = [message(found.body) for found in (one, other, one, one, other)]

    assert application.process(repeated) == ALL_WELL

    assert application.job(replay_id)["processed"] == 2
    assert_counts(application, storage, replay_id, storage.index())


def test_replays_entities_and_days_may_be_mixed_in_a_batch(application: Application, storage: Storage) -> None:
    application.accept_all(
        [
            *(paid(number, entity_id=f"order-{number % 2}") for number in range(6)),
            paid(9, entity_id="order-1", event_time=f"{NEXT_DAY}T00:00:00Z"),
        ]
    )
    two_days = {"start_time": f"{DAY}T00:00:00Z", "end_time": "2023-07-02T00:00:00Z"}
    first, messages = application.planned(**BY_TYPE)
    second, more = application.planned(entity_id="order-1", **two_days)
    mixed = [*messages, *more]
    random.Random(7).shuffle(mixed)

    for batch in batched(mixed, 10):
        assert application.process(batch) == ALL_WELL

    rows = storage.index()
    of_day = {
        name: [row for row in rows if row["entity_id"] == name and row["event_time"] < NEXT_DAY]
        for name in ("order-0", "order-1")
    }
    assert_counts(application, storage, first, of_day["order-0"], "order-0")
    assert_counts(application, storage, first, of_day["order-1"], "order-1")
    assert_counts(application, storage, second, of_day["order-1"], "order-1")
    assert [version["event_count"] for version in application.versions("order-1", NEXT_DAY)] == [1]
    assert (application.job(first)["processed"], application.job(second)["processed"]) == (6, 4)


def test_the_samples_are_the_ten_earliest_whatever_came_first(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(13))
    replay_id, messages = application.planned(**WHOLE_DAY)

    for batch in batched(in_reverse(messages), 4):
        application.process(batch)

    [version] = application.versions("order-1", DAY)
    by_time = [row["event_id"] for row in sorted(storage.index(), key=lambda row: str(row["event_time"]))]
    assert version["sample_event_ids"] == by_time[:10]
    assert_counts(application, storage, replay_id, storage.index())


def test_an_id_that_came_back_after_its_identity_expired_is_an_input_of_its_own(
    application: Application, storage: Storage
) -> None:
    first = application.accept(paid(1, idempotency_key="k"))
    storage.forget(first["event_id"])
    again = application.accept(paid(2, idempotency_key="k"))
    assert again["event_id"] == first["event_id"]
    _, messages = application.planned(**WHOLE_DAY)

    application.process(messages[:1])
    application.process(messages)

    [version] = application.versions("order-1", DAY)
    assert version["event_count"] == 2


def test_types_are_counted_apart(application: Application) -> None:
    application.accept_all([paid(1), paid(2), paid(3, event_type="order.refunded"), paid(4, event_type="a#b%c")])

    application.replayed(**WHOLE_DAY)

    [version] = application.versions("order-1", DAY)
    assert version["counts_by_type"] == {"a#b%c": 1, "order.paid": 2, "order.refunded": 1}


def test_an_empty_batch_changes_nothing(application: Application, storage: Storage) -> None:
    before = storage.everything()

    assert application.process([]) == ALL_WELL
    assert storage.everything() == before


def test_messages_that_were_counted_write_nothing_more(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    application.process(messages)
    before = storage.everything()

    application.process(in_reverse(messages))

    assert storage.everything() == before


def test_members_that_a_message_has_beyond_the_contract_are_left_alone(application: Application) -> None:
    application.accept(paid())
    _, [found] = application.planned(**WHOLE_DAY)

    assert application.process([message({**found.members, "trace": "abc"})]) == ALL_WELL
    assert application.versions("order-1", DAY)[0]["event_count"] == 1


# Other writers, and failures on the way


def test_an_aggregate_that_another_processor_changed_in_between_is_merged_with(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all(paid_several(12))
    replay_id, messages = application.planned(**WHOLE_DAY)
    parts = [list(part) for part in batched(messages, 4)]
    wire.disturb(preceded_by(lambda: application.process(parts[1])), "TransactWriteItems")
    wire.disturb(preceded_by(lambda: application.process(parts[2])), "TransactWriteItems", skip=1)

    assert application.process(parts[0]) == ALL_WELL

    assert application.job(replay_id)["processed"] == 12
    assert_counts(application, storage, replay_id, storage.index())


def test_messages_that_another_processor_handles_at_the_same_time_count_once(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all(paid_several(5))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(preceded_by(lambda: application.process(messages[1:4])), "TransactWriteItems")

    assert application.process(messages) == ALL_WELL

    assert application.job(replay_id)["processed"] == 5
    assert_counts(application, storage, replay_id, storage.index())


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError"])
def test_an_aggregate_whose_transaction_met_others_is_written_again(
    application: Application, storage: Storage, wire: Wire, reason: str
) -> None:
    application.accept_all(paid_several(5))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(cancelled(reason), "TransactWriteItems", times=4)

    assert application.process(messages) == ALL_WELL

    assert_counts(application, storage, replay_id, storage.index())


CALLS = ["BatchGetItem", "GetObject", "BatchGetItem", "TransactWriteItems"]


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("failure", [never_arrives, answer_lost, throttled, broken])
def test_one_failed_call_is_retried_and_everything_counts_once(
    application: Application, storage: Storage, wire: Wire, call: int, failure: Effect
) -> None:
    application.accept_all(paid_several(4))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(failure, skip=call)
    wire.calls.clear()

    assert application.process(messages) == ALL_WELL

    assert wire.calls[call] == CALLS[call]
    assert wire.calls[call + 1] == CALLS[call], "the client tries again"

    assert application.job(replay_id)["processed"] == 4
    assert_counts(application, storage, replay_id, storage.index())


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("end", [killed_before, killed_after])
def test_a_processor_that_ends_between_two_calls_counts_everything_once_when_it_is_called_again(
    application: Application, storage: Storage, wire: Wire, call: int, end: Effect
) -> None:
    application.accept_all([*paid_several(3), *(paid(number, entity_id="order-2") for number in (4, 5))])
    replay_id, messages = application.planned(**BY_TYPE)
    wire.disturb(end, skip=call)
    with pytest.raises(Killed):
        application.process(messages)

    assert application.process(messages) == ALL_WELL

    assert application.job(replay_id)["processed"] == 5
    for entity_id, rows in itertools.groupby(storage.index(), key=lambda row: str(row["entity_id"])):
        assert_counts(application, storage, replay_id, list(rows), entity_id)


def test_two_processors_that_handle_the_same_messages_at_the_same_time_count_them_once(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all([*paid_several(3), *(paid(number, entity_id="order-2") for number in (4, 5))])
    replay_id, messages = application.planned(**BY_TYPE)
    for call in range(4):
        wire.disturb(preceded_by(lambda: application.process(messages)), skip=call)

    assert application.process(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 5}
    for entity_id, rows in itertools.groupby(storage.index(), key=lambda row: str(row["entity_id"])):
        assert_counts(application, storage, replay_id, list(rows), entity_id)


def test_an_aggregate_that_others_changed_is_not_read_again_as_the_refusal_says_how_it_is(
    application: Application, wire: Wire
) -> None:
    application.accept_all(paid_several(4))
    _, messages = application.planned(**WHOLE_DAY)
    wire.disturb(preceded_by(lambda: application.process(messages[:2])), "TransactWriteItems")
    wire.calls.clear()

    application.process(messages[2:])

    assert wire.calls == [*CALLS, *CALLS, "TransactWriteItems"]


# Later arrivals


def later_arrival(found: Message, position: int) -> Message:
    duplicate = {"ingest_time": f"{DAY}T11:00:00.000000000Z", "request_id": "again#1", "position": position}
    return message({**found.members, "duplicate": duplicate})


def test_messages_of_later_arrivals_are_processed_once_each_and_are_no_inputs(
    application: Application, storage: Storage
) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    repeated = [later_arrival(messages[0], position) for position in (0, 1)]

    for batch in (repeated, messages, [*repeated, *messages]):
        assert application.process(batch) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 4}
    assert ledger.outcomes(storage, replay_id) == {"INPUT": 2, "DUPLICATE": 2}
    assert_counts(application, storage, replay_id, storage.index())
    listed = application.get("/aggregates/inputs", entity_id="order-1", day=DAY, replay_id=replay_id).json_body
    assert len(listed["items"]) == 2


@pytest.mark.usefixtures("partial_responses")
def test_a_later_arrival_whose_raw_event_was_changed_fails(application: Application, storage: Storage) -> None:
    application.accept(paid(7))
    replay_id, [found] = application.planned(**WHOLE_DAY)
    storage.overwrite(found.members["s3_key"], b'"number": 7', b'"number": 8')
    repeated = later_arrival(found, 0)

    assert application.process([repeated]) == {"batchItemFailures": [{"itemIdentifier": repeated.message_id}]}
    assert ledger.counts(storage, replay_id) == {}


# Whole objects


def reference(key: str, bucket: str = "retrace-test-raw") -> Message:
    return message({"s3_bucket": bucket, "s3_key": key})


def test_a_reference_to_an_object_counts_every_event_in_it_by_entity_and_day(
    application: Application, storage: Storage
) -> None:
    results = application.accept_all([*paid_several(3), paid(4, entity_id="order-2")])

    assert application.process([reference(results[0]["s3_key"])]) == ALL_WELL

    [version] = application.versions("order-1", DAY)
    [other] = application.versions("order-2", DAY)
    assert version["replay_id"] == other["replay_id"]
    assert other["event_count"] == 1
    rows = [row for row in storage.index() if row["entity_id"] == "order-1"]
    assert_counts(application, storage, version["replay_id"], rows)
    assert storage.rows("REPLAYS_TABLE") == []


def test_a_reference_delivered_again_is_the_same_version(application: Application, storage: Storage) -> None:
    key = application.accept_all(paid_several(3))[0]["s3_key"]
    application.process([reference(key), reference(key)])
    before = storage.everything()

    application.process([reference(key)])

    assert len(application.versions("order-1", DAY)) == 1
    assert storage.everything() == before


def test_references_to_two_objects_are_two_versions(application: Application) -> None:
    one = application.accept_all(paid_several(2))[0]["s3_key"]
    other = application.accept(paid(3))["s3_key"]

    application.process([reference(one), reference(other)])

    assert sorted(version["event_count"] for version in application.versions("order-1", DAY)) == [1, 2]


def test_a_reference_and_messages_for_the_same_object_may_share_a_batch(
    application: Application, storage: Storage
) -> None:
    key = application.accept_all(paid_several(4))[0]["s3_key"]
    replay_id, messages = application.planned(**WHOLE_DAY)

    assert application.process([*messages[:2], reference(key), *messages[2:]]) == ALL_WELL

    assert [version["event_count"] for version in application.versions("order-1", DAY)] == [4, 4]
    assert_counts(application, storage, replay_id, storage.index())


def test_an_object_with_more_events_of_one_entity_than_a_transaction_holds_is_counted_whole(
    application: Application, storage: Storage
) -> None:
    key = application.accept_all(paid_several(100))[0]["s3_key"]

    assert application.process([reference(key)]) == ALL_WELL

    [version] = application.versions("order-1", DAY)
    assert version["event_count"] == 100
    assert_counts(application, storage, version["replay_id"], storage.index())
