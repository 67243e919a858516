"""Dead letters: counted once, kept, and sent back on demand, whatever ends or interferes between any two AWS calls."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.timestamps import Instant
from chalicelib.processing.dead_letters import RedriveDeadLetters
from chalicelib.replays.ports import Redriven
from chalicelib.runtime import consumer_wiring, replay_wiring, system
from tests.conftest import SETTINGS
from tests.functional import ledger
from tests.functional.application import Application, Message, message
from tests.functional.conftest import Logs
from tests.functional.events import DAY, NEXT_DAY, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import (
    ALWAYS,
    Effect,
    Killed,
    Wire,
    answer_lost,
    cancelled,
    conflicting,
    fails_with,
    killed_after,
    killed_before,
    preceded_by,
    throttled,
)

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
ALL_WELL: Any = {"batchItemFailures": []}

RECORDING = ["BatchGetItem", "BatchGetItem", "TransactWriteItems", "GetObject", "SendMessageBatch"]
REDRIVING = [
    "ReceiveMessage",
    "BatchGetItem",
    "TransactWriteItems",
    "SendMessageBatch",
    "DeleteMessageBatch",
    "ReceiveMessage",
]


def redriven(replay_id: str, time_left_ms: int = 45_000) -> Redriven:
    """One slice of a redrive."""
    return redriving_aggregates().redrive_slice(replay_id, lambda: time_left_ms, 60)


def redriving_aggregates() -> RedriveDeadLetters:
    """What sends the processor's dead letters back."""
    redriving = consumer_wiring.redrive_dead_letters(replay_wiring.destinations().named("aggregates"))
    assert redriving is not None
    return redriving


def resting(application: Application) -> list[str]:
    """The bodies of all dead letters."""
    application.dead.a_minute_later()
    return sorted(found.body for found in application.dead.received())


def bodies(messages: list[Message]) -> list[str]:
    return sorted(found.body for found in messages)


# Recording


def test_a_message_that_was_received_too_often_is_counted_as_failed_and_kept(
    application: Application, storage: Storage
) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])

    assert application.give_up_on(messages[2:]) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 2, "failed": 1}
    assert ledger.outcome_of(storage, messages[2]) == "FAILED"
    assert resting(application) == bodies(messages[2:])
    assert application.versions("order-1", DAY)[0]["event_count"] == 2


def test_a_message_that_was_processed_before_it_came_to_the_dead_letters_is_neither_counted_nor_kept(
    application: Application, storage: Storage
) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    ledger.cancel(replay_id)
    application.process(messages[1:2])

    assert application.give_up_on(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 1, "dropped": 1, "failed": 1}
    assert resting(application) == bodies(messages[2:])


def test_what_is_no_message_of_a_replay_is_kept_and_counted_for_no_replay(
    application: Application, storage: Storage
) -> None:
    application.accept(paid())
    replay_id, [found] = application.planned(**WHOLE_DAY)
    strangers = [
        message("{"),
        message({"s3_bucket": SETTINGS["RAW_BUCKET"], "s3_key": "raw/gone.ndjson"}),
        message({**found.members, "replay_id": "00000000-0000-7000-8000-000000000000"}),
        message({**found.members, "entity_id": "e" * 3_000}),
        message({**found.members, "event_time": "yesterday"}),
    ]

    assert application.give_up_on(strangers) == ALL_WELL

    assert resting(application) == bodies(strangers)
    assert ledger.counts(storage, replay_id) == {}
    assert storage.rows("AGGREGATES_TABLE") == []


def test_an_empty_batch_of_dead_letters_costs_nothing(application: Application, wire: Wire) -> None:
    assert application.give_up_on([]) == ALL_WELL
    assert wire.calls == []


@pytest.mark.parametrize("call", range(5))
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost])
def test_a_recording_that_ends_between_two_calls_counts_once_and_keeps_everything_when_it_is_called_again(
    application: Application, storage: Storage, wire: Wire, call: int, effect: Effect
) -> None:
    application.accept_all([*paid_several(2), paid(3, entity_id="order-2")])
    replay_id, messages = application.planned(**BY_TYPE)
    wire.disturb(effect, skip=call)
    wire.calls.clear()
    if effect is answer_lost:
        application.give_up_on(messages)
    else:
        with pytest.raises(Killed):
            application.give_up_on(messages)
    assert wire.calls[call] == RECORDING[call]

    assert application.give_up_on(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"failed": 3}
    assert set(resting(application)) == set(bodies(messages))


@pytest.mark.parametrize("effect", [conflicting, cancelled("ConditionalCheckFailed"), cancelled("ThrottlingError")])
def test_a_recording_that_meets_others_is_written_again(
    application: Application, storage: Storage, wire: Wire, effect: Effect
) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(effect, "TransactWriteItems", times=4)

    assert application.give_up_on(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"failed": 3}


@pytest.mark.usefixtures("partial_responses")
def test_a_message_that_cannot_be_recorded_comes_again_alone(application: Application, wire: Wire) -> None:
    application.accept_all([paid(1), paid(2, entity_id="order-2")])
    _, messages = application.planned(**BY_TYPE)
    one, other = sorted(messages, key=lambda found: str(found.members["entity_id"]))
    wire.disturb(fails_with(400, "ValidationException"), "TransactWriteItems", times=2)

    assert application.give_up_on([one, other]) == {"batchItemFailures": [{"itemIdentifier": one.message_id}]}

    assert resting(application) == [other.body]


@pytest.mark.parametrize("operation", ["BatchGetItem", "SendMessageBatch"])
def test_dead_letters_that_aws_does_not_take_come_again(application: Application, wire: Wire, operation: str) -> None:
    application.accept_all(paid_several(2))
    _, messages = application.planned(**WHOLE_DAY)
    wire.disturb(throttled, operation, times=ALWAYS)

    with pytest.raises(Exception, match="AWS did not take a call"):
        application.give_up_on(messages)


def test_without_partial_responses_the_recorded_ones_are_deleted_from_the_queue_they_came_from(
    application: Application, wire: Wire
) -> None:
    application.accept_all([paid(1), paid(2, entity_id="order-2")])
    _, messages = application.planned(**BY_TYPE)
    for found in sorted(messages, key=lambda found: str(found.members["entity_id"])):
        application.failures.send(found.body)
    received = application.failures.received()
    wire.disturb(fails_with(400, "ValidationException"), "TransactWriteItems", times=2)

    with pytest.raises(Exception, match="1 of 2 messages failed"):
        application.give_up_on(received)

    application.failures.given_back(received)
    assert [found.members["entity_id"] for found in application.failures.received()] == ["order-1"]


# Processing and recording at the same time


def test_a_message_that_is_processed_while_it_is_given_up_on_counts_as_processed(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(preceded_by(lambda: application.process(messages[:1])), "TransactWriteItems")

    assert application.give_up_on(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 1, "failed": 1}
    assert resting(application) == bodies(messages[1:])


def test_a_message_that_is_given_up_on_while_it_is_processed_counts_as_processed(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(preceded_by(lambda: application.give_up_on(messages[:1])), "TransactWriteItems")

    assert application.process(messages) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"processed": 2}
    assert application.versions("order-1", DAY)[0]["event_count"] == 2
    application.dead.a_minute_later()
    assert redriven(replay_id) == Redriven(moved=0, came_through=True)
    assert resting(application) == []
    assert ledger.counts(storage, replay_id) == {"processed": 2}


def test_a_job_says_by_when_its_last_dead_letter_has_expired(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    assert application.job(replay_id)["dead_letters_until"] is None
    for day, found in (("02", messages[0]), ("01", messages[1])):
        monkeypatch.setattr(system, "now", lambda day=day: Instant(f"2043-01-{day}T00:00:00.000000000Z"))
        application.give_up_on([found])

    job = application.job(replay_id)

    assert job["dead_letters_until"] == "2043-01-16T01:00:00.000000000Z"
    assert f"the last of these by {job['dead_letters_until']}: then replay again." in job["advice"]
    redriven(replay_id)
    assert application.job(replay_id)["dead_letters_until"] is None


# Redriving


def test_a_redriven_message_is_processed_and_no_longer_counted_as_failed(
    application: Application, storage: Storage
) -> None:
    application.accept_all(paid_several(13))
    replay_id, messages = application.planned(**WHOLE_DAY)
    for batch in (messages[:10], messages[10:]):
        application.give_up_on(batch)
    assert ledger.counts(storage, replay_id) == {"failed": 13}

    assert redriven(replay_id) == Redriven(moved=13, came_through=True)

    assert ledger.counts(storage, replay_id) == {}
    assert resting(application) == []
    back = application.messages.taken()
    assert bodies(back) == bodies(messages)
    assert application.process(back) == ALL_WELL
    assert ledger.counts(storage, replay_id) == {"processed": 13}
    assert application.versions("order-1", DAY)[0]["event_count"] == 13


def test_a_redrive_leaves_the_messages_of_others(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    other_id, others = application.planned(**WHOLE_DAY)
    application.give_up_on([*others, *messages, message("{")])

    assert redriven(replay_id).moved == 2

    assert bodies(application.messages.taken()) == bodies(messages)
    assert resting(application) == sorted([*bodies(others), "{"])
    assert ledger.counts(storage, other_id) == {"failed": 2}


def test_a_redrive_whose_time_runs_short_says_that_there_is_more(application: Application) -> None:
    application.accept_all(paid_several(13))
    replay_id, messages = application.planned(**WHOLE_DAY)
    for batch in (messages[:10], messages[10:]):
        application.give_up_on(batch)

    first = redriven(replay_id, time_left_ms=1_000)
    second = redriven(replay_id)

    assert not first.came_through
    assert second.came_through
    assert first.moved + second.moved == 13


def test_a_redriven_message_that_fails_again_is_counted_again(application: Application, storage: Storage) -> None:
    application.accept(paid(7))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    redriven(replay_id)

    application.give_up_on(application.messages.taken())

    assert ledger.counts(storage, replay_id) == {"failed": 1}
    assert resting(application) == bodies(messages)


def test_a_redriven_message_of_a_cancelled_replay_is_dropped(application: Application, storage: Storage) -> None:
    application.accept(paid(7))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    ledger.cancel(replay_id)
    redriven(replay_id)

    assert application.process(application.messages.taken()) == ALL_WELL

    assert ledger.counts(storage, replay_id) == {"dropped": 1}


@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost])
def test_a_redrive_that_ends_between_two_calls_moves_everything_when_it_is_asked_for_again(
    application: Application, storage: Storage, wire: Wire, call: int, effect: Effect
) -> None:
    application.accept_all([*paid_several(2), paid(3, entity_id="order-2")])
    replay_id, messages = application.planned(**BY_TYPE)
    application.give_up_on(messages)
    wire.disturb(effect, skip=call)
    wire.calls.clear()
    if effect is answer_lost:
        redriven(replay_id)
    else:
        with pytest.raises(Killed):
            redriven(replay_id)
    assert wire.calls[call] == REDRIVING[call]
    application.dead.a_minute_later()

    redriven(replay_id)

    assert ledger.counts(storage, replay_id) == {}
    assert resting(application) == []
    back = application.messages.taken()
    assert set(bodies(back)) == set(bodies(messages))
    assert application.process(back) == ALL_WELL
    assert ledger.counts(storage, replay_id) == {"processed": 3}


@pytest.mark.parametrize(
    "operation", ["ReceiveMessage", "TransactWriteItems", "SendMessageBatch", "DeleteMessageBatch"]
)
def test_a_redrive_that_aws_does_not_take_fails_and_loses_nothing(
    application: Application, storage: Storage, wire: Wire, operation: str
) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    wire.disturb(throttled, operation, times=ALWAYS)
    with pytest.raises(Exception, match="AWS did not take a call"):
        redriven(replay_id)
    wire.mend()
    application.dead.a_minute_later()

    redriven(replay_id)

    assert set(bodies(application.messages.taken())) == set(bodies(messages))
    assert ledger.counts(storage, replay_id) == {}


def test_an_empty_answer_of_the_dead_letter_queue_means_that_it_is_empty(resources: dict[str, Any]) -> None:
    # With short polling it does not: SQS then asks only some of its servers.
    assert resources["DeadLetterQueue"]["Properties"]["ReceiveMessageWaitTimeSeconds"] >= 1


# What is listed and logged


def test_messages_that_are_no_inputs_are_not_listed_as_such(application: Application) -> None:
    application.accept_all(paid_several(4))
    replay_id, messages = application.planned(**WHOLE_DAY)
    *failed, last = sorted(messages, key=lambda found: str(found.members["event_time"]))
    application.give_up_on(failed)
    application.process([last])
    asked = {"entity_id": "order-1", "day": DAY, "replay_id": replay_id, "limit": "2"}

    first = application.get("/aggregates/inputs", **asked).json_body
    second = application.get("/aggregates/inputs", **asked, cursor=first["cursor"]).json_body

    assert first["items"] == []
    assert [listed["event_id"] for listed in second["items"]] == [last.members["event_id"]]
    event = application.get(f"/events/{failed[0].members['event_id']}").json_body
    assert event["aggregates"] == []


@pytest.mark.parametrize("limit", ["1", "2", "3", "100"])
def test_a_version_whose_messages_all_failed_does_not_exist(application: Application, limit: str) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)

    asked = {"entity_id": "order-1", "day": DAY, "replay_id": replay_id, "limit": limit}
    assert application.get("/aggregates/inputs", **asked).status_code == 404
    assert application.versions("order-1", DAY) == []


def test_a_dead_letter_is_logged_with_its_ids(application: Application, logs: Logs) -> None:
    application.accept(paid())
    replay_id, [found] = application.planned(**WHOLE_DAY)
    unreadable = message("{")

    application.give_up_on([found, unreadable])

    entry, other = logs.lines("message is a dead letter")
    assert (entry["message_id"], entry["replay_id"]) == (found.message_id, replay_id)
    assert entry["event_ids"] == [found.members["event_id"]]
    assert other["message_id"] == unreadable.message_id


def delayed(application: Application) -> int:
    """How many tasks of planners wait for their time."""
    return int(application.jobs.counted()["ApproximateNumberOfMessagesDelayed"])


def test_a_redrive_whose_dead_letters_another_redrive_hides_is_planned_again_until_it_has_them(
    application: Application,
) -> None:
    application.accept(paid())
    (first, [one]), (second, [other]) = (application.planned(**WHOLE_DAY) for _ in range(2))
    application.give_up_on([one, other])
    before = delayed(application)
    for replay_id in (first, second):
        assert application.call("POST", f"/replay/{replay_id}/redrive").status_code == 202
    application.plan()

    assert bodies(application.messages.taken()) == [one.body]
    assert delayed(application) == before + 1

    application.dead.a_minute_later()
    application.call_planner(message({"redrive": second, "looks": 1}))

    assert bodies(application.messages.taken()) == [other.body]
    assert application.job(second)["failed"] == 0
    assert delayed(application) == before + 1


def test_a_redrive_looks_for_dead_letters_that_are_gone_a_few_times_and_logs_how_many_it_did_not_find(
    application: Application, logs: Logs
) -> None:
    application.accept(paid())
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    application.dead.taken()  # as SQS does after fourteen days
    before = delayed(application)

    application.call_planner(message({"redrive": replay_id, "looks": 1}))
    assert delayed(application) == before + 1
    assert logs.lines("dead letters were not found") == []
    application.call_planner(message({"redrive": replay_id, "looks": 0}))
    assert delayed(application) == before + 1
    [logged] = logs.lines("dead letters were not found")
    assert (logged["replay_id"], logged["failed"]) == (replay_id, 1)
