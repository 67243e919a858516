"""`retrace.Consumer` on the whole application: what it hands over, reports, deletes and leaves on the queue."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, repeat
from threading import Barrier, Event, Lock, Thread
from time import monotonic
from typing import Any

import pytest

from chalicelib.runtime import system
from retrace import Consumer, ConsumerError, Message
from retrace.consumer import reporting
from retrace.consumer.work import Work
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, Queue
from tests.functional.consuming import PATIENCE_S, Consuming, opened
from tests.functional.emulators import Emulator
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, paid
from tests.functional.storage import Storage
from tests.functional.wire import Attempt, never_arrives

WHOLE_DAY = {"start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}


@pytest.fixture
def application_that_reports(application: Application, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application of a stage whose destinations `billing` and `ordered` report."""
    declared = json.loads(SETTINGS["DESTINATIONS"])
    for name in ("billing", "ordered"):
        declared[name]["reports"] = True
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared))
    system.settings.cache_clear()
    return application


@pytest.fixture
def consuming(application_that_reports: Application, emulator: Emulator) -> Iterator[Consuming]:
    with opened(application_that_reports) as door:
        yield Consuming(door, emulator)


def replayed(consuming: Consuming, events: list[Json], destination: str = "billing", **request: Any) -> str:
    """A replay of new events that was sent to a destination."""
    application = consuming.door.application
    application.accept_all(events)
    selected = {"source": events[0]["source"], "event_type": events[0]["event_type"], **WHOLE_DAY}
    return application.requested_and_planned(**selected, destination=destination, **request)


def counts(consuming: Consuming, replay_id: str) -> tuple[str, int, int, int]:
    job = consuming.door.application.job(replay_id)
    return job["state"], job["sent"], job["processed"], job["failed"]


def left(queue: Queue) -> int:
    """How many messages the queue has, in flight or not."""
    return sum(map(int, queue.counted().values()))


def payments(count: int, entities: int = 1) -> list[Json]:
    """So many events of so many entities, in the order of their times."""
    return [paid(number, entity_id=f"order-{number % entities}") for number in range(1, count + 1)]


def number_of(message: Message) -> int:
    number: int = message.event["payload"]["number"]
    return number


def test_each_message_is_handed_over_with_its_event_reported_and_deleted(consuming: Consuming) -> None:
    events = [*payments(22, entities=3), paid(23, payload={"number": 23, "amount": "REAL"})]
    sent = {as_json(event).decode().replace('"REAL"', "1.10") for event in events}
    consuming.door.application.ingest(("[" + ",".join(sorted(sent)) + "]").encode())
    selected = {"source": "shop/checkout", "event_type": "order.paid", **WHOLE_DAY}
    replay_id = consuming.door.application.requested_and_planned(**selected, destination="billing")
    consumer, wire = consuming.consumer()
    found: list[Message] = []

    consumer.run(found.append, concurrency=4)

    assert {message.text for message in found} == sent
    assert {(message.replay_id, message.destination, message.attempt) for message in found} == {
        (replay_id, "billing", 1)
    }
    assert [str(message.event["payload"]["amount"]) for message in found if number_of(message) == 23] == ["1.10"]
    assert len({message.key for message in found}) == len(found) == 23
    assert (counts(consuming, replay_id), left(consuming.door.application.billing)) == (("COMPLETE", 23, 23, 0), 0)
    assert (consumer.done, consumer.failed) == (23, 0)
    assert wire.count()["GetObject"] <= wire.count()["ReceiveMessage"]


def test_messages_of_later_arrivals_are_reported_apart(consuming: Consuming) -> None:
    consuming.door.application.ingest(paid(1))
    replay_id = replayed_again(consuming, paid(1), include_duplicates=True)
    consumer, _ = consuming.consumer()
    found: list[Message] = []

    consumer.run(found.append)

    assert sorted(message.duplicate is not None for message in found) == [False, True]
    assert len({message.key for message in found}) == 2
    assert counts(consuming, replay_id) == ("COMPLETE", 2, 2, 0)


def replayed_again(consuming: Consuming, event: Json, **request: Any) -> str:
    consuming.door.application.ingest(event)
    selected = {"source": event["source"], "event_type": event["event_type"], **WHOLE_DAY}
    return consuming.door.application.requested_and_planned(**selected, destination="billing", **request)


def test_a_destination_without_reports_is_asked_for_none(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(3))
    consumer, _ = consuming.consumer(reports=False)

    consumer.run(lambda _: None)

    assert (consuming.door.reports, left(consuming.door.application.billing)) == ([], 0)
    assert counts(consuming, replay_id) == ("SENT", 3, 0, 0)


def test_nothing_is_deleted_before_its_report_is_taken(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(5))
    fates = chain(["503", "cut", "lost", "429", "500", "502", "504", "lost"], repeat("answered"))
    deleted: list[int] = []
    consumer, wire = consuming.consumer(receive_at_once=5)

    def fate() -> str:
        deleted.append(wire.count().get("DeleteMessageBatch", 0))
        return next(fates)

    consuming.door.fate = fate
    consumer.run(lambda _: None)

    assert deleted[:9] == [0] * 9
    assert (counts(consuming, replay_id), left(consuming.door.application.billing)) == (("COMPLETE", 5, 5, 0), 0)


class Death:
    """From a certain call on, to AWS or to the API, nothing of the consumer gets out, as if it had been killed."""

    def __init__(self, at: int) -> None:
        self.calls = 0
        self.at = at
        self.dead = Event()
        self._lock = Lock()

    def counts_one(self) -> bool:
        """Whether a call comes too late."""
        with self._lock:
            self.calls += 1
            if self.calls >= self.at:
                self.dead.set()
            return self.dead.is_set()

    def on_wire(self, attempt: Attempt) -> Any:
        return never_arrives(attempt) if self.counts_one() else attempt.delivered()

    def at_the_door(self) -> str:
        return "cut" if self.counts_one() else "answered"


def stop_once_dead(consumer: Consumer, death: Death) -> None:
    assert death.dead.wait(PATIENCE_S)
    consumer.stop()


def noting(handled: list[str]) -> Callable[[Message], None]:
    """A handler that notes the events which it gets."""
    return lambda message: handled.append(message.event_id)


@pytest.mark.parametrize("destination", ["billing", "ordered"])
def test_a_consumer_that_dies_before_any_call_loses_nothing_and_is_counted_once(
    consuming: Consuming, destination: str
) -> None:
    door = consuming.door
    queue = {"billing": door.application.billing, "ordered": door.application.ordered}[destination]
    for at in range(1, 12):
        events = [paid(number, source=f"shop/{at}", entity_id=f"order-{number % 2}") for number in range(1, 7)]
        replay_id = replayed(consuming, events, destination)
        handled: list[str] = []
        death = Death(at)
        door.fate = death.at_the_door
        dying, wire = consuming.consumer(destination, close_timeout_s=0.1, receive_at_once=4)
        wire.disturb(death.on_wire, times=10_000)
        watch = Thread(target=stop_once_dead, args=(dying, death))
        watch.start()
        dying.run(noting(handled), concurrency=2)
        death.dead.set()
        watch.join()
        door.fate = lambda: "answered"
        queue.a_minute_later()
        after = {each["event_id"] for each in door.reports if each["replay_id"] == replay_id}
        unreported = set(handled) - after

        consuming.consumer(destination)[0].run(noting(handled), concurrency=2)

        times = Counter(handled)
        assert len(times) == 6
        assert all(times[event] > 1 for event in unreported)
        assert (counts(consuming, replay_id), left(queue)) == (("COMPLETE", 6, 6, 0), 0)


def test_a_message_that_always_fails_ends_in_the_dead_letters_and_is_reported_with_its_reason(
    consuming: Consuming, storage: Storage
) -> None:
    dead = consuming.gives_up_after(3)
    replay_id = replayed(consuming, payments(6))
    attempts: list[int] = []

    def handle(message: Message) -> None:
        if number_of(message) == 4:
            attempts.append(message.attempt)
            raise ValueError("no account of 4")

    consumer, _ = consuming.consumer(retry_after_s=0)
    consumer.run(handle, concurrency=2)

    assert attempts == [1, 2, 3]
    assert (consumer.done, consumer.failed) == (5, 3)
    assert counts(consuming, replay_id) == ("COMPLETE", 6, 5, 1)
    [letter] = Queue(dead).received()
    [row] = [each for each in storage.rows("AGGREGATES_TABLE") if each.get("reason")]
    assert (row["reason"], letter.members["replay_id"]) == ("ValueError: no account of 4", replay_id)
    assert left(consuming.door.application.billing) == 0


def test_a_message_that_kills_its_consumer_is_reported_before_its_last_attempt(consuming: Consuming) -> None:
    consuming.gives_up_after(2)
    replay_id = replayed(consuming, payments(3))  # two of them wait behind it, and are never begun
    door = consuming.door
    for _ in range(2):
        death = Death(1_000)
        door.fate = death.at_the_door
        dying, wire = consuming.consumer(close_timeout_s=0.1)
        wire.disturb(death.on_wire, times=10_000)

        def handle(_: Message, death: Death = death, dying: Any = dying) -> None:
            death.dead.set()
            dying.stop()

        dying.run(handle)
        door.application.billing.a_minute_later()
    door.fate = lambda: "answered"

    consuming.consumer()[0].run(lambda _: None)

    assert counts(consuming, replay_id) == ("COMPLETE", 3, 0, 3)
    assert [each["reason"] for each in door.reports] == ["Attempt 2 of 2, the last one, did not end."] * 3


def test_a_last_attempt_that_is_given_back_is_reported_as_nothing_else_will(consuming: Consuming) -> None:
    consuming.gives_up_after(1)
    replay_id = replayed(consuming, payments(4))
    consumer, wire = consuming.consumer(stop_when_empty=False)
    given_back = Event()

    def give_back(attempt: Attempt) -> Any:
        answer = attempt.delivered()
        given_back.set()
        return answer

    def handle(_: Message) -> None:
        consumer.stop()
        assert given_back.wait(PATIENCE_S)

    wire.disturb(give_back, "ChangeMessageVisibilityBatch", times=1_000)
    consumer.run(handle)

    assert counts(consuming, replay_id) == ("COMPLETE", 4, 1, 3)


def test_a_stop_waits_for_no_second_report_of_last_attempts_once_one_fails(consuming: Consuming) -> None:
    """Each replay has a report of its own, and each may take as long as the first one did."""
    consuming.gives_up_after(1)
    replays = [replayed(consuming, [paid(number, source=f"shop/{number}")]) for number in (1, 2, 3)]
    consumer, _ = consuming.consumer(stop_when_empty=False)
    asked, stopped = list[bool](), Event()

    def fails() -> str:
        consumer.stop()
        asked.append(stopped.wait(PATIENCE_S))
        return "503"

    consuming.door.fate = fails
    with noted_stop(stopped):
        consumer.run(lambda _: None)

    assert asked == [True]
    assert [counts(consuming, replay_id) for replay_id in replays] == [("SENT", 1, 0, 0)] * 3


@contextmanager
def noted_stop(noted: Event) -> Iterator[None]:
    """Note when a consumer's work is stopped: `stop` only asks for it."""
    stop = Work.stop

    def stopped(work: Work) -> None:
        work.stopped.set()
        noted.set()
        stop(work)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Work, "stop", stopped)
        yield


def test_a_last_attempt_that_succeeds_counts_as_done(consuming: Consuming) -> None:
    consuming.gives_up_after(1)
    replay_id = replayed(consuming, payments(3))

    consuming.consumer()[0].run(lambda _: None)

    assert counts(consuming, replay_id) == ("COMPLETE", 3, 3, 0)


@pytest.mark.parametrize("wrong", ["another text", "a shorter object", "nothing"])
def test_a_line_that_does_not_verify_is_never_handed_over(consuming: Consuming, storage: Storage, wrong: str) -> None:
    dead = consuming.gives_up_after(2)
    replay_id = replayed(consuming, payments(3))
    [(key, content)] = storage.objects("raw/").items()
    tampered = content.replace(b'"number": 2', b'"number": 9')
    assert tampered != content
    if wrong == "nothing":
        clients.s3().delete_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key)
    else:
        body = tampered if wrong == "another text" else content[:20]
        clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key, Body=body)
    found: list[Message] = []

    consumer, _ = consuming.consumer(retry_after_s=0)
    consumer.run(found.append)

    damaged = 1 if wrong == "another text" else 3
    assert len(found) == 3 - damaged
    assert [number for number in map(number_of, found) if number == 9] == []
    assert counts(consuming, replay_id) == ("COMPLETE", 3, 3 - damaged, damaged)
    assert len(Queue(dead).received()) == damaged
    reasons = [each["reason"].partition(":")[0] for each in consuming.door.reports if each["outcome"] == "failed"]
    expected = {
        "another text": "IntegrityFailure",
        "a shorter object": "IntegrityFailure",
        "nothing": "RawObjectMissing",
    }
    assert reasons[-damaged:] == [expected[wrong]] * damaged


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"s3_bucket": "b", "s3_key": "k"}', '{"schema": "urn:other:2"}'])
def test_a_message_that_cannot_be_read_is_left_to_the_dead_letters_and_stops_nothing(
    consuming: Consuming, body: str
) -> None:
    dead = consuming.gives_up_after(2)
    consuming.door.application.billing.send(body)
    replay_id = replayed(consuming, payments(1))

    consuming.consumer(retry_after_s=0)[0].run(lambda _: None)

    assert counts(consuming, replay_id) == ("COMPLETE", 1, 1, 0)
    assert [letter.body for letter in Queue(dead).received()] == [body]


def test_a_slow_message_is_kept_invisible_and_delivered_once(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(1))
    slow, extended, begun = Event(), Event(), Event()
    consumer, wire = consuming.consumer(visibility_s=1, stop_when_empty=False)
    other, _ = consuming.consumer(stop_when_empty=False)
    extensions = iter(range(1, 1_000))
    found: list[Message] = []

    def extend(attempt: Attempt) -> Any:
        if next(extensions) == 8:  # twice as long as the message would be invisible
            extended.set()
        return attempt.delivered()

    def handle(message: Message) -> None:
        found.append(message)
        begun.set()
        assert slow.wait(PATIENCE_S)

    wire.disturb(extend, "ChangeMessageVisibilityBatch", times=1_000)
    running = [Thread(target=each.run, args=(handle,)) for each in (consumer, other)]
    running[0].start()
    assert begun.wait(PATIENCE_S)
    running[1].start()
    assert extended.wait(PATIENCE_S)
    slow.set()
    until_complete(consuming, replay_id)
    for each in (consumer, other):
        each.stop()
    for thread in running:
        thread.join()

    assert [message.attempt for message in found] == [1]
    assert left(consuming.door.application.billing) == 0


def until_complete(consuming: Consuming, replay_id: str) -> None:
    """Wait until all is reported, asking between the calls of consumers."""
    for _ in range(1_000_000):
        with consuming.door.lock:
            if counts(consuming, replay_id)[0] == "COMPLETE":
                return
    raise AssertionError("it never completed")


@pytest.mark.parametrize("how", ["stop", "SIGTERM", "SIGINT"])
def test_a_consumer_that_stops_finishes_what_it_handles_and_gives_back_the_rest(consuming: Consuming, how: str) -> None:
    replay_id = replayed(consuming, payments(8))
    consumer, wire = consuming.consumer(stop_when_empty=False, report_age_s=3_600.0, receive_at_once=8)
    given_back, found = Event(), list[Message]()
    both = Barrier(2)

    def give_back(attempt: Attempt) -> Any:
        answer = attempt.delivered()
        given_back.set()
        return answer

    def handle(message: Message) -> None:
        found.append(message)
        if both.wait(PATIENCE_S) == 0:
            consumer.stop() if how == "stop" else os.kill(os.getpid(), getattr(signal, how))
        assert given_back.wait(PATIENCE_S)

    wire.disturb(give_back, "ChangeMessageVisibilityBatch", times=1_000)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    consumer.run(handle, concurrency=2)

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert len(found) == 2
    assert counts(consuming, replay_id) == ("SENT", 8, 2, 0)
    assert len(consuming.door.application.billing.received()) == 6


def test_messages_of_a_group_are_handled_one_after_the_other_and_groups_at_once(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(40, entities=4), "ordered")
    handled: dict[str, list[int]] = defaultdict(list)
    in_work = Counter[str]()
    lock, two_at_once = Lock(), Barrier(2)
    most: list[int] = []

    def handle(message: Message) -> None:
        with lock:
            in_work[message.entity_id] += 1
            most.append(in_work[message.entity_id])
        if number_of(message) in (1, 2):  # the first ones of two groups
            two_at_once.wait(PATIENCE_S)
        with lock:
            handled[message.entity_id].append(number_of(message))
            in_work[message.entity_id] -= 1

    consuming.consumer("ordered")[0].run(handle, concurrency=4)

    assert {entity: numbers == sorted(numbers) for entity, numbers in handled.items()} == {
        f"order-{number}": True for number in range(4)
    }
    assert set(most) == {1}
    assert counts(consuming, replay_id) == ("COMPLETE", 40, 40, 0)


def test_a_group_need_not_wait_for_a_large_report(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(25), "ordered")
    consumer, _ = consuming.consumer("ordered", report_age_s=3_600.0, stop_when_empty=False)
    handled: list[int] = []

    def handle(message: Message) -> None:
        handled.append(number_of(message))
        if len(handled) == 25:
            consumer.stop()

    consumer.run(handle)

    assert handled == list(range(1, 26))
    assert counts(consuming, replay_id) == ("COMPLETE", 25, 25, 0)


def test_a_consumer_that_was_stopped_can_run_again(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(3))
    consumer, _ = consuming.consumer()
    consumer.stop()
    found: list[Message] = []

    consumer.run(found.append)
    assert found == []
    consumer.run(found.append)

    assert counts(consuming, replay_id) == ("COMPLETE", 3, 3, 0)


def test_a_message_that_came_late_in_a_poll_is_held_for_its_whole_time(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(1))
    consumer, wire = consuming.consumer(visibility_s=1, stop_when_empty=False)
    found: list[Message] = []

    def late(attempt: Attempt) -> Any:
        began = monotonic()
        while monotonic() < began + 1.1:  # the poll takes longer than the message is invisible
            pass
        return attempt.delivered()

    def handle(message: Message) -> None:
        found.append(message)
        consumer.stop()

    wire.disturb(late, "ReceiveMessage")
    consumer.run(handle)

    assert [message.attempt for message in found] == [1]
    assert counts(consuming, replay_id) == ("COMPLETE", 1, 1, 0)


def test_nothing_of_a_group_overtakes_a_message_that_failed(consuming: Consuming) -> None:
    consuming.gives_up_after(5, "ordered")
    replay_id = replayed(consuming, payments(6), "ordered")
    tried: list[int] = []

    def handle(message: Message) -> None:
        tried.append(number_of(message))
        if number_of(message) == 3 and message.attempt < 3:
            raise ValueError("not now")

    consuming.consumer("ordered", retry_after_s=0)[0].run(handle, concurrency=2)

    assert tried == [1, 2, 3, 3, 3, 4, 5, 6]
    assert counts(consuming, replay_id) == ("COMPLETE", 6, 6, 0)


def test_a_group_goes_on_after_the_last_attempt_and_only_what_failed_is_a_dead_letter(consuming: Consuming) -> None:
    dead = consuming.gives_up_after(3, "ordered")
    replay_id = replayed(consuming, payments(6), "ordered")
    tried: list[int] = []

    def handle(message: Message) -> None:
        tried.append(number_of(message))
        if number_of(message) == 3:
            raise ValueError("never")

    consuming.consumer("ordered", retry_after_s=0)[0].run(handle, concurrency=2)

    assert tried == [1, 2, 3, 3, 3, 4, 5, 6]
    assert counts(consuming, replay_id) == ("COMPLETE", 6, 5, 1)
    assert len(Queue(dead).received()) == 1


def test_a_message_whose_time_is_over_is_not_begun(consuming: Consuming) -> None:
    replayed(consuming, payments(3), "ordered")
    consumer, wire = consuming.consumer("ordered", retry_after_s=0)
    found: list[Message] = []

    def late(attempt: Attempt) -> Any:  # as if the process had been suspended for longer than a message is invisible
        consumer.queue.visibility_s = -1
        return attempt.delivered()

    def in_time(attempt: Attempt) -> Any:
        consumer.queue.visibility_s = 30
        return attempt.delivered()

    wire.disturb(late, "ReceiveMessage")
    wire.disturb(in_time, "GetObject")
    consumer.run(found.append)

    assert [number_of(message) for message in found] == [1, 2, 3]
    assert {message.attempt for message in found} == {2}


def test_a_report_has_at_most_so_many_outcomes(consuming: Consuming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MAX_OUTCOMES", 4)
    replay_id = replayed(consuming, payments(11))

    consuming.consumer(report_age_s=3_600.0)[0].run(lambda _: None)

    assert counts(consuming, replay_id) == ("COMPLETE", 11, 11, 0)
    assert max(consuming.door.sizes) <= 4
    assert len(consuming.door.sizes) <= 5


def test_a_report_that_is_refused_ends_the_consumer_and_deletes_nothing(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(3))
    consuming.door.fate = lambda: "403"
    consumer, _ = consuming.consumer()

    with pytest.raises(ConsumerError, match=f"POST /replay/{replay_id}/outcomes"):
        consumer.run(lambda _: None)

    assert len(consuming.door.application.billing.received()) == 3


@pytest.mark.parametrize("status", ["403", "503"])
def test_a_consumer_ends_though_it_receives_nothing_until_it_has_reported(
    consuming: Consuming, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(reporting, "MAX_OUTCOMES", 2)
    replayed(consuming, payments(3))
    consuming.door.fate = lambda: status
    consumer, _ = consuming.consumer(stop_when_empty=False, close_timeout_s=0.1)
    ended: list[Exception | None] = []

    def handle(_: Message) -> None:
        if status == "503" and consumer.done == 2:
            consumer.stop()

    def run() -> None:
        try:
            consumer.run(handle)
        except ConsumerError as error:
            ended.append(error)
        else:
            ended.append(None)

    running = Thread(target=run, daemon=True)
    running.start()
    running.join(PATIENCE_S)

    assert [error is None for error in ended] == [status == "503"]
    assert len(consuming.door.application.billing.received()) == 3


def forgotten(replay_id: str) -> None:
    """Let the API not know a replay any more."""
    key = {"PK": {"S": f"REPLAY#{replay_id}"}, "SK": {"S": "JOB"}}
    clients.dynamodb().delete_item(TableName=SETTINGS["REPLAYS_TABLE"], Key=key)


def test_messages_of_an_unknown_replay_stay_on_the_queue_and_end_nothing(
    consuming: Consuming, caplog: pytest.LogCaptureFixture
) -> None:
    unknown, known = replayed(consuming, payments(3)), replayed(consuming, [paid(4, source="shop/till")])
    forgotten(unknown)
    consumer, _ = consuming.consumer()

    consumer.run(lambda _: None)

    assert (counts(consuming, known), left(consuming.door.application.billing)) == (("COMPLETE", 1, 1, 0), 3)
    assert f"does not know replay {unknown}" in caplog.text
    assert "`url` or RETRACE_URL" in caplog.text


def test_messages_of_a_replay_that_is_known_to_be_unknown_are_dead_letters_and_not_handed_over(
    consuming: Consuming,
) -> None:
    dead = consuming.gives_up_after(1)  # so that each is reported before it is handed over
    forgotten(replayed(consuming, payments(3)))
    handled: list[str] = []

    consuming.consumer()[0].run(noting(handled))

    assert (handled, left(consuming.door.application.billing), len(Queue(dead).received())) == ([], 0, 3)


def test_messages_of_a_replay_that_takes_no_reports_are_deleted(
    application: Application, consuming: Consuming, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATIONS", SETTINGS["DESTINATIONS"])
    system.settings.cache_clear()
    replayed(consuming, payments(3))

    consuming.consumer(reports=True)[0].run(lambda _: None)

    assert left(application.billing) == 0
    assert "takes no reports" in caplog.text


def test_a_loop_has_handled_a_message_when_it_asks_for_the_next(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(4))
    consumer, _ = consuming.consumer(retry_after_s=0)
    found = []

    for message in consumer:
        found.append(message)
        if message.attempt == 1 and number_of(message) == 2:
            consumer.fail("not yet")

    assert sorted(map(number_of, found)) == [1, 2, 2, 3, 4]
    assert counts(consuming, replay_id) == ("COMPLETE", 4, 4, 0)


@pytest.mark.parametrize("context", [lambda consumer: consumer, nullcontext])
def test_a_loop_that_is_left_gives_its_message_back(
    consuming: Consuming, context: Callable[[Consumer], AbstractContextManager[Consumer]]
) -> None:
    replay_id = replayed(consuming, payments(4))
    consumer, _ = consuming.consumer()

    with context(consumer):
        for message in consumer:
            if number_of(message) > 0:
                break

    assert counts(consuming, replay_id) == ("SENT", 4, 0, 0)
    assert len(consuming.door.application.billing.received()) == 4


def test_an_error_in_a_loop_is_the_reason_why_its_message_failed(consuming: Consuming) -> None:
    consuming.gives_up_after(1)
    replay_id = replayed(consuming, payments(1))
    consumer, _ = consuming.consumer()

    def handle() -> None:
        with consumer:
            for _ in consumer:
                raise ValueError("no account")

    with pytest.raises(ValueError, match="no account"):
        handle()

    assert counts(consuming, replay_id) == ("COMPLETE", 1, 0, 1)


def test_an_error_that_is_none_of_the_handler_ends_the_consumer(consuming: Consuming) -> None:
    replay_id = replayed(consuming, payments(2))
    consumer, _ = consuming.consumer()

    def handle(_: Message) -> None:
        raise SystemExit("enough")

    with pytest.raises(SystemExit, match="enough"):
        consumer.run(handle)

    assert counts(consuming, replay_id) == ("SENT", 2, 0, 0)


def test_a_cloudevent_is_handed_over_as_it_was_sent(consuming: Consuming) -> None:
    text = (
        f'{{"specversion":"1.0","id":"1","source":"/shop/1","type":"order.paid","subject":"order-1",'
        f'"time":"{DAY}T10:00:00Z","data":{{"amount":1.10}}}}'
    )
    application = consuming.door.application
    assert application.ingest(text.encode(), "application/cloudevents+json").status_code == 201
    selected = {"source": "/shop/1", "event_type": "order.paid", **WHOLE_DAY}
    replay_id = application.requested_and_planned(**selected, destination="billing")
    found: list[Message] = []

    consuming.consumer()[0].run(found.append)

    assert [message.text for message in found] == [text]
    assert counts(consuming, replay_id) == ("COMPLETE", 1, 1, 0)
