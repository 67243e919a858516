"""Replays listed, asked for again, cancelled and set going again, whatever ends between any two AWS calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from chalice.local import LambdaContext

from chalicelib.core.timestamps import Instant
from chalicelib.replays import commit_batch
from chalicelib.runtime import system
from tests.functional import ledger
from tests.functional.application import JSON, Application, Message, SetSetting, batched, message
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import (
    ALWAYS,
    Attempt,
    Effect,
    Killed,
    Wire,
    answer_lost,
    conflicting,
    killed_after,
    killed_before,
    preceded_by,
    throttled,
)

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
KEY = {"idempotency-key": "a-key"}


def listed(application: Application, **query: str) -> Json:
    """A page of GET /replay."""
    response = application.get("/replay", **query)
    assert response.status_code == 200, response.body
    page: Json = response.json_body
    return page


def replay_ids(application: Application) -> list[str]:
    """All replays, newest first."""
    return [item["replay_id"] for item in listed(application, limit="25")["items"]]


def cancel(application: Application, replay_id: str) -> Any:
    return application.call("POST", f"/replay/{replay_id}/cancel")


def redrive(application: Application, replay_id: str) -> Any:
    return application.call("POST", f"/replay/{replay_id}/redrive")


def work_off(application: Application) -> None:
    """Plan and process until nothing is left to do."""
    application.plan()
    for batch in batched(application.messages.taken(), 10):
        assert application.process(batch) == {"batchItemFailures": []}


@pytest.fixture
def two_messages_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", 2)


# GET /replay


def test_without_replays_the_list_is_empty(application: Application) -> None:
    assert listed(application) == {"items": [], "cursor": None}


def test_replays_are_listed_newest_first_page_by_page(application: Application) -> None:
    asked = [application.requested(**WHOLE_DAY, reason=f"number {number}") for number in range(5)]

    first = listed(application, limit="2")
    second = listed(application, limit="2", cursor=first["cursor"])
    third = listed(application, limit="25", cursor=second["cursor"])

    pages = [[item["replay_id"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [asked[:2:-1], asked[2:0:-1], asked[:1]]
    assert third["cursor"] is None
    assert first["items"][0]["request"]["reason"] == "number 4"


def test_replays_are_listed_in_the_order_of_their_requests_whatever_the_clocks_say(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for instant in (
        "2026-11-30T10:05:00.000000000Z",
        "2026-11-30T10:00:00.000000000Z",
        "2026-11-30T10:05:00.000999999Z",
    ):
        monkeypatch.setattr(system, "now", lambda instant=instant: Instant(instant))
        asked += [application.requested(**WHOLE_DAY), application.requested(**WHOLE_DAY)]

    assert replay_ids(application) == asked[::-1]


def test_a_replay_whose_place_in_order_was_given_and_not_answered_comes_after_the_one_before(
    application: Application, wire: Wire
) -> None:
    first = application.requested(**WHOLE_DAY)
    wire.disturb(answer_lost, "UpdateItem")

    second = application.requested(**WHOLE_DAY)

    assert replay_ids(application) == [second, first]
    assert wire.count()["UpdateItem"] == 4


def test_a_replay_is_listed_as_it_is_shown_by_itself(application: Application) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    application.give_up_on(messages[1:])

    [item] = listed(application)["items"]

    assert item == application.job(replay_id)
    assert (item["state"], item["sent"], item["processed"], item["failed"]) == ("COMPLETE", 3, 1, 2)


def test_twenty_replays_are_listed_unless_asked_otherwise(application: Application) -> None:
    for _ in range(21):
        application.requested(**WHOLE_DAY)

    assert len(listed(application)["items"]) == 20


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "26"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"state": "SENT"}, "state"),
    ],
)
def test_a_list_that_cannot_be_answered_is_refused(
    application: Application, query: Mapping[str, str], field: str
) -> None:
    application.requested(**WHOLE_DAY)

    response = application.get("/replay", **query)

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == [field]


def test_a_cursor_of_another_list_is_refused(application: Application) -> None:
    application.accept_all(paid_several(3))
    cursor = application.get("/events", entity_id="order-1", limit="1").json_body["cursor"]

    assert application.get("/replay", cursor=cursor).status_code == 400


# Idempotency-Key


def test_a_repeated_request_is_answered_with_the_job_as_it_is_by_now(application: Application) -> None:
    application.accept_all(paid_several(2))
    first = application.request_replay(WHOLE_DAY, **KEY).json_body
    work_off(application)

    again = application.request_replay(WHOLE_DAY, **KEY)

    assert again.status_code == 202
    assert again.json_body == application.job(first["replay_id"])
    assert (again.json_body["state"], again.json_body["sent"]) == ("COMPLETE", 2)
    assert application.jobs.received() == []
    assert replay_ids(application) == [first["replay_id"]]


def test_what_says_the_same_in_other_words_is_the_same_request(application: Application) -> None:
    first = application.request_replay(WHOLE_DAY, **KEY)
    members = dict(reversed(WHOLE_DAY.items())) | {"start_time": f"{DAY}T02:00:00+02:00", "whole_days": False}

    again = application.request_replay({**members, "max_messages": None}, **KEY)

    assert again.json_body["replay_id"] == first.json_body["replay_id"]


@pytest.mark.parametrize("other", [BY_TYPE, {**WHOLE_DAY, "max_messages": 1}, {**WHOLE_DAY, "reason": "another"}])
def test_a_key_that_stands_for_another_request_is_answered_409(application: Application, other: Json) -> None:
    first = application.request_replay(WHOLE_DAY, **KEY).json_body["replay_id"]

    response = application.request_replay(other, **KEY)

    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [fault["field"] for fault in response.json_body["errors"]] == ["Idempotency-Key"]
    assert replay_ids(application) == [first]


def test_other_keys_and_no_key_make_other_jobs(application: Application) -> None:
    keys: list[dict[str, str]] = [{"idempotency-key": key} for key in ("a", "A", '"a"', "a#", "a%23")]

    for headers in [*keys, *keys, {}, {}]:
        assert application.request_replay(WHOLE_DAY, **headers).status_code == 202

    assert len(replay_ids(application)) == len(keys) + 2


@pytest.mark.parametrize("key", ["", " ", "two words", "k" * 256, "schlüssel", "a\tb"])
def test_a_key_that_is_not_valid_is_refused(application: Application, storage: Storage, key: str) -> None:
    answer = posted("/replay", WHOLE_DAY, {"Idempotency-Key": [key]})

    assert answer["statusCode"] == 400
    assert '"field":"Idempotency-Key"' in answer["body"]
    assert storage.rows("REPLAYS_TABLE") == []
    assert application.jobs.received() == []


def test_a_key_may_be_as_long_as_it_is_allowed_to_be(application: Application) -> None:
    assert application.request_replay(WHOLE_DAY, **{"idempotency-key": "#" * 255}).status_code == 202


def test_a_key_that_is_given_twice_is_refused(application: Application, storage: Storage) -> None:
    answer = posted("/replay", WHOLE_DAY, {"Idempotency-Key": ["one", "other"]})

    assert answer["statusCode"] == 400
    assert "must be given once" in answer["body"]
    assert storage.rows("REPLAYS_TABLE") == []
    assert application.jobs.received() == []


def posted(path: str, body: Json, headers: Mapping[str, list[str]]) -> Any:
    """What the function answers to a request as API Gateway hands it over."""
    from app import app  # noqa: PLC0415  # not before the environment stands

    event = {
        "requestContext": {"httpMethod": "POST", "resourcePath": path, "identity": {}},
        "headers": {"content-type": JSON} | {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": {"content-type": [JSON], **headers},
        "pathParameters": {},
        "stageVariables": {},
        "multiValueQueryStringParameters": None,
        "body": as_json(body).decode(),
        "isBase64Encoded": False,
    }
    return app(event, LambdaContext("api_handler", memory_size=128))


def test_two_requests_with_one_key_at_once_make_one_job(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(3))
    between: list[Json] = []
    wire.disturb(
        preceded_by(lambda: between.append(application.request_replay(WHOLE_DAY, **KEY).json_body)),
        "TransactWriteItems",
    )

    response = application.request_replay(WHOLE_DAY, **KEY)

    assert response.status_code == 202
    assert response.json_body["replay_id"] == between[0]["replay_id"]
    assert replay_ids(application) == [response.json_body["replay_id"]]
    work_off(application)
    job = application.job(response.json_body["replay_id"])
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 3, 3)


def test_two_requests_with_one_key_and_different_bodies_at_once_make_one_job(
    application: Application, wire: Wire
) -> None:
    wire.disturb(
        preceded_by(lambda: application.request_replay({**WHOLE_DAY, "max_messages": 1}, **KEY)), "TransactWriteItems"
    )

    assert application.request_replay(WHOLE_DAY, **KEY).status_code == 409
    assert len(replay_ids(application)) == 1


def test_a_key_that_another_request_is_writing_is_answered_503(application: Application, wire: Wire) -> None:
    wire.disturb(conflicting, "TransactWriteItems")

    response = application.request_replay(WHOLE_DAY, **KEY)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert application.request_replay(WHOLE_DAY, **KEY).status_code == 202


ASKING = ["GetItem", "Query", "UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"]


@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost, throttled])
def test_a_request_that_ends_between_two_calls_makes_one_job_when_it_is_sent_again(
    application: Application, wire: Wire, call: int, effect: Effect
) -> None:
    application.accept_all(paid_several(3))
    wire.mend()
    wire.disturb(effect, skip=call, times=ALWAYS if effect is throttled else 1)
    try:
        response = application.request_replay(WHOLE_DAY, **KEY)
    except Killed:
        pass
    else:
        assert response.status_code == (503 if effect is throttled and call < 5 else 202)
    assert wire.calls[: call + 1] == ASKING[: call + 1]
    wire.mend()

    again = application.request_replay(WHOLE_DAY, **KEY)

    assert again.status_code == 202
    assert replay_ids(application) == [again.json_body["replay_id"]]
    work_off(application)
    job = application.job(again.json_body["replay_id"])
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 3, 3)


def a_minute_after(replay_id: str) -> Message:
    """The message that was queued before the job was kept; moto shows it a minute later."""
    return message({"replay_id": replay_id, "unless_planned": True})


def test_a_job_whose_function_ended_before_it_was_queued_is_planned_a_minute_later(
    application: Application, wire: Wire
) -> None:
    application.accept(paid())
    wire.disturb(killed_before, "SendMessage", skip=1)
    with pytest.raises(Killed):
        application.request_replay(WHOLE_DAY)
    [replay_id] = replay_ids(application)
    assert application.plan() == 0
    assert application.jobs.counted()["ApproximateNumberOfMessagesDelayed"] == "1"

    application.call_planner(a_minute_after(replay_id))

    work_off(application)
    assert application.job(replay_id)["state"] == "COMPLETE"


def test_a_message_of_a_job_that_is_planned_or_was_never_kept_does_nothing(
    application: Application, wire: Wire
) -> None:
    application.accept(paid())
    replay_id = application.replayed(**WHOLE_DAY)
    before = application.job(replay_id)
    wire.mend()

    application.call_planner(a_minute_after(replay_id))
    application.call_planner(a_minute_after("never-kept"))

    assert wire.calls == ["Query", "Query"]
    assert application.job(replay_id) == before


def test_a_replay_that_could_be_kept_and_not_queued_is_taken(application: Application, wire: Wire) -> None:
    application.accept(paid())
    wire.disturb(throttled, "SendMessage", skip=1, times=ALWAYS)

    assert application.request_replay(WHOLE_DAY).status_code == 202


def test_a_replay_that_nothing_can_be_queued_for_is_not_kept(application: Application, wire: Wire) -> None:
    wire.disturb(throttled, "SendMessage", times=ALWAYS)

    assert application.request_replay(WHOLE_DAY).status_code == 503
    assert replay_ids(application) == []


# Messages in flight


@pytest.fixture
def two_in_flight(set_setting: SetSetting) -> None:
    """At most two messages of a replay are sent and not settled."""
    set_setting("MAX_IN_FLIGHT", "2")


@pytest.mark.usefixtures("two_in_flight")
def test_a_planner_waits_until_what_it_sent_is_settled(application: Application) -> None:
    application.accept_all(paid_several(6))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    sent = []

    for settle in (application.process, application.give_up_on, application.process):
        application.call_planner(found)
        application.call_planner(found)
        messages = application.messages.taken()
        sent.append(application.job(replay_id)["sent"])
        settle(messages)

    assert sent == [2, 4, 6]
    assert application.jobs.counted()["ApproximateNumberOfMessagesDelayed"] != "0"
    application.call_planner(found)
    job = application.job(replay_id)
    assert (job["state"], job["processed"], job["failed"]) == ("COMPLETE", 4, 2)


@pytest.mark.usefixtures("two_in_flight")
@pytest.mark.parametrize("destination", ["billing", "ordered"])
def test_without_reports_a_planner_does_not_wait(application: Application, destination: str) -> None:
    application.accept_all(paid_several(5))

    replay_id = application.requested(**WHOLE_DAY, destination=destination)
    application.plan()

    job = application.job(replay_id)
    assert (job["state"], job["sent"], job["processed"]) == ("SENT", 5, 0)


# Cancel


@pytest.mark.usefixtures("two_messages_a_batch")
def test_a_cancelled_replay_sends_nothing_more_and_tells_who_cancelled_it(application: Application) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    application.call_planner(found)

    response = cancel(application, replay_id)

    assert response.status_code == 200
    job = response.json_body
    assert (job["state"], job["cancelled_by"], job["sent"]) == ("CANCELLED", "local", 2)
    assert job["advice"] is None
    application.plan()
    assert len(application.messages.taken()) == 2
    assert application.job(replay_id) == job


def test_a_replay_that_no_planner_has_had_can_be_cancelled(application: Application) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY)

    assert cancel(application, replay_id).json_body["state"] == "CANCELLED"

    application.plan()
    assert application.messages.received() == []


def test_what_is_in_flight_of_a_cancelled_replay_is_dropped_and_counted_as_such(application: Application) -> None:
    application.accept_all(paid_several(5))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])

    assert cancel(application, replay_id).status_code == 200

    assert application.process(messages) == {"batchItemFailures": []}
    job = application.job(replay_id)
    assert (job["state"], job["sent"], job["processed"], job["dropped"]) == ("CANCELLED", 5, 2, 3)
    [version] = application.versions("order-1", DAY)
    assert (version["event_count"], version["complete"]) == (2, False)


def test_a_batch_that_a_processor_had_in_hand_at_a_cancel_still_counts_as_the_answer_said_and_no_later_one(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all(paid_several(5))
    replay_id, messages = application.planned(**WHOLE_DAY)
    monkeypatch.setattr(system, "now", lambda: Instant("2043-01-01T00:00:00.000000000Z"))
    answers: list[Json] = []
    wire.disturb(preceded_by(lambda: answers.append(cancel(application, replay_id).json_body)), "TransactWriteItems")

    application.process(messages[:3])
    counted = application.versions("order-1", DAY)
    application.process(messages[3:])

    [answer] = answers
    assert (answer["state"], answer["processed"], answer["may_change_until"]) == (
        *("CANCELLED", 0),
        "2043-01-01T00:02:00.000000000Z",
    )
    assert counted[0]["event_count"] == 3
    assert application.versions("order-1", DAY) == counted
    job = application.job(replay_id)
    assert (job["processed"], job["dropped"], job["may_change_until"]) == (3, 2, answer["may_change_until"])


def test_a_replay_that_was_given_up_can_be_cancelled_and_is_then_not_to_be_redriven(
    application: Application, wire: Wire
) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    give_up(application, wire)

    job = cancel(application, replay_id).json_body

    assert (job["state"], job["advice"]) == ("CANCELLED", None)
    assert redrive(application, replay_id).status_code == 409


def test_cancelling_again_changes_nothing(application: Application, wire: Wire) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    first = cancel(application, replay_id).json_body
    wire.mend()

    again = cancel(application, replay_id)

    assert (again.status_code, again.json_body) == (200, first)
    assert wire.calls == ["Query"]


@pytest.mark.parametrize("dead", [0, 1])
def test_a_complete_replay_cannot_be_cancelled(application: Application, storage: Storage, dead: int) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages[:dead])
    application.process(messages[dead:])
    before = storage.rows("REPLAYS_TABLE")

    response = cancel(application, replay_id)

    assert response.status_code == 409
    assert "is complete" in response.json_body["detail"]
    assert storage.rows("REPLAYS_TABLE") == before


def test_dead_letters_of_a_cancelled_replay_stay_counted(application: Application) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages[:1])

    cancel(application, replay_id)

    application.process(messages[1:])
    job = application.job(replay_id)
    assert (job["failed"], job["dropped"], job["advice"]) == (1, 2, None)


@pytest.mark.parametrize("action", ["cancel", "redrive"])
@pytest.mark.parametrize("replay_id", ["01981e5c-7a3e-7c41-9d52-3f1f0c8e6b7a", "nobody", "x" * 3_000, "a%23b"])
def test_a_replay_that_is_not_known_cannot_be_controlled(application: Application, action: str, replay_id: str) -> None:
    response = application.call("POST", f"/replay/{replay_id}/{action}")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("action", ["cancel", "redrive"])
@pytest.mark.parametrize(
    ("said", "field"),
    [(("?dry_run=true", b""), "dry_run"), (("", b'{"dry_run":true}'), "body"), (("", b"x"), "body")],
)
def test_who_controls_a_replay_says_all_with_the_path(
    application: Application, storage: Storage, action: str, said: tuple[str, bytes], field: str
) -> None:
    query, body = said
    replay_id = application.requested(**WHOLE_DAY)
    application.jobs.taken()
    before = storage.everything()

    response = application.call("POST", f"/replay/{replay_id}/{action}{query}", {"content-type": JSON}, body)

    assert response.status_code == 400
    assert [fault["field"] for fault in response.json_body["errors"]] == [field]
    assert storage.everything() == before
    assert application.jobs.received() == []


@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
def test_an_empty_body_says_nothing_more(application: Application, body: bytes) -> None:
    replay_id = application.requested(**WHOLE_DAY)

    response = application.call("POST", f"/replay/{replay_id}/cancel", {"content-type": JSON}, body)

    assert response.status_code == 200


@pytest.mark.usefixtures("two_messages_a_batch")
def test_what_a_planner_was_sending_while_its_replay_was_cancelled_is_counted_and_dropped(
    application: Application, wire: Wire
) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)
    wire.disturb(preceded_by(lambda: cancel(application, replay_id)), "SendMessageBatch", skip=1)

    work_off(application)

    job = application.job(replay_id)
    assert (job["state"], job["cancelled_by"], job["scanned"], job["sent"]) == ("CANCELLED", "local", 4, 4)
    assert (job["processed"], job["dropped"]) == (0, 4)
    assert application.jobs.received() == []


@pytest.mark.usefixtures("two_messages_a_batch")
@pytest.mark.parametrize("faster", [1, 2, 3])
def test_a_cancel_that_planners_are_faster_than_holds_all_the_same(
    application: Application, wire: Wire, faster: int
) -> None:
    application.accept_all(paid_several(20))
    replay_id = application.requested(**WHOLE_DAY)

    def be_faster() -> None:
        for found in application.jobs.taken():
            application.call_planner(found)

    # Each second write is that of a planner who gets in before the cancel's.
    for number in range(faster):
        wire.disturb(preceded_by(be_faster), "PutItem", skip=number)

    response = cancel(application, replay_id)

    sent = response.json_body["sent"]
    assert (response.status_code, response.json_body["state"]) == (200, "CANCELLED")
    work_off(application)
    assert application.job(replay_id)["sent"] == application.job(replay_id)["dropped"] == sent > 0


@pytest.mark.parametrize("operation", ["Query", "PutItem"])
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost])
def test_a_cancel_that_ends_between_two_calls_holds_when_it_is_asked_for_again(
    application: Application, wire: Wire, operation: str, effect: Effect
) -> None:
    application.accept_all(paid_several(3))
    replay_id = application.requested(**WHOLE_DAY)
    wire.disturb(effect, operation)
    if effect is answer_lost:
        assert cancel(application, replay_id).status_code == 200
    else:
        with pytest.raises(Killed):
            cancel(application, replay_id)

    assert cancel(application, replay_id).json_body["state"] == "CANCELLED"

    application.plan()
    assert application.messages.received() == []


def test_a_cancel_that_aws_does_not_take_is_answered_503(application: Application, wire: Wire) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    wire.disturb(throttled, "PutItem", times=ALWAYS)

    assert cancel(application, replay_id).status_code == 503


# Failed planners and redrive


def give_up(application: Application, wire: Wire, operation: str = "Query", skip: int = 1) -> Message:
    """Let the planner's last try at its message fail at a call; answers the message."""
    [found] = application.jobs.taken()
    wire.disturb(throttled, operation, skip=skip, times=3)
    with pytest.raises(Exception, match="AWS did not take a call"):
        application.call_planner(found, receives=5)
    wire.mend()
    return found


@pytest.mark.parametrize("receives", [5, 15])
def test_a_slice_that_lambda_threw_back_for_an_hour_is_planned_when_a_planner_is_called(
    application: Application, receives: int
) -> None:
    application.accept_all(paid_several(3))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()

    application.call_planner(found, receives)
    work_off(application)

    assert application.job(replay_id)["state"] == "COMPLETE"
    assert application.halted.received() == []


def test_a_slice_that_no_planner_ever_ended_leaves_its_replay_failed_and_a_redrive_completes_it(
    application: Application,
) -> None:
    application.accept_all(paid_several(3))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()

    application.call_planner(found, receives=51)

    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("FAILED", 0)
    assert job["failure"].startswith("No planner came to an end in 50 calls")
    assert [laid.members for laid in application.halted.received()] == [{"replay_id": replay_id}]

    redrive(application, replay_id)
    work_off(application)
    assert application.job(replay_id)["state"] == "COMPLETE"


@pytest.mark.usefixtures("two_messages_a_batch")
@pytest.mark.parametrize(
    ("operation", "skip", "sent"), [("Query", 1, 0), ("SendMessageBatch", 0, 2), ("PutItem", 0, 0)]
)
def test_a_planner_that_fails_for_the_last_time_leaves_its_replay_failed_and_a_redrive_completes_it(
    application: Application, wire: Wire, operation: str, skip: int, sent: int
) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)

    give_up(application, wire, operation, skip)

    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("FAILED", sent)
    assert job["failure"].startswith("AWS did not take a call while")
    assert job["advice"].startswith("It was given up.")

    response = redrive(application, replay_id)

    assert response.status_code == 202
    assert (response.json_body["state"], response.json_body["failure"]) == ("SENDING", None)
    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 5, 5, 5)
    assert (job["failure"], job["advice"]) == (None, None)


@pytest.mark.usefixtures("two_messages_a_batch")
def test_a_replay_that_failed_on_its_way_goes_on_where_it_stopped(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    application.call_planner(found)
    give_up(application, wire, "SendMessageBatch", skip=0)
    assert (application.job(replay_id)["state"], application.job(replay_id)["sent"]) == ("FAILED", 4)

    redrive(application, replay_id)
    application.plan()

    messages = application.messages.taken()
    assert len(messages) == 5
    assert application.job(replay_id)["sent"] == 5


def test_a_planner_that_will_be_called_again_leaves_its_replay_as_it_is(application: Application, wire: Wire) -> None:
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    wire.disturb(throttled, "Query", skip=1, times=3)

    with pytest.raises(Exception, match="AWS did not take a call"):
        application.call_planner(found, receives=4)

    assert application.job(replay_id)["state"] == "PLANNING"


def test_a_failed_replay_that_is_planned_by_a_late_message_stays_failed(application: Application, wire: Wire) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY)
    found = give_up(application, wire)

    application.call_planner(found)

    assert application.job(replay_id)["state"] == "FAILED"
    assert application.messages.received() == []


def test_dead_letters_are_told_and_a_redrive_completes_the_replay(application: Application) -> None:
    application.accept_all(paid_several(4))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])
    application.give_up_on(messages[2:])

    job = application.job(replay_id)
    assert (job["state"], job["processed"], job["failed"]) == ("COMPLETE", 2, 2)
    assert job["advice"] == (
        "2 messages failed."
        f" Once the cause is gone, POST /replay/{replay_id}/redrive sends them back to be processed."
        f" Dead letters expire after 14 days, the last of these by {job['dead_letters_until']}: then replay again."
    )
    assert application.versions("order-1", DAY)[0]["complete"] is False

    response = redrive(application, replay_id)

    assert response.status_code == 202
    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["processed"], job["failed"], job["advice"]) == ("COMPLETE", 4, 0, None)
    [version] = application.versions("order-1", DAY)
    assert (version["event_count"], version["complete"]) == (4, True)


def test_while_dead_letters_are_on_their_way_again_the_replay_is_not_complete(application: Application) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    application.give_up_on(messages[1:])
    redrive(application, replay_id)
    application.plan()

    on_its_way = application.job(replay_id)
    application.give_up_on(application.messages.taken())

    assert (on_its_way["state"], on_its_way["failed"], on_its_way["advice"]) == ("SENT", 0, None)
    again = application.job(replay_id)
    assert (again["state"], again["failed"]) == ("COMPLETE", 1)
    assert again["advice"].startswith("1 message failed.")


def test_a_redrive_of_a_replay_that_has_nothing_to_redrive_does_nothing(application: Application) -> None:
    application.accept(paid())
    replay_id = application.replayed(**WHOLE_DAY)
    before = application.job(replay_id)

    response = redrive(application, replay_id)

    assert (response.status_code, response.json_body) == (202, before)
    assert application.jobs.received() == []


@pytest.mark.usefixtures("two_messages_a_batch")
def test_a_redrive_of_a_replay_that_is_being_planned_doubles_nothing(application: Application) -> None:
    application.accept_all(paid_several(7))
    replay_id = application.requested(**WHOLE_DAY)
    for found in application.jobs.taken():
        application.call_planner(found)

    redrive(application, replay_id)
    redrive(application, replay_id)

    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 7, 7, 7)


def test_a_cancelled_replay_is_not_redriven(application: Application) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages[:1])
    cancel(application, replay_id)

    response = redrive(application, replay_id)

    assert response.status_code == 409
    assert "was cancelled" in response.json_body["detail"]
    assert application.jobs.received() == []


def test_a_replay_that_is_cancelled_while_it_is_redriven_stays_cancelled(application: Application, wire: Wire) -> None:
    application.accept(paid())
    replay_id = application.requested(**WHOLE_DAY)
    give_up(application, wire)
    wire.disturb(preceded_by(lambda: cancel(application, replay_id)), "PutItem")

    response = redrive(application, replay_id)

    assert response.status_code == 409
    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("CANCELLED", 0)


def test_two_redrives_at_once_set_a_failed_replay_going_once(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(3))
    replay_id = application.requested(**WHOLE_DAY)
    give_up(application, wire)

    def redrive_and_work_off(attempt: Attempt) -> Any:
        redrive(application, replay_id)
        work_off(application)
        return attempt.delivered()

    wire.disturb(redrive_and_work_off, "PutItem")

    response = redrive(application, replay_id)

    assert (response.status_code, response.json_body["state"]) == (202, "COMPLETE")
    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 3, 3)


REDRIVING = ["Query", "PutItem", "SendMessage", "SendMessage"]


@pytest.mark.usefixtures("two_messages_a_batch")
@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("effect", [killed_before, killed_after, answer_lost])
def test_a_redrive_that_ends_between_two_calls_completes_the_replay_when_it_is_asked_for_again(
    application: Application, storage: Storage, wire: Wire, call: int, effect: Effect
) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    application.call_planner(found)
    give_up(application, wire, "SendMessageBatch", skip=0)
    application.give_up_on(application.messages.taken())
    assert ledger.counts(storage, replay_id) == {"failed": 2}
    wire.disturb(effect, skip=call)
    wire.calls.clear()
    if effect is answer_lost:
        assert redrive(application, replay_id).status_code == 202
    else:
        with pytest.raises(Killed):
            redrive(application, replay_id)
    assert wire.calls[: call + 1] == REDRIVING[: call + 1]

    assert redrive(application, replay_id).status_code == 202

    work_off(application)
    job = application.job(replay_id)
    assert (job["state"], job["sent"], job["processed"], job["failed"]) == ("COMPLETE", 5, 5, 0)


def test_a_task_that_is_not_of_the_planner_fails(application: Application) -> None:
    with pytest.raises(Exception, match="There is no replay"):
        application.call_planner(message({"replay_id": "nobody"}), receives=5)
