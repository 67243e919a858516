"""An ingest that fails at any AWS call: nothing is acknowledged that is not stored, and sending again completes it."""

from __future__ import annotations

import json

import pytest
from chalice.test import HTTPResponse

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import Application
from tests.functional.events import NEXT_DAY, Json, paid
from tests.functional.storage import Storage, assert_holds, assert_sound
from tests.functional.wire import (
    ALWAYS,
    Effect,
    Killed,
    Wire,
    answer_lost,
    broken,
    cancelled,
    conflicting,
    fails_with,
    killed_after,
    killed_before,
    never_arrives,
    none_found,
    none_read,
    none_written,
    one_left_unread,
    one_left_unwritten,
    preceded_by,
    throttled,
)

SINGLE = paid(1)
CALLS_OF_SINGLE = ["BatchGetItem", "PutObject", "BatchGetItem", "PutItem", "TransactWriteItems"]
"""The first event of its source and type, so two calls for these."""

KNOWN = paid(2)
KEYED = paid(3, idempotency_key="payment-3")
NEW = [paid(5), paid(6, event_time=f"{NEXT_DAY}T10:00:00Z")]
BATCH: list[Json] = [NEW[0], KNOWN, paid(4, idempotency_key="payment-3"), NEW[1], {}, NEW[0]]
"""Two days, so two raw objects; two refusals, so two objects in quarantine; and arrivals to record."""
CALLS_OF_BATCH = [
    "BatchGetItem",
    "PutObject",
    "PutObject",
    "TransactWriteItems",
    "PutObject",
    "PutObject",
    "BatchWriteItem",
]

FAILURES: dict[str, Effect] = {
    "never arrives": never_arrives,
    "answer lost": answer_lost,
    "throttled": throttled,
    "broken": broken,
}
ENDS: dict[str, Effect] = {"killed before": killed_before, "killed after": killed_after}

each_failure = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def each_call(calls: list[str]) -> pytest.MarkDecorator:
    """How many calls go well before one does not."""
    return pytest.mark.parametrize("skip", range(len(calls)), ids=calls)


def assert_nothing_acknowledged(response: HTTPResponse) -> None:
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json_body["title"] == "Service Unavailable"
    assert "results" not in response.json_body


def assert_no_row_without_its_raw_object(storage: Storage) -> None:
    assert_sound(storage)


def assert_taken_in(response: HTTPResponse) -> None:
    assert response.json_body["status"] in ("ACCEPTED", "DUPLICATE")
    assert response.status_code == {"ACCEPTED": 201, "DUPLICATE": 200}[response.json_body["status"]]


def assert_batch_taken_in(response: HTTPResponse, storage: Storage) -> None:
    new, known, conflict, other_new, rejected, again = response.json_body["results"]
    assert response.status_code == 200
    assert {new["status"], other_new["status"]} <= {"ACCEPTED", "DUPLICATE"}
    assert (known["status"], again["status"]) == ("DUPLICATE", "DUPLICATE")
    assert (conflict["status"], rejected["status"]) == ("CONFLICT", "REJECTED")
    for refused in (conflict, rejected):
        assert storage.quarantined(refused["rejected_id"])["errors"] == refused["errors"]
    assert_holds(storage, KNOWN, KEYED, *NEW)


@pytest.fixture
def known(application: Application, wire: Wire) -> None:
    """What the batch meets."""
    application.accept_all([KNOWN, KEYED])
    wire.mend()


def test_a_single_ingest_makes_these_calls(application: Application, wire: Wire) -> None:
    application.accept(SINGLE)

    assert wire.calls == CALLS_OF_SINGLE


@each_call(CALLS_OF_SINGLE)
@each_failure
def test_an_outage_is_answered_503_and_a_resend_completes_the_event(
    application: Application, storage: Storage, wire: Wire, skip: int, failure: Effect
) -> None:
    wire.disturb(failure, skip=skip, times=ALWAYS)

    assert_nothing_acknowledged(application.ingest(SINGLE))
    assert_no_row_without_its_raw_object(storage)
    wire.mend()
    resent = application.ingest(SINGLE)

    written = failure is answer_lost and CALLS_OF_SINGLE[skip] == "TransactWriteItems"
    assert resent.json_body["status"] == ("DUPLICATE" if written else "ACCEPTED")
    assert_taken_in(resent)
    assert len(storage.objects()) == 1
    assert_holds(storage, SINGLE)


@each_call(CALLS_OF_SINGLE)
@each_failure
def test_one_failed_call_is_retried_and_the_event_accepted_once(
    application: Application, storage: Storage, wire: Wire, skip: int, failure: Effect
) -> None:
    wire.disturb(failure, skip=skip)

    result = application.accept(SINGLE)

    assert wire.count()[CALLS_OF_SINGLE[skip]] == CALLS_OF_SINGLE.count(CALLS_OF_SINGLE[skip]) + 1
    assert application.ingest(SINGLE).json_body == {**result, "status": "DUPLICATE"}
    assert len(storage.objects()) == 1
    assert_holds(storage, SINGLE)


@each_call(CALLS_OF_SINGLE)
@each_end
def test_a_function_that_ends_between_two_calls_leaves_nothing_that_a_resend_does_not_complete(
    application: Application, storage: Storage, wire: Wire, skip: int, end: Effect
) -> None:
    wire.disturb(end, skip=skip)

    with pytest.raises(Killed):
        application.ingest(SINGLE)
    assert_no_row_without_its_raw_object(storage)
    resent = application.ingest(SINGLE)

    assert_taken_in(resent)
    assert_holds(storage, SINGLE)


def test_a_resend_keeps_the_ingest_time_that_the_raw_object_has(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest(SINGLE)
    before = storage.objects()

    result = application.accept(SINGLE)

    assert storage.objects() == before
    assert result["ingest_time"].encode() in before[result["s3_key"]]
    assert_holds(storage, SINGLE)


def test_a_resend_by_another_sender_points_at_the_lines_that_are_there(
    application: Application, storage: Storage, wire: Wire
) -> None:
    several = [paid(number, payload="é" * number) for number in range(1, 4)]
    first, request_id = "arn:aws:sts::123456789012:assumed-role/till/i-0123456789abcdef0", "request-of-the-first"
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest_as(first, several, request_id)
    before = storage.objects()

    answer = application.ingest_as("arn:aws:iam::123456789012:user/t", several, "again")

    assert json.loads(answer["body"])["counts"]["accepted"] == 3
    assert storage.objects() == before
    assert {(row["request_id"], row["sent_by"]) for row in storage.index()} == {(request_id, first)}
    assert {row["written_by"] for row in storage.identities()} == {"again"}
    assert_holds(storage, *several)


def test_of_two_requests_that_share_a_raw_object_one_is_accepted(
    application: Application, storage: Storage, wire: Wire
) -> None:
    answers: list[Json] = []
    wire.disturb(
        preceded_by(lambda: answers.append(application.ingest_as("b", [SINGLE], "second"))), "TransactWriteItems"
    )

    answers.append(application.ingest_as("a", [SINGLE], "first"))

    second, first = (json.loads(answer["body"])["counts"] for answer in answers)
    assert (second["accepted"], first["duplicate"]) == (1, 1)
    assert len(storage.objects()) == 1
    assert [(row["request_id"], row["sent_by"]) for row in storage.index()] == [("first", "a")]
    assert_holds(storage, SINGLE)


def test_a_resend_after_midnight_completes_the_event_from_an_object_of_its_own(
    application: Application, storage: Storage, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "now", lambda: Instant("2023-06-30T23:59:59.000000000Z"))
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest(SINGLE)
    monkeypatch.setattr(system, "now", lambda: Instant("2023-07-01T00:00:01.000000000Z"))

    result = application.accept(SINGLE)

    assert "/ingest_date=2023-07-01/" in result["s3_key"]
    assert result["ingest_time"] == "2023-07-01T00:00:01.000000000Z"
    assert_holds(storage, SINGLE)


@pytest.mark.usefixtures("known")
def test_a_batch_makes_these_calls(application: Application, wire: Wire) -> None:
    application.ingest(BATCH)

    assert wire.calls == CALLS_OF_BATCH


@pytest.mark.usefixtures("known")
@each_call(CALLS_OF_BATCH[:-1])
@each_failure
def test_an_outage_acknowledges_nothing_of_a_batch_and_a_resend_completes_it(
    application: Application, storage: Storage, wire: Wire, skip: int, failure: Effect
) -> None:
    wire.disturb(failure, skip=skip, times=ALWAYS)

    assert_nothing_acknowledged(application.ingest(BATCH))
    assert_no_row_without_its_raw_object(storage)
    wire.mend()
    resent = application.ingest(BATCH)

    assert_batch_taken_in(resent, storage)


@pytest.mark.usefixtures("known")
@each_call(CALLS_OF_BATCH)
@each_failure
def test_one_failed_call_changes_nothing_of_what_a_batch_is_answered(
    application: Application, storage: Storage, wire: Wire, skip: int, failure: Effect
) -> None:
    wire.disturb(failure, skip=skip)

    response = application.ingest(BATCH)

    assert response.json_body["counts"] == {"accepted": 2, "duplicate": 2, "conflict": 1, "rejected": 1}
    assert len(storage.arrivals()) == 3
    assert_batch_taken_in(response, storage)


@pytest.mark.usefixtures("known")
@each_call(CALLS_OF_BATCH)
@each_end
def test_a_batch_that_ends_between_two_calls_is_completed_by_a_resend(
    application: Application, storage: Storage, wire: Wire, skip: int, end: Effect
) -> None:
    wire.disturb(end, skip=skip)

    with pytest.raises(Killed):
        application.ingest(BATCH)
    assert_no_row_without_its_raw_object(storage)
    resent = application.ingest(BATCH)

    assert_batch_taken_in(resent, storage)


@pytest.mark.parametrize("failure", [never_arrives, answer_lost])
def test_a_batch_that_fails_between_two_transactions_is_completed_by_a_resend(
    application: Application, storage: Storage, wire: Wire, failure: Effect
) -> None:
    events = [paid(number) for number in range(1, 53)]
    wire.disturb(failure, "TransactWriteItems", skip=1, times=ALWAYS)

    assert_nothing_acknowledged(application.ingest(events))
    assert_no_row_without_its_raw_object(storage)
    written = len(storage.index())
    assert written in ({52} if failure is answer_lost else {50, 2})  # they may be under way at the same time
    wire.mend()
    resent = application.ingest(events)

    assert resent.status_code == 200
    assert resent.json_body["counts"]["duplicate"] == written
    assert_holds(storage, *events)


def test_a_resend_of_part_of_a_failed_batch_is_completed_too(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(killed_after, "PutObject")
    with pytest.raises(Killed):
        application.ingest([paid(1), paid(2)])

    application.accept(paid(2))
    application.accept(paid(1))

    assert_holds(storage, paid(1), paid(2))


# What DynamoDB does under load, and its emulator never


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_met_others_is_written_again(
    application: Application, storage: Storage, wire: Wire, reason: str
) -> None:
    wire.disturb(cancelled(reason), "TransactWriteItems", times=3)

    application.accept_all([paid(1), paid(2)])

    assert wire.count()["TransactWriteItems"] == 4
    assert_holds(storage, paid(1), paid(2))


def test_a_transaction_that_always_meets_others_is_answered_503(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(conflicting, "TransactWriteItems", times=ALWAYS)

    assert_nothing_acknowledged(application.ingest(SINGLE))
    assert storage.index() == []
    wire.mend()

    application.accept(SINGLE)
    assert_holds(storage, SINGLE)


@pytest.mark.usefixtures("known")
def test_a_transaction_that_meets_others_while_part_of_it_is_known_admits_the_rest(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(conflicting, "TransactWriteItems", times=2)
    wire.disturb(none_found, "BatchGetItem")

    response = application.ingest([KNOWN, SINGLE])

    assert [result["status"] for result in response.json_body["results"]] == ["DUPLICATE", "ACCEPTED"]
    assert_holds(storage, KNOWN, KEYED, SINGLE)


def test_a_transaction_cancelled_for_good_is_answered_500(
    application: Application, storage: Storage, wire: Wire
) -> None:
    wire.disturb(cancelled("ItemCollectionSizeLimitExceeded"), "TransactWriteItems", times=ALWAYS)

    response = application.ingest(SINGLE)

    assert response.status_code == 500
    assert wire.count()["TransactWriteItems"] == 1
    assert_holds(storage)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("effect", [none_read, one_left_unread])
def test_keys_that_were_left_unread_are_read_again(application: Application, wire: Wire, effect: Effect) -> None:
    wire.disturb(effect, "BatchGetItem", times=3)

    response = application.ingest([KNOWN, KEYED])

    assert response.json_body["counts"]["duplicate"] == 2
    assert wire.calls == ["BatchGetItem"] * 4 + ["BatchWriteItem"]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("effect", [none_written, one_left_unwritten])
def test_arrivals_that_were_left_unwritten_are_written_again(
    application: Application, storage: Storage, wire: Wire, effect: Effect
) -> None:
    wire.disturb(effect, "BatchWriteItem", times=3)

    application.ingest([KNOWN, KEYED])

    assert len(storage.arrivals()) == 2
    assert wire.calls == ["BatchGetItem"] + ["BatchWriteItem"] * 4


@pytest.mark.usefixtures("known")
def test_keys_that_are_never_read_are_answered_503(application: Application, wire: Wire) -> None:
    wire.disturb(none_read, "BatchGetItem", times=ALWAYS)

    assert_nothing_acknowledged(application.ingest([KNOWN]))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("failure", [*FAILURES.values(), none_written], ids=[*FAILURES, "none written"])
def test_arrivals_that_are_never_recorded_change_nothing_of_what_a_batch_is_answered(
    application: Application, storage: Storage, wire: Wire, failure: Effect
) -> None:
    wire.disturb(failure, "BatchWriteItem", times=ALWAYS)

    response = application.ingest(BATCH)

    assert response.json_body["counts"] == {"accepted": 2, "duplicate": 2, "conflict": 1, "rejected": 1}
    assert_batch_taken_in(response, storage)


@pytest.mark.usefixtures("known")
def test_a_duplicate_whose_arrival_is_never_recorded_is_answered_as_one(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, "BatchWriteItem", times=ALWAYS)

    response = application.ingest(KNOWN)

    assert (response.status_code, response.json_body["status"]) == (200, "DUPLICATE")


# What no retry mends


@pytest.mark.usefixtures("known")
@each_call(CALLS_OF_BATCH)
def test_a_call_that_is_denied_is_answered_500_without_saying_more(
    application: Application, storage: Storage, wire: Wire, skip: int
) -> None:
    denied = fails_with(403 if CALLS_OF_BATCH[skip] == "PutObject" else 400, "AccessDeniedException")
    wire.disturb(denied, skip=skip, times=ALWAYS)

    response = application.ingest(BATCH)

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json_body["title"] == "Internal Server Error"
    assert "arn:" not in response.body.decode()
    assert "order-1" not in response.body.decode()
    assert "retrace-test" not in response.body.decode()
    assert_no_row_without_its_raw_object(storage)
    wire.mend()
    assert_batch_taken_in(application.ingest(BATCH), storage)
