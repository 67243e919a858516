"""The planner: which events a replay sends, page by page, and what survives when it is interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from chalicelib.replays import commit_batch, dynamodb_planning, origins
from chalicelib.replays import planner as plan
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, Message, batched, message, sqs_event
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import (
    ALWAYS,
    Effect,
    Killed,
    Wire,
    answer_lost,
    killed_after,
    killed_before,
    lagging,
    one_left_unsent,
    preceded_by,
    throttled,
)

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid"}


def times(messages: Iterable[Message]) -> list[str]:
    return sorted(found.members["event_time"] for found in messages)


def at(*clocks: str, **changes: Any) -> list[Json]:
    """Events at these times of the day."""
    return [paid(event_time=f"{DAY}T{clock}Z", payload=clock, **changes) for clock in clocks]


def process_all(application: Application, messages: list[Message]) -> None:
    for batch in batched(messages, 10):
        application.process(batch)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages a batch, and two rows a read."""
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", 3)
    monkeypatch.setattr(origins, "ROWS_A_READ", 2)
    monkeypatch.setattr(origins, "FEWEST_ROWS_A_READ", 2)


# What is sent


def test_a_message_says_what_the_event_is_and_where_its_line_stands(application: Application, storage: Storage) -> None:
    application.accept(paid())

    replay_id, [found] = application.planned(**WHOLE_DAY)

    [row] = storage.index()
    names = ("event_id", "entity_id", "event_time", "ingest_time", "source", "event_type", "content_sha256")
    places = ("s3_bucket", "s3_key", "s3_offset", "s3_length")
    named = {"schema": "urn:retrace:replay-message:1", "replay_id": replay_id, "destination": "aggregates"}
    assert found.members == named | {name: row[name] for name in (*names, *places)}
    assert found.members["s3_bucket"] == SETTINGS["RAW_BUCKET"]


@pytest.mark.parametrize("destination", [{}, {"destination": "ordered"}])
def test_attributes_name_source_type_and_replay_so_that_receivers_choose_without_parsing(
    application: Application, destination: Json
) -> None:
    application.accept(paid(source="shop/\u00e9\U0001f600", event_type="a\u0001b\uffffc"))

    replay_id = application.requested_and_planned(**WHOLE_DAY, **destination)

    [attributes] = (application.ordered if destination else application.messages).attributes()
    assert attributes == {
        "source": "shop/\u00e9\U0001f600",
        "event_type": "a\ufffdb\ufffdc",
        "replay_id": replay_id,
    }


def test_a_window_includes_its_start_and_excludes_its_end(application: Application) -> None:
    application.accept_all(
        at("09:59:59.999999999", "10:00:00", "10:00:00.000000001", "10:59:59.999999999", "11:00:00", "11:00:00.1")
    )

    _, messages = application.planned(
        entity_id="order-1", start_time=f"{DAY}T10:00:00Z", end_time=f"{DAY}T13:00:00+02:00"
    )

    assert times(messages) == [
        f"{DAY}T10:00:00.000000000Z",
        f"{DAY}T10:00:00.000000001Z",
        f"{DAY}T10:59:59.999999999Z",
    ]


def test_a_replay_of_an_entity_sends_that_entity_alone_whatever_its_type(application: Application) -> None:
    application.accept_all(
        [
            paid(1),
            paid(2, event_type="order.refunded", source="shop/returns"),
            paid(3, entity_id="order-10"),
            paid(4, entity_id="order-1#"),
            paid(5, entity_id="order-"),
        ]
    )

    _, messages = application.planned(**WHOLE_DAY)

    assert {found.members["entity_id"] for found in messages} == {"order-1"}
    assert len(messages) == 2


@pytest.mark.parametrize("entity_id", ["a#b", "a%23b", "a%b", "%", "#"])
def test_entities_whose_names_hold_separators_are_told_apart(application: Application, entity_id: str) -> None:
    names = ["a#b", "a%23b", "a%b", "%", "#"]
    application.accept_all([paid(number, entity_id=name) for number, name in enumerate(names)])

    _, messages = application.planned(**{**WHOLE_DAY, "entity_id": entity_id})

    assert [found.members["entity_id"] for found in messages] == [entity_id]


def test_a_replay_of_a_type_and_day_sends_every_entity_of_that_day(application: Application) -> None:
    application.accept_all(
        [
            *at("00:00:00", "23:59:59.999999999"),
            *[paid(number, entity_id=f"order-{number}") for number in range(2, 8)],
            paid(1, event_time=f"{NEXT_DAY}T00:00:00Z"),
            paid(1, event_time="2023-06-29T23:59:59.999999999Z"),
            paid(1, event_type="order.refunded"),
            paid(1, source="shop/returns"),
        ]
    )

    replay_id, messages = application.planned(**BY_TYPE, day=DAY)

    assert len(messages) == 8
    assert {found.members["event_time"][:10] for found in messages} == {DAY}
    assert {(found.members["source"], found.members["event_type"]) for found in messages} == {tuple(BY_TYPE.values())}
    assert application.job(replay_id)["sent"] == 8


def test_days_are_replayed_from_the_first_to_the_last_both_included(application: Application) -> None:
    days = ["2023-06-29", "2023-06-30", "2023-07-01", "2023-07-02"]
    application.accept_all([paid(event_time=f"{day}T{clock}Z") for day in days for clock in ("00:00:00", "23:59:59")])

    _, messages = application.planned(**BY_TYPE, start_day="2023-06-30", end_day="2023-07-01")

    assert Counter(found.members["event_time"][:10] for found in messages) == {"2023-06-30": 2, "2023-07-01": 2}


def test_duplicates_and_conflicts_are_not_replayed(application: Application) -> None:
    application.accept(paid(1, idempotency_key="k"))
    application.ingest([paid(1, idempotency_key="k"), paid(2, idempotency_key="k")])

    _, messages = application.planned(**WHOLE_DAY)

    assert len(messages) == 1


def test_a_replay_that_finds_nothing_completes_with_nothing_sent(application: Application) -> None:
    for request in (WHOLE_DAY, {**BY_TYPE, "day": DAY}, {**BY_TYPE, "start_day": DAY, "end_day": NEXT_DAY}):
        replay_id, messages = application.planned(**request)

        job = application.job(replay_id)
        assert messages == []
        assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 0, 0, 0)


# Batches and slices


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("count", [2, 3, 4, 7, 9])
def test_a_replay_of_many_batches_sends_every_event_once(application: Application, count: int) -> None:
    application.accept_all(paid_several(count))

    replay_id, messages = application.planned(**WHOLE_DAY)

    assert times(messages) == [event["event_time"] for event in paid_several(count)]
    job = application.job(replay_id)
    assert (job["scanned"], job["matched"], job["sent"]) == (count, count, count)


@pytest.mark.usefixtures("small_batches")
def test_a_replay_of_a_type_goes_through_the_pages_of_every_shard(application: Application) -> None:
    events = [paid(number, entity_id=f"order-{number % 3}") for number in range(1, 26)]
    application.accept_all(events)

    replay_id, messages = application.planned(**BY_TYPE, day=DAY)

    assert times(messages) == [event["event_time"] for event in events]
    assert len({found.members["event_id"] for found in messages}) == 25
    assert application.job(replay_id)["sent"] == 25


def test_more_messages_than_one_send_takes_are_all_sent(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(25))
    wire.mend()

    _, messages = application.planned(**WHOLE_DAY)

    assert len(messages) == 25
    assert wire.count()["SendMessageBatch"] == 3


@pytest.mark.usefixtures("small_batches")
def test_a_planner_that_has_time_takes_several_batches_and_then_makes_room_for_others(
    application: Application, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    monkeypatch.setattr(plan, "BATCHES_A_SLICE", 2)
    application.accept_all(paid_several(10))
    replay_id = application.requested(**WHOLE_DAY)

    slices = [call_with_time_left(application, ms=100_000) for _ in range(2)]

    assert slices == [6, 10]
    assert application.jobs.taken() == []
    assert application.job(replay_id)["state"] == "SENT"


@pytest.mark.usefixtures("small_batches")
def test_a_planner_with_little_time_left_still_takes_one_batch(application: Application) -> None:
    application.accept_all(paid_several(7))
    application.requested(**WHOLE_DAY)

    assert [call_with_time_left(application, ms=20_000) for _ in range(3)] == [3, 6, 7]


def call_with_time_left(application: Application, ms: int) -> int:
    """Deliver what is on the jobs queue to a planner that has so much time; answers how many messages were sent yet."""
    from app import planner  # noqa: PLC0415  # not before the environment stands

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return ms

    [found] = application.jobs.taken()
    planner(sqs_event([found]), Context())
    sent: int = application.job(found.members["replay_id"])["sent"]
    return sent


@pytest.mark.usefixtures("small_batches")
def test_replays_take_turns(application: Application) -> None:
    application.accept_all(paid_several(9))
    application.accept(paid(entity_id="order-2"))
    large = application.requested(**WHOLE_DAY)
    small = application.requested(**{**WHOLE_DAY, "entity_id": "order-2"})

    for found in application.jobs.taken():
        application.call_planner(found)

    assert application.job(large)["state"] == "SENDING"
    assert application.job(small)["sent"] == 1


# Progress


@pytest.mark.usefixtures("small_batches")
def test_a_job_passes_from_planning_over_sending_and_sent_to_complete(application: Application) -> None:
    application.accept_all(paid_several(4))
    replay_id = application.requested(**WHOLE_DAY)
    states = [application.job(replay_id)["state"]]
    for _ in range(2):
        for found in application.jobs.taken():
            application.call_planner(found)
        states.append(application.job(replay_id)["state"])
    messages = application.messages.taken()
    for found in messages:
        application.process([found])
        states.append(application.job(replay_id)["state"])

    assert states == ["PLANNING", "SENDING", "SENT", "SENT", "SENT", "SENT", "COMPLETE"]


def test_a_job_is_complete_only_when_each_of_its_messages_was_processed(application: Application) -> None:
    application.accept_all(paid_several(12))
    replay_id, messages = application.planned(**WHOLE_DAY)

    application.process(messages[:10])
    first = application.job(replay_id)
    application.process(messages[:10])
    again = application.job(replay_id)
    application.process(messages[10:])
    last = application.job(replay_id)

    assert (first["state"], first["sent"], first["processed"]) == ("SENT", 12, 10)
    assert again == first
    assert (last["state"], last["sent"], last["processed"]) == ("COMPLETE", 12, 12)


# Interruptions


def test_a_job_that_is_delivered_again_after_it_was_sent_sends_nothing_more(application: Application) -> None:
    application.accept_all(paid_several(3))
    replay_id, messages = application.planned(**WHOLE_DAY)
    before = application.job(replay_id)

    application.call_planner(message({"replay_id": replay_id}))

    assert len(messages) == 3
    assert application.messages.received() == []
    assert application.jobs.received() == []
    assert application.job(replay_id) == before


@pytest.mark.usefixtures("small_batches")
def test_every_slice_delivered_twice_sends_each_event_at_least_once_and_counts_it_once(
    application: Application,
) -> None:
    application.accept_all(paid_several(10))
    replay_id = application.requested(**WHOLE_DAY)

    while slices := application.jobs.taken():
        for found in slices[:1]:
            application.call_planner(found)
            application.call_planner(found)

    messages = application.messages.taken()
    process_all(application, messages)
    job = application.job(replay_id)
    assert set(times(messages)) == {event["event_time"] for event in paid_several(10)}
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 10, 10)


INTERRUPTED: dict[str, tuple[str, Effect]] = {
    f"{effect.__name__} {operation}": (operation, effect)
    for operation in ("Query", "SendMessageBatch", "PutItem", "SendMessage")
    for effect in (killed_before, killed_after)
}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(("operation", "effect"), INTERRUPTED.values(), ids=INTERRUPTED)
@pytest.mark.parametrize("skip", [0, 1])
def test_a_planner_that_ends_between_two_calls_neither_skips_nor_counts_twice(
    application: Application, wire: Wire, operation: str, effect: Effect, skip: int
) -> None:
    application.accept_all(paid_several(7))
    replay_id = application.requested(**WHOLE_DAY)
    wire.disturb(effect, operation, skip=skip)

    killed = application.plan_through()

    messages = application.messages.taken()
    process_all(application, messages)
    job = application.job(replay_id)
    assert killed == 1
    assert set(times(messages)) == {event["event_time"] for event in paid_several(7)}
    assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 7, 7, 7)
    assert application.versions("order-1", DAY)[0]["event_count"] == 7


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("operation", ["Query", "SendMessageBatch", "PutItem", "SendMessage"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_planner_that_lost_one_answer_still_brings_the_job_to_its_end(
    application: Application, wire: Wire, operation: str, skip: int
) -> None:
    application.accept_all(paid_several(7))
    replay_id = application.requested(**WHOLE_DAY)
    wire.disturb(answer_lost, operation, skip=skip)

    application.plan()

    messages = application.messages.taken()
    process_all(application, messages)
    job = application.job(replay_id)
    assert set(times(messages)) == {event["event_time"] for event in paid_several(7)}
    assert (job["state"], job["sent"], job["processed"]) == ("COMPLETE", 7, 7)


@pytest.mark.usefixtures("small_batches")
def test_two_planners_at_once_neither_skip_nor_count_twice(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(10))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    wire.disturb(preceded_by(lambda: application.call_planner(found)), "PutItem")

    application.call_planner(found)
    application.plan()

    messages = application.messages.taken()
    process_all(application, messages)
    job = application.job(replay_id)
    assert set(times(messages)) == {event["event_time"] for event in paid_several(10)}
    assert (job["state"], job["scanned"], job["sent"], job["processed"]) == ("COMPLETE", 10, 10, 10)


@pytest.mark.usefixtures("small_batches")
def test_a_planner_that_was_overtaken_does_not_take_the_job_back(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(7))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    overtaken: list[Json] = []

    def overtake() -> None:
        application.call_planner(found)
        application.plan()
        overtaken.append(application.job(replay_id))

    wire.disturb(preceded_by(overtake), "PutItem")
    application.call_planner(found)

    assert overtaken[0]["state"] == "SENT"
    assert application.job(replay_id) == overtaken[0]


def different(messages: Iterable[Message]) -> list[Message]:
    """Each message once, as processors tell them apart."""
    return list({found.members["event_id"]: found for found in messages}.values())


def test_a_replay_whose_planners_meet_and_die_is_not_complete_before_its_last_message_is_processed(
    application: Application, wire: Wire
) -> None:
    application.accept_all(paid_several(5))
    replay_id = application.requested(**WHOLE_DAY)
    application.call("POST", f"/replay/{replay_id}/redrive")  # a second chain of planners
    first, second = application.jobs.taken()

    def meet_another() -> None:
        application.accept(paid(6))
        wire.disturb(killed_before, "PutItem", skip=1)
        with pytest.raises(Killed):
            application.call_planner(second)

    wire.disturb(preceded_by(meet_another), "PutItem", skip=1)
    application.call_planner(first)
    application.call_planner(second)  # SQS delivers it again
    application.plan()

    [withheld, *others] = different(application.messages.taken())
    process_all(application, others)
    before = application.job(replay_id)
    process_all(application, [withheld])
    after = application.job(replay_id)
    assert before["sent"] == after["sent"] == len(others) + 1
    assert (before["state"], after["state"]) == ("SENT", "COMPLETE")


def test_a_planner_that_reads_less_than_the_one_that_died_sends_what_that_one_committed(
    application: Application, wire: Wire
) -> None:
    ids = [result["event_id"] for result in application.accept_all(paid_several(3))]
    replay_id = application.requested(**BY_TYPE, day=DAY)
    [found] = application.jobs.taken()
    wire.disturb(killed_after, "PutItem", skip=2)
    with pytest.raises(Killed):
        application.call_planner(found)
    wire.disturb(lagging(ids[1], "ENTITY#"), "Query", times=ALWAYS)

    application.call_planner(found)
    application.plan()

    messages = application.messages.taken()
    assert {each.members["event_id"] for each in messages} == set(ids)
    assert application.job(replay_id)["sent"] == 3


def killed_once_committed(application: Application, wire: Wire) -> tuple[str, Message]:
    """A replay whose planner died before it sent anything, and the message that calls the next one."""
    application.accept_all(paid_several(3))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    wire.disturb(killed_before, "SendMessageBatch")
    with pytest.raises(Killed):
        application.call_planner(found)
    return replay_id, found


def test_an_outbox_of_several_rows_is_sent_whole(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_planning, "PART_BYTES", 100)
    replay_id, found = killed_once_committed(application, wire)

    application.call_planner(found)

    assert times(application.messages.taken()) == [event["event_time"] for event in paid_several(3)]
    assert application.job(replay_id)["state"] == "SENT"


def test_a_replay_whose_outbox_has_expired_fails_and_says_why(
    application: Application, wire: Wire, storage: Storage
) -> None:
    replay_id, found = killed_once_committed(application, wire)
    [row] = [row for row in storage.rows("REPLAYS_TABLE") if "content" in row]
    key = {name: {"S": row[name]} for name in ("PK", "SK")}
    clients.dynamodb().delete_item(TableName=SETTINGS["REPLAYS_TABLE"], Key=key)

    with pytest.raises(Exception, match="expired after 30 days"):
        application.call_planner(found, receives=5)

    job = application.job(replay_id)
    assert (job["state"], job["failure"]) == (
        "FAILED",
        f"The outbox of replay {replay_id} expired after 30 days. Ask for a new replay.",
    )


def test_messages_that_sqs_did_not_take_are_sent_again(application: Application, wire: Wire) -> None:
    application.accept_all(paid_several(4))
    wire.disturb(one_left_unsent, "SendMessageBatch", times=4)

    replay_id, messages = application.planned(**WHOLE_DAY)

    assert times(messages) == [event["event_time"] for event in paid_several(4)]
    assert application.job(replay_id)["sent"] == 4


def test_what_sqs_did_not_take_is_in_flight_until_the_next_planner_has_sent_it(
    application: Application, wire: Wire
) -> None:
    application.accept_all(paid_several(4))
    replay_id = application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    wire.disturb(one_left_unsent, "SendMessageBatch", times=ALWAYS)

    with pytest.raises(Exception, match="SQS did not take every message"):
        application.call_planner(found)

    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("SENDING", 4)
    wire.mend()
    application.call_planner(found)
    application.plan()
    assert set(times(application.messages.taken())) == {event["event_time"] for event in paid_several(4)}
    assert (application.job(replay_id)["state"], application.job(replay_id)["sent"]) == ("SENT", 4)


@pytest.mark.parametrize("operation", ["Query", "SendMessageBatch", "PutItem"])
def test_a_planner_that_aws_throttles_fails_so_that_its_slice_is_delivered_again(
    application: Application, wire: Wire, operation: str
) -> None:
    application.accept(paid())
    application.requested(**WHOLE_DAY)
    [found] = application.jobs.taken()
    wire.disturb(throttled, operation, times=ALWAYS)

    with pytest.raises(Exception, match="AWS did not take a call"):
        application.call_planner(found)


def test_an_unknown_job_fails_so_that_it_ends_in_the_dead_letter_queue(application: Application) -> None:
    with pytest.raises(Exception, match="There is no replay"):
        application.call_planner(message({"replay_id": "nobody"}))
