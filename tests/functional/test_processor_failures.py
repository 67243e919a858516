"""Messages that cannot be processed go back to the queue, and they alone, however the application was deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import SETTINGS
from tests.functional import ledger
from tests.functional.application import Application, Message, batched, message
from tests.functional.conftest import Logs
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Wire, cancelled, conflicting, fails_with, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}


def failures(response: Any) -> set[str]:
    return {failure["itemIdentifier"] for failure in response["batchItemFailures"]}


def changed(found: Message, **members: Any) -> Message:
    return message({**found.members, **members})


def bare(found: Message, **members: Any) -> Message:
    return message({name: found.members[name] for name in ("s3_bucket", "s3_key")} | members)


def without_member(found: Message, name: str) -> Message:
    return message({key: value for key, value in found.members.items() if key != name})


def tampered(storage: Storage, found: Message, before: bytes, after: bytes) -> Message:
    """The message, after its raw object was changed."""
    storage.overwrite(found.members["s3_key"], before, after)
    return found


WRONG: dict[str, Any] = {
    "no JSON": lambda storage, found: message("{"),
    "nothing": lambda storage, found: message(""),
    "nesting beyond any parser": lambda storage, found: message("[" * 100_000),
    "a number beyond any parser": lambda storage, found: message('{"replay_id": ' + "1" * 5_000 + "}"),
    "no object": lambda storage, found: message([found.members]),
    "no members": lambda storage, found: message({}),
    "a member missing": lambda storage, found: without_member(found, "content_sha256"),
    "a member of another type": lambda storage, found: changed(found, s3_offset="0"),
    "a hash that is none": lambda storage, found: changed(found, content_sha256="abc"),
    "a negative offset": lambda storage, found: changed(found, s3_offset=-1),
    "no length": lambda storage, found: changed(found, s3_length=0),
    "the wrong bucket": lambda storage, found: changed(found, s3_bucket="somebody-elses"),
    "a missing object": lambda storage, found: changed(found, s3_key=found.members["s3_key"] + ".gone"),
    "an offset beyond the object": lambda storage, found: changed(found, s3_offset=10_000_000),
    "an offset that is not a line's": lambda storage, found: changed(found, s3_offset=1),
    "a length that is not a line's": lambda storage, found: changed(found, s3_length=20),
    "another event's hash": lambda storage, found: changed(found, content_sha256="0" * 64),
    "another event's id": lambda storage, found: changed(found, event_id="0" * 64),
    "another entity": lambda storage, found: changed(found, entity_id="order-2"),
    "another time": lambda storage, found: changed(found, event_time=f"{DAY}T10:00:00.000000000Z"),
    "a tampered payload": lambda storage, found: tampered(storage, found, b'"number": 7', b'"number": 8'),
    "a tampered hash": lambda storage, found: tampered(storage, found, b'"content_sha256":"', b'"content_sha255":"'),
    "tampered metadata": lambda storage, found: tampered(storage, found, b'"entity_id":"', b'"entity_id":7,"x":"'),
    "a tampered end": lambda storage, found: tampered(storage, found, b"7}}}", b"7}} "),
    "bare: the wrong bucket": lambda storage, found: bare(found, s3_bucket="somebody-elses"),
    "bare: a missing object": lambda storage, found: bare(found, s3_key="raw/gone.ndjson"),
    "bare: more members": lambda storage, found: bare(found, version="1"),
    "bare: a tampered object": lambda storage, found: bare(tampered(storage, found, b'"number": 7', b'"number": 8')),
    "bare: an object in quarantine": lambda storage, found: bare(
        found, s3_key=next(iter(storage.objects("rejected/")))
    ),
}


@pytest.mark.usefixtures("partial_responses")
@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_a_message_that_is_wrong_fails_alone(application: Application, storage: Storage, spoil: Any) -> None:
    application.accept_all(paid_several(3))
    application.accept(paid(7))
    application.ingest({})
    replay_id, messages = application.planned(**WHOLE_DAY)
    *right, last = sorted(messages, key=lambda found: str(found.members["event_time"]))
    wrong = spoil(storage, last)

    response = application.process([right[0], wrong, *right[1:]])

    assert failures(response) == {wrong.message_id}
    assert [version["event_count"] for version in application.versions("order-1", DAY)] == [3]
    assert application.job(replay_id)["processed"] == 3
    assert application.job(replay_id)["state"] == "SENT"


SPOILT: dict[str, Json] = {
    "offset": {"s3_offset": 10_000_000},
    "length": {"s3_length": 1},
    "hash": {"content_sha256": "0" * 64},
}


@pytest.mark.usefixtures("partial_responses")
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_wrong_message_does_not_fail_the_others_of_its_object(application: Application, spoil: str) -> None:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    wrong = changed(messages[1], **SPOILT[spoil])

    response = application.process([messages[0], wrong, messages[2]])

    assert failures(response) == {wrong.message_id}
    assert application.versions("order-1", DAY)[0]["event_count"] == 2


@pytest.mark.usefixtures("partial_responses")
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_wrong_message_does_not_fail_a_reference_to_its_object_either(application: Application, spoil: str) -> None:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    wrong = changed(messages[1], **SPOILT[spoil])

    response = application.process([messages[0], wrong, bare(messages[0])])

    assert failures(response) == {wrong.message_id}
    assert sorted(version["event_count"] for version in application.versions("order-1", DAY)) == [1, 3]


@pytest.mark.usefixtures("partial_responses")
def test_of_a_tampered_object_only_the_tampered_line_fails(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(9))
    _, messages = application.planned(**WHOLE_DAY)
    ordered = sorted(messages, key=lambda found: str(found.members["event_time"]))
    storage.overwrite(ordered[6].members["s3_key"], b'"number": 7', b'"number": 1')

    response = application.process(messages)

    assert failures(response) == {ordered[6].message_id}
    assert application.versions("order-1", DAY)[0]["event_count"] == 8


@pytest.mark.usefixtures("partial_responses")
def test_a_batch_of_nothing_but_wrong_messages_fails_whole(application: Application) -> None:
    wrong = [message("{"), message("[]"), message('{"s3_bucket": "b"}')]

    assert failures(application.process(wrong)) == {found.message_id for found in wrong}


@pytest.mark.usefixtures("partial_responses")
@pytest.mark.parametrize("operation", ["GetObject", "BatchGetItem", "TransactWriteItems"])
def test_messages_that_aws_does_not_take_go_back_to_the_queue(
    application: Application, wire: Wire, operation: str
) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    wire.disturb(throttled, operation, times=ALWAYS)

    response = application.process(messages)

    assert failures(response) == {found.message_id for found in messages}
    wire.mend()
    assert application.process(messages) == {"batchItemFailures": []}
    assert application.job(replay_id)["processed"] == 3


@pytest.mark.usefixtures("partial_responses")
def test_an_aggregate_that_fails_does_not_fail_the_others_of_the_batch(application: Application, wire: Wire) -> None:
    application.accept_all([paid(1), paid(2, entity_id="order-2")])
    _, messages = application.planned(source="shop/checkout", event_type="order.paid", day=DAY)
    ordered = sorted(messages, key=lambda found: str(found.members["entity_id"]))
    # Refused with its neighbour, and then by itself.
    wire.disturb(fails_with(400, "ValidationException"), "TransactWriteItems", times=2)

    response = application.process(ordered)

    assert failures(response) == {ordered[0].message_id}
    assert application.versions("order-1", DAY) == []
    assert application.versions("order-2", DAY)[0]["event_count"] == 1


@pytest.mark.usefixtures("partial_responses")
def test_a_key_that_dynamodb_refuses_to_read_does_not_fail_the_others_of_the_batch(
    application: Application, wire: Wire
) -> None:
    application.accept_all([paid(1), paid(2, entity_id="order-2")])
    _, messages = application.planned(source="shop/checkout", event_type="order.paid", day=DAY)
    ordered = sorted(messages, key=lambda found: str(found.members["entity_id"]))
    wire.disturb(fails_with(400, "ValidationException"), "BatchGetItem", skip=1, times=2)

    response = application.process(ordered)

    assert failures(response) == {ordered[0].message_id}
    assert application.versions("order-2", DAY)[0]["event_count"] == 1


@pytest.mark.usefixtures("partial_responses")
def test_a_message_of_no_replay_fails_alone(application: Application) -> None:
    application.accept_all(paid_several(2))
    replay_id, [one, other] = application.planned(**WHOLE_DAY)
    stranger = changed(other, replay_id="00000000-0000-7000-8000-000000000000")
    no_key = changed(other, replay_id="r" * 3_000)

    response = application.process([one, stranger, no_key])

    assert failures(response) == {stranger.message_id, no_key.message_id}
    assert application.job(replay_id)["processed"] == 1


@pytest.mark.usefixtures("partial_responses")
def test_a_cancelled_replays_messages_are_dropped_unread(
    application: Application, storage: Storage, wire: Wire
) -> None:
    application.accept_all(paid_several(5))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])
    ledger.cancel(replay_id)
    wire.mend()

    for _ in range(2):
        assert application.process(messages) == {"batchItemFailures": []}

    assert "GetObject" not in wire.calls
    assert ledger.counts(storage, replay_id) == {"processed": 2, "dropped": 3}
    assert ledger.outcomes(storage, replay_id) == {"INPUT": 2, "DROPPED": 3}
    assert application.versions("order-1", DAY)[0]["event_count"] == 2


@pytest.mark.usefixtures("partial_responses")
def test_a_cancel_leaves_other_replays_alone(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(2))
    cancelled_id, messages = application.planned(**WHOLE_DAY)
    other_id, others = application.planned(**WHOLE_DAY)
    ledger.cancel(cancelled_id)

    application.process([*messages, *others])

    assert ledger.counts(storage, cancelled_id) == {"dropped": 2}
    assert ledger.counts(storage, other_id) == {"processed": 2}
    assert [version["replay_id"] for version in application.versions("order-1", DAY)] == [other_id]


@pytest.mark.usefixtures("partial_responses")
@pytest.mark.parametrize("effect", [conflicting, cancelled("ConditionalCheckFailed")])
def test_an_aggregate_that_others_never_stop_changing_goes_back_to_the_queue(
    application: Application, wire: Wire, effect: Any
) -> None:
    application.accept_all(paid_several(2))
    _, messages = application.planned(**WHOLE_DAY)
    wire.disturb(effect, "TransactWriteItems", times=ALWAYS)

    response = application.process(messages)

    assert failures(response) == {found.message_id for found in messages}
    assert application.versions("order-1", DAY) == []


# Where no partial response is understood


def test_without_partial_responses_a_batch_that_went_well_is_answered_as_such(application: Application) -> None:
    application.accept_all(paid_several(2))
    _, messages = application.planned(**WHOLE_DAY)

    assert application.process(messages) == {"batchItemFailures": []}


def test_without_partial_responses_the_invocation_fails_and_exactly_the_processed_messages_are_deleted(
    application: Application,
) -> None:
    application.accept_all(paid_several(3))
    gone = json.dumps({"s3_bucket": SETTINGS["RAW_BUCKET"], "s3_key": "raw/gone.ndjson"})
    replay_id, received = application.received_beside("{", gone, **WHOLE_DAY)
    assert len(received) == 5

    with pytest.raises(Exception, match="2 of 5 messages failed and go back to the queue"):
        application.process(received)

    application.messages.given_back(received)
    left = {found.body for found in application.messages.received()}
    wrong = {found.body for found in received if "event_id" not in found.body}
    assert left == wrong
    assert len(left) == 2
    assert application.job(replay_id)["processed"] == 3


def test_without_partial_responses_a_batch_that_fails_whole_loses_nothing(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(3))
    application.requested(**WHOLE_DAY)
    application.plan()
    received = application.messages.received()
    wire.disturb(throttled, "GetObject", times=ALWAYS)

    with pytest.raises(Exception, match="3 of 3 messages failed"):
        application.process(received)

    application.messages.given_back(received)
    assert sorted(found.body for found in application.messages.received()) == sorted(found.body for found in received)


def test_without_partial_responses_messages_that_cannot_be_deleted_are_delivered_again_and_count_once(
    application: Application, wire: Wire
) -> None:
    application.accept_all(paid_several(3))
    replay_id, received = application.received_beside("{", **WHOLE_DAY)
    wire.disturb(throttled, "DeleteMessageBatch", times=ALWAYS)
    with pytest.raises(Exception, match="acknowledging messages"):
        application.process(received)
    wire.mend()

    application.messages.given_back(received)
    again = application.messages.received()
    with pytest.raises(Exception, match="1 of 4 messages failed"):
        application.process(again)

    assert len(again) == 4
    assert application.job(replay_id)["processed"] == 3


@pytest.mark.usefixtures("partial_responses")
def test_failed_messages_that_come_again_are_counted_with_those_that_went_well_before(
    application: Application, wire: Wire, logs: Logs
) -> None:
    application.accept_all(paid_several(12))
    replay_id, messages = application.planned(**WHOLE_DAY)
    todo = list(messages)
    wire.disturb(throttled, "TransactWriteItems", times=3)
    deliveries = 0

    while todo:
        failed: set[str] = set()
        for batch in batched(todo, 5):
            failed |= failures(application.process(batch))
            deliveries += len(batch)
        todo = [found for found in todo if found.message_id in failed]

    assert deliveries == 17
    assert len(logs.lines("message failed")) == 5
    assert application.job(replay_id)["processed"] == 12
    assert application.versions("order-1", DAY)[0]["event_count"] == 12
