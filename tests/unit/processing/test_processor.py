"""Processing: each event of a replay counts once, however its messages are batched, repeated, reordered or raced."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import Changes, Counts, Ledger, Outcome, OutcomeRecord, Snapshot, record_of
from chalicelib.aggregates.ports import DefinitionsByHash
from chalicelib.core.errors import (
    IntegrityFailure,
    InvalidRequest,
    RawObjectMissing,
    RetraceError,
    StorageRefused,
    TryAgain,
    UnknownReplay,
    WriteConflict,
    WrongBucket,
)
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Day, Instant, day_of
from chalicelib.events.event import Event
from chalicelib.events.raw_objects import MAX_RAW_OBJECT_BYTES, RawLocation
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.measuring import NO_DEFINITIONS
from chalicelib.processing.processor import ProcessBatch, ProcessReport
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import Duplicate, ObjectReference, ReplayMessage, message_of
from tests.sizes import times
from tests.unit import one_shot
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import BUCKET, Bucket, Troubles, at, at_once, no_pause, one_by_one
from tests.unit.json_trees import randoms
from tests.unit.ledger_in_memory import Aggregates, States

DAY = Day("2026-11-21")


@dataclass
class World:
    """Raw objects, aggregates, and a processor between them."""

    bucket: Bucket = field(default_factory=Bucket)
    aggregates: Aggregates = field(default_factory=Aggregates)
    states: States = field(default_factory=lambda: States({"replay-1": JobState.SENT, "replay-2": JobState.SENDING}))
    troubles: Troubles = field(default_factory=Troubles)
    definitions: DefinitionsByHash = NO_DEFINITIONS
    rng: Random | None = None
    _message_ids: Callable[[], int] = field(default_factory=lambda: count().__next__)

    def store(self, *events: dict[str, object]) -> list[ReplayMessage]:
        """Events in one raw object, and the messages that replay them."""
        return self.store_events([an_event(**event) for event in events])

    def store_events(self, events: list[Event]) -> list[ReplayMessage]:
        """The same, of events that are given."""
        stored = self.bucket.put_once(events, RECEIPT)
        return [message_of("replay-1", TO_AGGREGATES, event) for event in stored]

    def deliver(self, *bodies: ReplayMessage | ObjectReference | str) -> ProcessReport:
        """One batch of messages."""
        return self.process(list(map(self.delivery, bodies)))

    def delivery(self, body: ReplayMessage | ObjectReference | str) -> Delivery:
        text = body if isinstance(body, str) else body.model_dump_json(exclude_none=True)
        return Delivery(f"message-{self._message_ids()}", "receipt", text)

    def process(self, deliveries: list[Delivery]) -> ProcessReport:
        concurrently = one_by_one if self.rng is None else at_once(self.rng)
        recorder = RecordInLedger(self.troubles.beset(self.aggregates), at(), no_pause)
        raw, states = self.troubles.beset(self.bucket), self.troubles.beset(self.states)
        return ProcessBatch(FetchAndVerify(raw, concurrently), states, recorder, self.definitions).process(deliveries)

    def deliver_meanwhile(self, message: ReplayMessage) -> None:
        """Let another processor handle a message before the next write."""

        def meanwhile() -> None:
            self.aggregates.meanwhile = lambda: None
            self.deliver(message)

        self.aggregates.meanwhile = meanwhile

    def value(self, entity_id: str = "order-1007", replay_id: str = "replay-1") -> int:
        """The aggregate's value."""
        version = Version(entity_id, DAY, replay_id)
        value: int = self.aggregates.versions_written.get(version, Snapshot()).aggregate.event_count
        return value

    def outcome(self, message: ReplayMessage) -> Outcome | None:
        """What is recorded of a message."""
        return self.aggregates.outcome(record_of(message, Outcome.INPUT).key)

    def counts(self, replay_id: str = "replay-1") -> Counts:
        """What the replay counts."""
        return self.aggregates.progress[replay_id]


def order(number: int, **members: object) -> dict[str, object]:
    """The n-th event of an order's day."""
    return {"payload": number, "event_time": f"2026-11-21T10:{number // 60:02}:{number % 60:02}Z"} | members


# One day's and the next day's events of two entities, in objects of a source and day each.
objects = st.lists(
    st.tuples(
        st.sampled_from(["shop", "web"]),
        st.sampled_from(["2026-11-21", "2026-11-22"]),
        st.lists(
            st.tuples(st.sampled_from(["order-1", "order-2"]), st.sampled_from(["paid", "void"]), st.integers(0, 9)),
            min_size=1,
            max_size=8,
            unique=True,
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=times(150), phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # its randomness does not shrink
@given(objects, st.lists(st.sampled_from(["none", "refused", "lost"]), max_size=12), randoms)
def test_each_event_counts_once_whatever_happens_to_its_messages(
    objects: list[tuple[str, str, list[tuple[str, str, int]]]], troubles: list[str], rng: Random
) -> None:
    """Batches interleave at every write, calls fail before or after they are done, and what failed comes again."""
    world = World(troubles=Troubles(iter(troubles)), rng=rng)
    messages = {
        message.event_id: message
        for source, day, members in objects
        for message in world.store(
            *(
                order(n, source=source, entity_id=entity, event_type=kind, event_time=f"{day}T10:00:0{n}Z")
                for entity, kind, n in members
            )
        )
    }
    deliveries = [world.delivery(message) for message in messages.values() for _ in range(rng.randint(1, 3))]
    rng.shuffle(deliveries)

    def process_some() -> None:
        if deliveries:
            batch = [deliveries.pop() for _ in range(rng.randint(1, min(10, len(deliveries))))]
            failures = world.process(batch).failures
            returned = [delivery for delivery in batch if delivery.message_id in failures]
            deliveries.extend(returned)
            rng.shuffle(deliveries)

    def meanwhile() -> None:
        if rng.random() < 0.3:
            process_some()

    world.aggregates.meanwhile = meanwhile
    world.aggregates.tells = lambda: rng.random() < 0.5
    for _ in range(200):  # far more than all troubles and contention can take
        process_some()
    assert deliveries == []

    expected: dict[Version, list[Input]] = defaultdict(list)
    for message in messages.values():
        version = Version(message.entity_id, day_of(Instant(message.event_time)), "replay-1")
        expected[version].append(
            Input(Instant(message.event_time), message.event_id, message.event_type, message.content_sha256)
        )
    assert {version: one_shot.said_by(row.aggregate) for version, row in world.aggregates.versions_written.items()} == {
        version: one_shot.computed(inputs) for version, inputs in expected.items()
    }
    assert all(world.aggregates.inputs_of(version) == sorted(inputs) for version, inputs in expected.items())
    assert world.counts() == Counts(processed=len(messages))


def test_twelve_messages_in_batches_of_ten_and_two_twice_in_either_order_make_twelve() -> None:
    world = World()
    messages = world.store(*map(order, range(12)))
    ten, two = messages[:10], messages[10:]

    for batch in (ten, two, two, ten):
        assert not world.deliver(*batch).failures

    assert world.value() == 12
    assert len(world.aggregates.versions_written) == 1


def test_replays_are_versions_of_their_own() -> None:
    world = World()
    [message] = world.store(order(1))

    world.deliver(message, message.model_copy(update={"replay_id": "replay-2"}))

    assert world.value() == world.value(replay_id="replay-2") == 1


def test_events_of_one_batch_that_change_one_version_are_one_write() -> None:
    world = World()

    assert world.deliver(*world.store(*map(order, range(10)))).aggregate_writes == 1


def test_what_was_counted_before_is_no_write() -> None:
    world = World()
    messages = world.store(*map(order, range(3)))
    world.deliver(*messages)

    assert world.deliver(*messages).aggregate_writes == 0


def test_neighbouring_lines_are_read_together() -> None:
    world = World()

    world.deliver(*world.store(*map(order, range(10))))

    assert world.bucket.reads == 1


class Bottomless(Bucket):
    """Holds whatever it is asked for, and remembers how much it gave out at once."""

    held: int = 0
    most: int = 0

    def read(self, location: RawLocation) -> bytes:
        self.held += location.length
        self.most = max(self.most, self.held)
        return b"{}"


def test_however_large_the_events_of_a_batch_are_few_are_read_before_they_are_checked() -> None:
    world = World(bucket=Bottomless())
    [message] = world.store(order(0))
    bucket = world.bucket
    assert isinstance(bucket, Bottomless)
    large = [message.model_copy(update={"s3_key": f"raw/{n}", "s3_length": 5_000_000}) for n in range(100)]

    def checked_between(function: Callable[[list[object]], object], groups: list[list[object]], /) -> list[object]:
        bucket.held = 0  # what was read the last time has been checked by now
        return [function(group) for group in groups]

    recorder = RecordInLedger(world.aggregates, at(), no_pause)
    fetcher = FetchAndVerify(bucket, checked_between)  # type: ignore[arg-type]
    report = ProcessBatch(fetcher, world.states, recorder).process(list(map(world.delivery, large)))

    assert len(report.failures) == 100
    assert 5_000_000 < bucket.most <= 4 * MAX_RAW_OBJECT_BYTES


class TestFailure:
    def test_of_one_message_leaves_the_others_of_its_batch_alone(self) -> None:
        world = World()
        good, *bad = world.store(*map(order, range(3)))
        wrong_hash = bad[0].model_copy(update={"content_sha256": "0" * 64})
        elsewhere = bad[1].model_copy(update={"s3_key": "raw/none"})
        foreign = bad[1].model_copy(update={"s3_bucket": "other-bucket"})

        report = world.deliver("oops", wrong_hash, good, elsewhere, foreign)

        assert {name: type(error) for name, error in report.failures.items()} == {
            "message-0": InvalidRequest,
            "message-1": IntegrityFailure,
            "message-3": RawObjectMissing,
            "message-4": WrongBucket,
        }
        assert report.messages == 5
        assert report.integrity_failures == 2
        assert world.value() == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"event_id": "0" * 64},
            {"content_sha256": "0" * 64},
            {"entity_id": "order-1"},
            {"event_time": "2026-11-21T10:00:00.000000001Z"},
            {"s3_offset": 1},
            {"s3_length": 40},
        ],
        ids=str,
    )
    def test_is_the_end_of_a_message_that_is_not_what_is_stored(self, change: dict[str, object]) -> None:
        world = World()
        first, second = world.store(order(0), order(1))

        report = world.deliver(first.model_copy(update=change), second)

        assert [type(error) for error in report.failures.values()] == [IntegrityFailure]
        assert list(report.failures) == ["message-0"]
        assert world.value() == 1

    def test_is_the_end_of_a_message_whose_raw_event_was_changed(self) -> None:
        world = World()
        message, other = world.store(order(0, payload="as sent"), order(1))
        world.bucket.objects[message.s3_key] = world.bucket.objects[message.s3_key].replace(b"as sent", b"as lied")

        report = world.deliver(message, other)

        assert report.integrity_failures == 1
        assert world.value() == 1

    @pytest.mark.parametrize("error", [StorageRefused("too large"), WriteConflict("too many writers")], ids=repr)
    def test_to_write_one_version_leaves_the_others_alone(self, error: RetraceError) -> None:
        world = World()
        messages = world.store(*(order(n, entity_id=f"order-{n % 3}") for n in range(9)))
        write = world.aggregates.write

        def write_all_but_order_1(changes: Changes, now: Instant) -> None:
            if any(each.version.entity_id == "order-1" for each in changes.revisions):
                raise error
            write(changes, now)

        world.aggregates.write = write_all_but_order_1  # type: ignore[method-assign]

        assert list(world.deliver(*messages).failures) == ["message-1", "message-4", "message-7"]
        assert [world.value(f"order-{n}") for n in range(3)] == [3, 0, 3]

    def test_to_read_one_version_leaves_the_others_alone(self) -> None:
        world = World()
        messages = world.store(*(order(n, entity_id=f"order-{n}") for n in range(3)))
        read = world.aggregates.read

        def read_all_but_order_1(records: Sequence[OutcomeRecord]) -> Ledger:
            if any(each.version.entity_id == "order-1" for each in records):
                raise StorageRefused("no key")
            return read(records)

        world.aggregates.read = read_all_but_order_1  # type: ignore[method-assign]

        assert list(world.deliver(*messages).failures) == ["message-1"]

    def test_of_storage_that_takes_nothing_now_is_not_tried_for_each_version(self) -> None:
        world = World()
        messages = world.store(*(order(n, entity_id=f"order-{n}") for n in range(3)))
        world.troubles.ahead = iter(["none", "none", "refused"])

        assert len(world.deliver(*messages).failures) == 3
        assert world.aggregates.calls == []

    def test_is_what_endless_contention_comes_to(self) -> None:
        world = World()
        [message] = world.store(order(0))

        def others_get_in_first() -> None:
            version = Version("order-1007", DAY, "replay-1")
            row = world.aggregates.versions_written.get(version, Snapshot())
            world.aggregates.versions_written[version] = replace(row, revision=row.revision + 1)

        world.aggregates.meanwhile = others_get_in_first

        [error] = world.deliver(message).failures.values()
        assert isinstance(error, WriteConflict)

    def test_to_know_the_states_of_replays_is_not_that_of_a_reference_to_an_object(self) -> None:
        world = World()
        [message] = world.store(order(0))
        world.troubles.ahead = iter(["refused"])

        report = world.deliver(message, ObjectReference(s3_bucket=BUCKET, s3_key=message.s3_key))

        assert {name: type(error) for name, error in report.failures.items()} == {"message-0": TryAgain}
        assert len(world.aggregates.versions_written) == 1

    def test_is_the_end_of_a_message_of_no_replay(self) -> None:
        world = World()
        message, other = world.store(order(0), order(1))

        report = world.deliver(message.model_copy(update={"replay_id": "replay-9"}), other)

        assert {name: type(error) for name, error in report.failures.items()} == {"message-0": UnknownReplay}
        assert world.value() == 1


class TestContention:
    def test_that_is_told_of_costs_no_second_read(self) -> None:
        world = World()
        first, second = world.store(order(0), order(1))
        world.deliver_meanwhile(first)

        assert not world.deliver(second).failures

        assert world.aggregates.calls == ["read", "read", "write", "write", "write"]
        assert world.value() == 2

    def test_that_is_not_told_of_is_waited_for_and_read(self) -> None:
        world = World()
        first, second = world.store(order(0), order(1))
        world.deliver_meanwhile(first)
        world.aggregates.tells = lambda: False

        assert not world.deliver(second).failures

        assert world.aggregates.calls == ["read", "read", "write", "write", "read", "write"]
        assert world.value() == 2

    @pytest.mark.parametrize("told", [True, False])
    @pytest.mark.parametrize("entities", [1, 3])
    def test_with_thirty_faster_writers_loses_no_message(self, entities: int, *, told: bool) -> None:
        world = World()
        *others, own = world.store(*(order(n, entity_id=f"order-{n % entities}") for n in range(31)))
        neighbours = world.store(*(order(40 + n, entity_id=f"order-{n}") for n in range(entities)))
        faster = iter(others)

        def meanwhile() -> None:
            world.aggregates.meanwhile = lambda: None
            for message in islice(faster, entities):  # one of each aggregate
                assert not world.deliver(message).failures
            world.aggregates.meanwhile = meanwhile

        world.aggregates.meanwhile = meanwhile
        world.aggregates.tells = lambda: told

        assert not world.deliver(own, *neighbours).failures
        assert world.counts() == Counts(processed=31 + entities)


class TestCancelledReplay:
    def test_has_its_messages_dropped_unread(self) -> None:
        world = World()
        messages = world.store(*map(order, range(3)))
        other = messages[2].model_copy(update={"replay_id": "replay-2"})
        world.states.by_id["replay-1"] = JobState.CANCELLED

        report = world.deliver(*messages, messages[0])

        assert (report.failures, report.dropped, report.aggregate_writes) == ({}, 4, 0)
        assert world.bucket.reads == 0
        assert world.counts() == Counts(dropped=3)
        assert world.deliver(messages[0], other).failures == {}
        assert (world.value(), world.value(replay_id="replay-2")) == (0, 1)

    def test_keeps_what_was_processed_before(self) -> None:
        world = World()
        one, other = world.store(order(0), order(1))
        world.deliver(one)
        world.states.by_id["replay-1"] = JobState.CANCELLED

        report = world.deliver(one, other)

        assert report.dropped == 1
        assert world.counts() == Counts(processed=1, dropped=1)
        assert (world.outcome(one), world.outcome(other)) == (Outcome.INPUT, Outcome.DROPPED)

    @pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.CANCELLED])
    def test_is_the_only_one_whose_messages_are_dropped(self, state: JobState) -> None:
        world = World()
        world.states.by_id["replay-1"] = state

        assert world.deliver(*world.store(order(0))).dropped == 0
        assert world.value() == 1


class TestLaterArrival:
    def arrival(self, message: ReplayMessage, position: int) -> ReplayMessage:
        duplicate = Duplicate(ingest_time=INGESTED, request_id="request#1", position=position)
        return message.model_copy(update={"duplicate": duplicate})

    def test_is_processed_and_no_input(self) -> None:
        world = World()
        [message] = world.store(order(0))
        repeated = [self.arrival(message, position) for position in (0, 1)]

        report = world.deliver(*repeated, message, *repeated)

        assert (report.failures, report.aggregate_writes) == ({}, 1)
        assert world.value() == 1
        assert world.counts() == Counts(processed=3)
        assert [world.outcome(each) for each in (message, *repeated)] == ["INPUT", "DUPLICATE", "DUPLICATE"]

    def test_is_verified_as_any_message(self) -> None:
        world = World()
        [message] = world.store(order(0))

        report = world.deliver(self.arrival(message, 0).model_copy(update={"content_sha256": "0" * 64}))

        assert report.integrity_failures == 1
        assert world.counts() == Counts()


class TestObjectReference:
    def test_counts_every_event_of_an_object_once(self) -> None:
        world = World()
        [message, *_] = world.store(*map(order, range(250)))
        reference = ObjectReference(s3_bucket=BUCKET, s3_key=message.s3_key)

        reports = [world.deliver(reference, reference), world.deliver(reference)]

        assert [report.failures for report in reports] == [{}, {}]
        [(version, row)] = world.aggregates.versions_written.items()
        assert version.replay_id == reference.replay_id
        assert not version.of_job
        assert row.aggregate.event_count == 250
        assert world.aggregates.progress == {}

    def test_goes_with_messages_that_refer_into_the_object(self) -> None:
        world = World()
        messages = world.store(*map(order, range(4)))
        reference = ObjectReference(s3_bucket=BUCKET, s3_key=messages[0].s3_key)

        assert not world.deliver(messages[0], reference, messages[3]).failures

        assert world.value() == 2
        assert {row.aggregate.event_count for row in world.aggregates.versions_written.values()} == {
            2,
            4,
        }

    def test_adds_nothing_to_the_version_of_a_replay(self) -> None:
        world = World()
        [message, other] = world.store(order(0), order(1))
        world.deliver(message)
        before, counted = world.value(), world.counts()

        world.deliver(ObjectReference(s3_bucket=BUCKET, s3_key=other.s3_key))

        assert (world.value(), world.counts()) == (before, counted)
        assert {version.of_job for version in world.aggregates.versions_written} == {True, False}

    def test_is_not_harmed_by_a_message_that_refers_past_the_objects_end(self) -> None:
        world = World()
        [message] = world.store(order(0))
        past_the_end = message.model_copy(update={"s3_offset": 10**6})

        report = world.deliver(past_the_end, ObjectReference(s3_bucket=BUCKET, s3_key=message.s3_key))

        assert list(report.failures) == ["message-0"]
        assert len(world.aggregates.versions_written) == 1

    def test_of_an_object_with_a_damaged_line_counts_nothing(self) -> None:
        world = World()
        [message, *_] = world.store(order(0), order(1, payload="as sent"))
        world.bucket.objects[message.s3_key] = world.bucket.objects[message.s3_key].replace(b"as sent", b"as lied")

        report = world.deliver(ObjectReference(s3_bucket=BUCKET, s3_key=message.s3_key))

        assert report.integrity_failures == 1
        assert not world.aggregates.versions_written


def test_a_message_names_what_it_replays_exactly() -> None:
    world = World()
    [message] = world.store(order(0))

    world.deliver(json.dumps(message.model_dump(exclude_none=True)))

    [version] = world.aggregates.versions_written
    assert version == Version("order-1007", DAY, "replay-1")
