"""However slow AWS is, an invocation answers before Lambda ends it: retries and pauses fit into the function's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from chalice.local import LambdaContext

from chalicelib.api.middleware import SHORTEST_MS
from chalicelib.core.errors import OutOfTime
from chalicelib.replays.preview import PARTITIONS_AT_ONCE
from chalicelib.runtime import deadline, system
from chalicelib.totals import choice
from tests.functional import conftest
from tests.functional.application import Application
from tests.functional.events import paid, paid_several
from tests.functional.storage import Storage, assert_holds, assert_sound
from tests.functional.test_processor import WHOLE_DAY
from tests.functional.wire import (
    ALWAYS,
    Attempt,
    Effect,
    Wire,
    answer_lost,
    conflicting,
    none_read,
    none_written,
    throttled,
)

API_S = 29.0
PROCESSOR_S = 60.0
SLOWEST_S = 5.0
"""An answer that takes longer is not waited for."""


@dataclass
class Time:
    """The time that an invocation has left, which passes where AWS is slow and where somebody waits."""

    left_s: float = API_S

    def passes(self, seconds: float) -> None:
        self.left_s -= seconds
        assert self.left_s > 0, "Lambda ended the function"


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(LambdaContext, "get_remaining_time_in_millis", lambda _: time.left_s * 1_000)
    monkeypatch.setattr("time.sleep", time.passes)
    return time


def slowly(effect: Callable[[Attempt], AWSResponse], time: Time) -> Effect:
    """It happens after as long as anybody waits."""

    def slow(attempt: Attempt) -> AWSResponse:
        time.passes(SLOWEST_S)
        return effect(attempt)

    return slow


class Trickle(BytesIO):
    """A body of which each piece takes as long as anybody waits."""

    def __init__(self, content: bytes, time: Time) -> None:
        super().__init__(content)
        self.time = time

    def read(self, size: int | None = -1) -> bytes:
        self.time.passes(SLOWEST_S)
        return super().read(size)


def trickling(time: Time) -> Effect:
    """Bodies of objects come piece by piece."""

    def trickle(attempt: Attempt) -> AWSResponse:
        answer = attempt.delivered()
        raw: Any = Trickle(answer.raw.read(), time)
        answer.raw = raw
        return answer

    return trickle


def answers(attempt: Attempt) -> AWSResponse:
    return attempt.delivered()


EFFECTS: dict[str, Effect] = {"answers": answers, "answers that are lost": answer_lost, "throttled": throttled}
BATCH = [paid(number, event_time=f"2023-06-{number:02d}T10:00:00Z") for number in range(1, 9)]
"""Eight days, so eight raw objects."""


def test_an_object_that_trickles_is_not_waited_for_to_its_end(application: Application, wire: Wire, time: Time) -> None:
    small = application.accept(paid(1))["event_id"]
    large = application.accept(paid(2, payload="x" * 1_000_000))["event_id"]
    wire.disturb(trickling(time), "GetObject", times=ALWAYS)

    found = application.get(f"/events/{small}/raw")
    left = application.get(f"/events/{large}/raw")

    assert (found.status_code, left.status_code) == (200, 503)
    assert left.headers["Retry-After"]


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
@pytest.mark.parametrize("slow_before", range(6))
def test_a_request_is_answered_in_time_however_slow_every_call_is(
    application: Application, wire: Wire, time: Time, effect: Effect, slow_before: int
) -> None:
    wire.disturb(slowly(answers, time), times=slow_before)
    wire.disturb(slowly(effect, time), skip=slow_before, times=ALWAYS)

    response = application.ingest(BATCH)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert_sound(Storage())
    wire.mend()
    time.left_s = API_S
    assert application.ingest(BATCH).status_code == 200
    assert_holds(Storage(), *BATCH)


def test_no_retry_is_waited_for_that_would_come_too_late(time: Time) -> None:
    with deadline.lasting(lambda: 7_000), pytest.raises(OutOfTime):
        system.pause(1)
    assert time.left_s == API_S

    with deadline.lasting(lambda: 7_100 + 2_000):
        system.pause(8)
    assert time.left_s < API_S


@pytest.mark.parametrize(("operation", "effect"), [("BatchGetItem", none_read), ("TransactWriteItems", conflicting)])
def test_what_is_left_over_again_and_again_is_given_up_in_time(
    application: Application, wire: Wire, time: Time, operation: str, effect: Effect
) -> None:
    application.accept(paid(1))
    time.left_s = API_S
    wire.mend()
    wire.disturb(slowly(effect, time), operation, times=ALWAYS)

    response = application.ingest([paid(1), paid(2)])

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert 2 <= wire.count()[operation] <= API_S / SLOWEST_S
    wire.mend()
    time.left_s = API_S
    assert application.ingest([paid(1), paid(2)]).status_code == 200
    assert_holds(Storage(), paid(1), paid(2))


@pytest.mark.parametrize("effect", [none_written, throttled, answer_lost])
def test_recording_arrivals_leaves_an_answer_its_time(
    application: Application, wire: Wire, time: Time, effect: Effect
) -> None:
    application.accept_all(paid_several(60))
    time.left_s = API_S
    wire.mend()
    wire.disturb(slowly(effect, time), "BatchWriteItem", times=ALWAYS)

    response = application.ingest(paid_several(61))

    assert response.status_code == 200
    assert response.json_body["counts"] == {"accepted": 1, "duplicate": 60, "conflict": 0, "rejected": 0}
    assert_holds(Storage(), *paid_several(61))


LOOKED_FOR = {"source": "shop/checkout", "event_type": "order.paid"}
WEEK = {"start_time": "2023-06-01T00:00:00Z", "end_time": "2023-06-08T00:00:00Z"}


@pytest.mark.parametrize(
    ("path", "query"),
    [("/sources", {"look_back_days": "366"}), ("/freshness", {**LOOKED_FOR, "look_back_days": "366"})],
)
def test_what_looks_back_says_how_far_it_came_when_the_time_ends(
    application: Application, wire: Wire, time: Time, path: str, query: dict[str, str]
) -> None:
    application.accept(paid(event_time="2023-06-01T10:00:00Z"))
    in_time = application.get(path, **query).json_body
    time.left_s = API_S
    wire.mend()
    wire.disturb(slowly(answers, time), "Query", times=ALWAYS)

    found = application.get(path, **query)

    assert found.status_code == 200
    assert found.json_body["looked_back_to"] > in_time["looked_back_to"]
    assert found.json_body == {**in_time, "looked_back_to": found.json_body["looked_back_to"]}
    assert wire.count()["Query"] <= API_S / SLOWEST_S


@pytest.mark.parametrize("path", ["/late", "/late/summary", "/stale"])
def test_a_page_ends_when_the_time_ends_and_the_next_goes_on(
    application: Application, wire: Wire, time: Time, path: str
) -> None:
    wire.disturb(slowly(answers, time), times=ALWAYS)

    page = application.get(path, **LOOKED_FOR, **WEEK)

    assert (page.status_code, page.json_body["cursor"] is None) == (200, False)
    wire.mend()
    time.left_s = API_S
    last = application.get(path, **LOOKED_FOR, **WEEK, cursor=page.json_body["cursor"])
    assert (last.status_code, last.json_body["cursor"]) == (200, None)
    assert wire.count()["Query"] == 4 * 6, "the days that are left, in four shards"


QUESTIONS: dict[str, dict[str, str]] = {
    "/aggregates": {"entity_id": "order-1", "day": "2023-06-01"},
    "/destinations": {},
    "/events": {**LOOKED_FOR, **WEEK},
    "/freshness": {**LOOKED_FOR, "look_back_days": "31"},
    "/gaps": {**LOOKED_FOR, **WEEK},
    "/late": WEEK,
    "/late/summary": WEEK,
    "/metrics/daily_event_count/values": {"start_day": "2023-06-01", "end_day": "2023-06-07"},
    "/sources": {},
    "/stale": WEEK,
}


@pytest.mark.parametrize("slow_after", [0, 1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("path", QUESTIONS)
def test_a_question_is_answered_or_asked_again_whenever_aws_gets_slow(
    application: Application, wire: Wire, time: Time, path: str, slow_after: int
) -> None:
    time.left_s = 10_000.0
    application.accept_all(BATCH)
    application.replayed(**LOOKED_FOR, start_day="2023-06-01", end_day="2023-06-08")
    time.left_s = API_S
    wire.mend()
    wire.disturb(slowly(answers, time), skip=slow_after, times=ALWAYS)

    assert application.get(path, **QUESTIONS[path]).status_code in (200, 503)


def test_a_question_that_found_nothing_to_tell_when_the_time_ends_is_to_be_asked_again(
    application: Application, wire: Wire, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.left_s = 10_000.0
    application.accept(paid())
    for _ in range(6):  # none of which has a total
        application.replayed(**WHOLE_DAY)
    monkeypatch.setattr(choice, "REPLAYS_A_READ", 1)
    time.left_s = API_S
    wire.mend()
    wire.disturb(slowly(answers, time), times=ALWAYS)

    values = "/metrics/daily_event_count/values"
    assert application.get(values, **QUESTIONS[values]).status_code == 503


def test_a_preview_is_counted_whole_or_not_answered_so_that_its_number_confirms_the_same_replay(
    application: Application, wire: Wire, time: Time
) -> None:
    wire.disturb(slowly(answers, time), "Query", skip=PARTITIONS_AT_ONCE, times=ALWAYS)

    answer = application.preview({**LOOKED_FOR, "start_day": "2023-06-01", "end_day": "2024-05-31"})

    assert answer.status_code == 503


def test_a_batch_of_messages_goes_back_to_its_queue_in_time(
    application: Application, wire: Wire, time: Time, partial_responses: None
) -> None:
    time.left_s = 10_000.0
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    time.left_s = PROCESSOR_S
    wire.mend()
    wire.disturb(slowly(conflicting, time), "TransactWriteItems", times=ALWAYS)

    answer = application.process(messages)

    assert {failure["itemIdentifier"] for failure in answer["batchItemFailures"]} == {
        message.message_id for message in messages
    }
    assert wire.count()["TransactWriteItems"] <= PROCESSOR_S / SLOWEST_S


def test_a_call_that_could_outlast_the_function_is_not_begun(aws: None, wire: Wire) -> None:
    with deadline.lasting(lambda: 6_999), pytest.raises(OutOfTime):
        system.sqs().list_queues()
    assert wire.calls == []

    with deadline.lasting(lambda: 7_000):
        system.sqs().list_queues()
    assert wire.calls == ["ListQueues"]


def test_threads_know_the_time_of_the_invocation_that_they_work_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCURRENCY", "4")
    system.settings.cache_clear()

    with deadline.lasting(lambda: 3_000):
        known = system.concurrently(deadline.has_time_for, [1.0, 2.0, 3.0])

    system.settings.cache_clear()
    assert known == [True, True, False]
    assert deadline.has_time_for(1_000_000)


def test_every_deployed_function_has_more_time_than_what_is_taken_for_the_test_clients() -> None:
    functions = json.loads((conftest.ROOT / ".chalice/config.json").read_text())["lambda_functions"]

    assert min(function["lambda_timeout"] for function in functions.values()) * 1_000 > SHORTEST_MS
