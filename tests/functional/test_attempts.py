"""How often AWS is asked by one invocation where a call never succeeds: retries of the SDK and ours do not multiply."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from chalice.test import HTTPResponse

from chalicelib.core.errors import RetraceError
from chalicelib.core.timestamps import Instant
from chalicelib.runtime import consumer_wiring, replay_wiring, system
from tests.functional.application import Application
from tests.functional.events import DAY, NEXT_DAY, paid, paid_several
from tests.functional.storage import Storage, assert_sound
from tests.functional.wire import (
    ALWAYS,
    Attempt,
    Effect,
    Wire,
    answer_lost,
    broken,
    conflicting,
    fails_with,
    never_arrives,
    none_read,
    none_written,
    throttled,
)

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}

OF_THE_SDK = 3
"""Of whatever it repeats: what was throttled, failed, could not be connected to or was never answered."""

Act = Callable[[], Any]
Prepare = Callable[[Application, Wire], Act]


@pytest.fixture(autouse=True)
def one_call_at_a_time(application: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that a call that fails is the last one, and all attempts are its own; at noon, as midnight has a day more."""
    now = system.now()
    monkeypatch.setattr(system, "now", lambda: Instant(f"{now[:10]}T12:00:00{now[19:]}"))
    monkeypatch.setenv("CONCURRENCY", "1")
    system.settings.cache_clear()
    yield
    system.settings.cache_clear()


def ingest(application: Application, wire: Wire) -> Act:
    application.accept_all([paid(1), paid(2, idempotency_key="known")])
    batch = [paid(3), paid(1), paid(4, idempotency_key="known"), {}]
    return lambda: application.ingest(batch)


def ingest_again(application: Application, wire: Wire) -> Act:
    """The raw object of an earlier attempt is there, and no row."""
    wire.disturb(throttled, "TransactWriteItems", times=ALWAYS)
    application.ingest(paid())
    return lambda: application.ingest(paid())


def request(application: Application, wire: Wire) -> Act:
    return lambda: application.request_replay(WHOLE_DAY, **{"idempotency-key": "k"})


def plan(application: Application, wire: Wire) -> Act:
    application.accept_all(paid_several(2))
    application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    return lambda: application.call_planner(found)


def plan_whole_days(application: Application, wire: Wire) -> Act:
    application.accept_all(paid_several(2))
    application.requested(**BY_TYPE, whole_days=True)
    [found] = application.jobs.taken()
    return lambda: application.call_planner(found)


def process(application: Application, wire: Wire) -> Act:
    application.accept_all(paid_several(3))
    _, messages = application.planned(**WHOLE_DAY)
    return lambda: application.process(messages)


def give_up(application: Application, wire: Wire) -> Act:
    application.accept_all(paid_several(2))
    _, messages = application.planned(**WHOLE_DAY)
    return lambda: application.give_up_on(messages)


def redrive(application: Application, wire: Wire) -> Act:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.give_up_on(messages)
    redriving = consumer_wiring.redrive_dead_letters(replay_wiring.destinations().named("aggregates"))
    assert redriving is not None
    return lambda: redriving.redrive_slice(replay_id, lambda: 45_000, 60)


def cancel(application: Application, wire: Wire) -> Act:
    replay_id = application.requested(**WHOLE_DAY)
    return lambda: application.call("POST", f"/replay/{replay_id}/cancel")


def ask_for_a_redrive(application: Application, wire: Wire) -> Act:
    replay_id = application.requested(**WHOLE_DAY)
    return lambda: application.call("POST", f"/replay/{replay_id}/redrive")


def look_at_an_event(application: Application, wire: Wire) -> Act:
    event_id = application.accept(paid())["event_id"]
    return lambda: application.get(f"/events/{event_id}")


def read_raw_text(application: Application, wire: Wire) -> Act:
    event_id = application.accept(paid())["event_id"]
    return lambda: application.get(f"/events/{event_id}/raw")


def look_at_a_refusal(application: Application, wire: Wire) -> Act:
    rejected_id = application.ingest({}).json_body["rejected_id"]
    return lambda: application.get(f"/rejected/{rejected_id}")


def search(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    return lambda: application.get("/events", **WHOLE_DAY)


def search_a_type(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    return lambda: application.get("/events", **BY_TYPE)


def look_for_late_events(application: Application, wire: Wire) -> Act:
    return lambda: application.get("/late", **BY_TYPE)


def count_late_events(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    return lambda: application.get("/late/summary", day=system.now()[:10])


def look_for_gaps_of_a_source(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    return lambda: application.get("/gaps", source="shop/checkout", day=DAY)


def look_for_gaps(application: Application, wire: Wire) -> Act:
    return lambda: application.get("/gaps", **WHOLE_DAY)


def ask_how_fresh(application: Application, wire: Wire) -> Act:
    application.accept(paid(event_time=system.now()))
    return lambda: application.get("/freshness", source="shop/checkout", event_type="order.paid")


def list_sources(application: Application, wire: Wire) -> Act:
    application.accept(paid(event_time=system.now()))
    return lambda: application.get("/sources")


def look_at_aggregates(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    application.replayed(**WHOLE_DAY)
    return lambda: application.get("/aggregates", entity_id="order-1", day=DAY)


def compare_aggregates(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    versions = {name: application.replayed(**WHOLE_DAY) for name in ("from", "to")}
    return lambda: application.get("/aggregates/diff", entity_id="order-1", day=DAY, **versions)


def preview(application: Application, wire: Wire) -> Act:
    application.accept(paid())
    return lambda: application.preview(WHOLE_DAY)


def list_replays(application: Application, wire: Wire) -> Act:
    application.requested(**WHOLE_DAY)
    return lambda: application.get("/replay")


def send_a_refusal_again(application: Application, wire: Wire) -> Act:
    rejected_id = application.ingest({}).json_body["rejected_id"]
    correction = json.dumps(paid()).encode()
    return lambda: application.call(
        "POST", f"/rejected/{rejected_id}/retry", {"content-type": "application/json"}, correction
    )


def define_a_metric(application: Application, wire: Wire) -> Act:
    definition = json.dumps({"aggregate": "sum", "value": "/amount"}).encode()
    return lambda: application.call("PUT", "/metrics/revenue", {"content-type": "application/json"}, definition)


def retire_a_metric(application: Application, wire: Wire) -> Act:
    define_a_metric(application, wire)()
    return lambda: application.call("DELETE", "/metrics/revenue")


def list_metrics(application: Application, wire: Wire) -> Act:
    return lambda: application.get("/metrics")


def look_at_a_metric(application: Application, wire: Wire) -> Act:
    define_a_metric(application, wire)()
    return lambda: application.get("/metrics/revenue")


CALLS: dict[Prepare, Sequence[str]] = {
    ingest: ["BatchGetItem", "PutObject", "TransactWriteItems", "PutObject", "PutObject", "BatchWriteItem"],
    ingest_again: ["BatchGetItem", "PutObject", "GetObject", "TransactWriteItems"],
    request: ["GetItem", "Query", "UpdateItem", "SendMessage", "TransactWriteItems", "SendMessage"],
    plan: ["Query", "GetItem", "PutItem", "Query", *["PutItem"] * 3, "SendMessageBatch", "PutItem"],
    plan_whole_days: [
        "Query",
        "GetItem",
        "PutItem",
        *["Query"] * 4,
        "PutItem",
        "PutItem",
        "BatchWriteItem",
        "PutItem",
        "SendMessage",
    ],
    process: ["BatchGetItem", "GetObject", "BatchGetItem", "TransactWriteItems"],
    give_up: ["BatchGetItem", "BatchGetItem", "TransactWriteItems", "GetObject", "SendMessageBatch"],
    redrive: [
        "ReceiveMessage",
        "BatchGetItem",
        "TransactWriteItems",
        "SendMessageBatch",
        "DeleteMessageBatch",
        "ReceiveMessage",
    ],
    cancel: ["Query", "PutItem"],
    ask_for_a_redrive: ["Query", "SendMessage"],
    look_at_an_event: ["BatchGetItem", *["Query"] * 3],
    read_raw_text: ["BatchGetItem", "GetObject"],
    search: ["Query"],
    search_a_type: ["Query"] * 4,
    look_for_late_events: ["Query"] * 4,
    count_late_events: ["Query"] * 5,
    look_for_gaps_of_a_source: ["Query"] * 17,
    look_for_gaps: ["Query"],
    ask_how_fresh: ["Query"] * 8,
    list_sources: ["Query"] * 5,
    look_at_aggregates: ["Query"] * 6,
    compare_aggregates: ["Query", "Query", "BatchGetItem", "Query", "Query"],
    preview: ["Query"] * 3,
    list_replays: ["Query"] * 2,
    send_a_refusal_again: [
        "ListObjectsV2",
        "GetObject",
        "BatchGetItem",
        "PutObject",
        "BatchGetItem",
        "PutItem",
        "TransactWriteItems",
        "PutObject",
    ],
    define_a_metric: ["GetItem", "Query", "PutObject", "UpdateItem", "TransactWriteItems"],
    retire_a_metric: ["GetItem", "PutObject", "TransactWriteItems"],
    list_metrics: ["Query"],
    look_at_a_metric: ["GetItem", "Query"],
    look_at_a_refusal: ["ListObjectsV2", "GetObject", "ListObjectsV2"],
}
"""What each use case asks of AWS, in order. Digests: test_digests.py."""


@pytest.mark.parametrize("use_case", CALLS, ids=lambda use_case: use_case.__name__)
def test_a_use_case_makes_these_calls(application: Application, wire: Wire, use_case: Prepare) -> None:
    act = use_case(application, wire)
    wire.mend()

    act()

    assert wire.calls == CALLS[use_case]


FAILURES: dict[str, Effect] = {
    "throttled": throttled,
    "broken": broken,
    "never arrives": never_arrives,
    "answer lost": answer_lost,
}


TAKEN_ALL_THE_SAME: dict[tuple[Prepare, int], int] = {(request, 5): 202, (ingest, 5): 200}
"""A replay that was kept and could not be queued is planned a minute later; no answer depends on recorded arrivals."""

EVERY_CALL = [(use_case, call) for use_case, calls in CALLS.items() for call in range(len(calls))]
ONE_OF_EACH_OPERATION = {CALLS[use_case][call]: (use_case, call) for use_case, call in reversed(EVERY_CALL)}.values()


def failing() -> Iterator[Any]:
    """Every call of every use case, and every operation in every way."""
    for use_case, call in EVERY_CALL:
        for name, failure in FAILURES.items():
            if failure is throttled or (use_case, call) in ONE_OF_EACH_OPERATION:
                call_id = f"{use_case.__name__}-{call + 1}-{CALLS[use_case][call]}-{name}"
                yield pytest.param(use_case, call, failure, id=call_id)


@pytest.mark.parametrize(("use_case", "call", "failure"), list(failing()))
def test_a_call_that_never_succeeds_is_attempted_three_times_whatever_it_fails_with(
    application: Application, wire: Wire, use_case: Prepare, call: int, failure: Effect
) -> None:
    act = use_case(application, wire)
    wire.mend()
    wire.disturb(failure, skip=call, times=ALWAYS)

    with suppress(RetraceError):  # what a function for a queue ends with
        answer = act()
        if isinstance(answer, HTTPResponse):
            status = TAKEN_ALL_THE_SAME.get((use_case, call), 503)
            assert (answer.status_code, "Retry-After" in answer.headers) == (status, status == 503)

    attempts = wire.calls[call:]
    assert attempts[:OF_THE_SDK] == [CALLS[use_case][call]] * OF_THE_SDK
    # A dead letter is kept although it cannot be told what was wrong with it, and that fails in its turn.
    assert max(Counter(attempts).values()) == OF_THE_SDK
    wire.mend()
    assert_sound(Storage())


def no_message_taken(attempt: Attempt) -> AWSResponse:
    """A SendMessageBatch refuses all of its messages, although it could take them the next time."""
    names = [entry["Id"] for entry in attempt.members["Entries"]]
    refused = [{"Id": name, "SenderFault": False, "Code": "InternalError"} for name in names]
    return attempt.answered(200, json.dumps({"Successful": [], "Failed": refused}).encode())


met_another = fails_with(409, "ConditionalRequestConflict")


@dataclass(frozen=True)
class Repeated:
    """What a use case repeats by itself, and how often it tries."""

    use_case: Prepare
    operation: str
    effect: Effect
    attempts: int


OURS: dict[str, Repeated] = {
    "keys left unread, on ingest": Repeated(ingest, "BatchGetItem", none_read, 8),
    "keys left unread, by the processor": Repeated(process, "BatchGetItem", none_read, 8),
    "items left unwritten, on ingest": Repeated(ingest, "BatchWriteItem", none_written, 4),
    "items left unwritten, by the planner": Repeated(plan_whole_days, "BatchWriteItem", none_written, 8),
    "puts that meet others": Repeated(ingest, "PutObject", met_another, 5),
    "transactions that meet others, on ingest": Repeated(ingest, "TransactWriteItems", conflicting, 8),
    "transactions that meet others, of one aggregate": Repeated(process, "TransactWriteItems", conflicting, 40),
    "messages that SQS does not take, from the planner": Repeated(plan, "SendMessageBatch", no_message_taken, 5),
    "messages that SQS does not take, of dead letters": Repeated(give_up, "SendMessageBatch", no_message_taken, 5),
    "messages that SQS does not take, of a redrive": Repeated(redrive, "SendMessageBatch", no_message_taken, 5),
}
"""What the SDK takes for a success, or for an error that is nobody's to repeat: how often we try."""


@pytest.mark.parametrize("ours", OURS.values(), ids=OURS)
def test_what_the_sdk_does_not_repeat_is_attempted_as_often_as_we_say(
    application: Application, wire: Wire, ours: Repeated
) -> None:
    act = ours.use_case(application, wire)
    wire.mend()
    wire.disturb(ours.effect, ours.operation, times=ALWAYS)

    with suppress(RetraceError):
        act()

    assert wire.count()[ours.operation] == ours.attempts


def in_turn(*effects: Effect) -> Effect:
    """One after the other, over and over."""
    coming = itertools.cycle(effects)

    def effect(attempt: Attempt) -> AWSResponse:
        return next(coming)(attempt)

    return effect


@pytest.mark.parametrize("ours", OURS.values(), ids=OURS)
def test_where_both_have_something_to_repeat_attempts_add_up_and_do_not_multiply(
    application: Application, wire: Wire, ours: Repeated
) -> None:
    act = ours.use_case(application, wire)
    wire.mend()
    wire.disturb(in_turn(throttled, throttled, ours.effect), ours.operation, times=ALWAYS)

    with suppress(RetraceError):
        act()

    assert wire.count()[ours.operation] < ours.attempts + OF_THE_SDK
