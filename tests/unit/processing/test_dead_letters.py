"""Dead letters: counted once and kept, and sent back when asked for, whatever ends or comes in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.ledger import Changes, Counts, Outcome, OutcomeRecord, count_delta, record_of
from chalicelib.core.errors import RetraceError, StorageRefused
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Day, Instant
from chalicelib.processing.dead_letters import DeadLetterReport, RecordDeadLetters, RedriveDeadLetters, dead_letter
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import ProcessBatch, ProcessReport
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import Duplicate, ReplayMessage, message_of, parse_message
from chalicelib.replays.ports import Redriven
from tests.sizes import times
from tests.unit import one_shot
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import Bucket, Ended, Troubles, at, no_pause, one_by_one
from tests.unit.json_trees import randoms
from tests.unit.ledger_in_memory import Aggregates, DeadLettersInMemory, States

DAY = Day("2026-11-21")


@dataclass
class World:
    """The queues of a replay and who reads them. What Lambda does not acknowledge comes again."""

    bucket: Bucket = field(default_factory=Bucket)
    aggregates: Aggregates = field(default_factory=Aggregates)
    states: States = field(default_factory=lambda: States({"replay-1": JobState.SENT, "replay-2": JobState.SENT}))
    dead: DeadLettersInMemory = field(default_factory=DeadLettersInMemory)
    troubles: Troubles = field(default_factory=Troubles)
    queue: list[Delivery] = field(default_factory=list)
    failed: list[Delivery] = field(default_factory=list)
    _numbers: Callable[[], int] = field(default_factory=lambda: count().__next__)

    def store(self, *payloads: int, **members: object) -> list[ReplayMessage]:
        """Events in one raw object, and the messages that replay them."""
        times = {payload: f"2026-11-21T10:00:{payload:02}Z" for payload in payloads}
        events = [an_event(payload=payload, event_time=times[payload], **members) for payload in payloads]
        return [message_of("replay-1", TO_AGGREGATES, event) for event in self.bucket.put_once(events, RECEIPT)]

    def delivery(self, body: ReplayMessage | str) -> Delivery:
        text = body if isinstance(body, str) else body.model_dump_json(exclude_none=True)
        return Delivery(f"message-{self._numbers()}", "receipt", text)

    @property
    def recorder(self) -> RecordInLedger:
        return RecordInLedger(self.troubles.beset(self.aggregates), at(), no_pause)

    def process(self, deliveries: list[Delivery]) -> ProcessReport:
        raw, states = self.troubles.beset(self.bucket), self.troubles.beset(self.states)
        return ProcessBatch(FetchAndVerify(raw, one_by_one), states, self.recorder).process(deliveries)

    def record_dead_letters(self, deliveries: list[Delivery]) -> DeadLetterReport:
        fetcher = FetchAndVerify(self.troubles.beset(self.bucket), one_by_one)
        states, dead = self.troubles.beset(self.states), self.troubles.beset(self.dead)
        return RecordDeadLetters(states, fetcher, self.recorder, dead).record(deliveries)

    def give_up_on(self, *bodies: ReplayMessage | str) -> DeadLetterReport:
        """Messages that were received too often."""
        return self.record_dead_letters(list(map(self.delivery, bodies)))

    def redrive(self, replay_id: str = "replay-1", time_left_ms: int = 45_000) -> Redriven:
        redriving = RedriveDeadLetters(self.recorder, self.troubles.beset(self.dead))
        return redriving.redrive_slice(replay_id, lambda: time_left_ms, 60)

    def outcome(self, message: ReplayMessage) -> Outcome | None:
        return self.aggregates.outcome(record_of(message, Outcome.INPUT).key)

    def counts(self, replay_id: str = "replay-1") -> Counts:
        return self.aggregates.progress[replay_id]


def body_of(message: ReplayMessage) -> str:
    return message.model_dump_json(exclude_none=True)


class TestRecording:
    EXAMINING = 3
    """The call that reads what messages refer to, and stops nobody from keeping them."""

    def test_counts_a_message_and_keeps_it(self) -> None:
        world = World()
        [message] = world.store(1)

        report = world.give_up_on(message)

        assert (world.counts(), world.outcome(message)) == (Counts(failed=1), Outcome.FAILED)
        assert world.dead.bodies == [body_of(message)]
        assert (report.failures, [letter.message for letter in report.kept.values()]) == ({}, [message])

    def test_of_a_message_that_comes_again_counts_it_once_and_keeps_it(self) -> None:
        world = World()
        [message] = world.store(1)

        world.give_up_on(message, message)
        world.give_up_on(message)

        assert world.counts() == Counts(failed=1)
        assert world.dead.bodies == [body_of(message)] * 3

    def test_of_a_message_that_was_handled_before_is_nothing(self) -> None:
        world = World()
        processed, dropped = world.store(1, 2)
        dropped = dropped.model_copy(update={"replay_id": "replay-2"})
        world.states.by_id["replay-2"] = JobState.CANCELLED
        world.process([world.delivery(processed), world.delivery(dropped)])

        report = world.give_up_on(processed, dropped)

        assert (world.counts(), world.counts("replay-2")) == (Counts(processed=1), Counts(dropped=1))
        assert world.dead.bodies == []
        assert (report.failures, report.kept) == ({}, {})

    def test_keeps_what_it_cannot_read_and_counts_it_for_no_replay(self) -> None:
        world = World()
        [message] = world.store(1)
        strangers = [
            "{",
            "[]",
            '{"s3_bucket": "b", "s3_key": "k"}',
            body_of(message.model_copy(update={"replay_id": "replay-9"})),
        ]

        report = world.give_up_on(*strangers)

        assert world.dead.bodies == strangers
        assert [letter.failure for letter in report.kept.values()] == [
            "malformed",
            "malformed",
            "wrong-bucket",
            "unknown-replay",
        ]
        assert world.aggregates.entries == {}

    def test_that_is_refused_for_one_message_leaves_the_others_alone(self) -> None:
        world = World()
        one, other = (world.store(n, entity_id=f"order-{n}")[0] for n in (1, 2))
        write = world.aggregates.write

        def write_all_but_order_1(changes: Changes, now: Instant) -> None:
            if any(each.record.version.entity_id == "order-1" for each in changes.transitions):
                raise StorageRefused("no")
            write(changes, now)

        world.aggregates.write = write_all_but_order_1  # type: ignore[method-assign]

        assert list(world.give_up_on(one, other).failures) == ["message-0"]
        assert world.dead.bodies == [body_of(other)]

    @pytest.mark.parametrize("trouble", ["refused", "lost", "last"])
    @pytest.mark.parametrize("call", range(5))
    def test_that_ends_anywhere_comes_again_and_ends_right(self, call: int, trouble: str) -> None:
        world = World(troubles=Troubles(iter([*["none"] * call, trouble])))
        messages = world.store(1, 2)
        deliveries = [*map(world.delivery, messages), world.delivery("{")]
        with never_mind():
            report = world.record_dead_letters(deliveries)
            assert len(report.failures) == (0 if call == self.EXAMINING else 2)

        world.record_dead_letters(deliveries)

        assert world.counts() == Counts(failed=2)
        assert set(world.dead.bodies) == {*map(body_of, messages), "{"}


@contextmanager
def never_mind() -> Iterator[None]:
    """A function fails or ends, as Lambda sees it: what it was called for comes again."""
    try:
        yield
    except (RetraceError, Ended):
        return


class TestRedriving:
    def test_sends_a_replays_messages_back_and_leaves_the_others(self) -> None:
        world = World()
        one, other = world.store(1, 2)
        foreign = other.model_copy(update={"replay_id": "replay-2"})
        world.give_up_on(one, foreign, "{")

        redriven = world.redrive()
        world.dead.a_minute_later()

        assert redriven == Redriven(moved=1, came_through=True)
        assert world.dead.sent_back == [body_of(one)]
        assert world.dead.bodies == [body_of(foreign), "{"]
        assert (world.counts(), world.counts("replay-2")) == (Counts(), Counts(failed=1))

    def test_ends_with_the_message_processed_and_nothing_failed(self) -> None:
        world = World()
        messages = world.store(*range(25))
        world.give_up_on(*messages)

        assert world.redrive().moved == 25
        assert world.process(list(map(world.delivery, world.dead.sent_back))).failures == {}

        assert world.counts() == Counts(processed=25)
        assert world.dead.bodies == []

    def test_stops_when_time_runs_short(self) -> None:
        world = World()
        world.give_up_on(*world.store(*range(25)))

        assert world.redrive(time_left_ms=20_000) == Redriven(moved=10, came_through=False)
        assert world.redrive() == Redriven(moved=15, came_through=True)

    def test_of_a_message_that_was_handled_meanwhile_only_takes_it_off(self) -> None:
        world = World()
        [message] = world.store(1)
        world.give_up_on(message)
        world.process([world.delivery(message)])

        assert world.redrive() == Redriven(moved=0, came_through=True)

        assert (world.dead.bodies, world.dead.sent_back) == ([], [])
        assert world.counts() == Counts(processed=1)

    def test_moves_an_uncounted_message(self) -> None:
        world = World()
        [message] = world.store(1)
        world.dead.keep([dead_letter(body_of(message), message, None, "1")])  # as SQS does if the function cannot

        assert world.redrive().moved == 1

        assert (world.dead.bodies, world.dead.sent_back) == ([], [body_of(message)])
        assert world.counts() == Counts()

    def test_that_cannot_be_recorded_leaves_the_message_and_fails(self) -> None:
        world = World()
        [message] = world.store(1)
        world.give_up_on(message)
        world.troubles.ahead = iter(["none", "refused"])

        with pytest.raises(RetraceError):
            world.redrive()

        assert (world.dead.bodies, world.dead.sent_back) == ([body_of(message)], [])

    @pytest.mark.parametrize("trouble", ["refused", "lost", "last"])
    @pytest.mark.parametrize("call", range(5))
    def test_that_ends_anywhere_moves_everything_when_asked_again(self, call: int, trouble: str) -> None:
        world = World()
        messages = world.store(1, 2)
        world.give_up_on(*messages)
        world.troubles.ahead = iter([*["none"] * call, trouble])
        with never_mind():
            world.redrive()
        world.dead.a_minute_later()

        world.redrive()

        assert world.dead.bodies == []
        assert set(world.dead.sent_back) == set(map(body_of, messages))
        assert world.counts() == Counts()


# Everything at once


@dataclass
class Turmoil:
    """A replay whose queues are read by many at once, in no order, with failures; every few steps something ends."""

    world: World
    rng: Random
    unreadable: bool = False
    depth: int = 0

    def step(self) -> None:
        """Somebody does something."""
        steps = [self.process, self.process, self.give_up, self.bury, self.redrive]
        self.rng.choice(steps)()
        assert_counts_are_those_of_outcomes(self.world)

    def others(self) -> None:
        """What others do before a write."""
        if self.depth < 3 and self.rng.random() < 0.4:
            self.depth += 1
            self.step()
            self.depth -= 1

    def process(self) -> None:
        """A processor gets a batch. What fails is delivered again, and sometimes what was processed is, too."""
        batch = self._some(self.world.queue)
        returned = list(batch)
        raw = Bucket() if self.unreadable and self.rng.random() < 0.5 else self.world.bucket
        with never_mind():
            report = ProcessBatch(FetchAndVerify(raw, one_by_one), self.world.states, self.world.recorder).process(
                batch
            )
            returned = [each for each in batch if each.message_id in report.failures or self.rng.random() < 0.1]
        self.world.queue += returned

    def give_up(self) -> None:
        """SQS has delivered a message too often."""
        self.world.failed += self._some(self.world.queue)

    def bury(self) -> None:
        batch = self._some(self.world.failed)
        returned = list(batch)
        with never_mind():
            report = self.world.record_dead_letters(batch)
            returned = [each for each in batch if each.message_id in report.failures or self.rng.random() < 0.1]
        self.world.failed += returned

    def redrive(self) -> None:
        with never_mind():
            self.world.redrive(time_left_ms=self.rng.choice([0, 45_000]))
        if self.rng.random() < 0.5:
            self.world.dead.a_minute_later()
        self.arrive()

    def arrive(self) -> None:
        self.world.queue += map(self.world.delivery, self.world.dead.sent_back)
        self.world.dead.sent_back.clear()

    def _some(self, deliveries: list[Delivery]) -> list[Delivery]:
        self.rng.shuffle(deliveries)
        size = self.rng.randint(0, min(10, len(deliveries)))
        some, deliveries[:] = deliveries[:size], deliveries[size:]
        return some


def assert_counts_are_those_of_outcomes(world: World) -> None:
    """At any moment, whoever is in the middle of what."""
    expected = Counts()
    for record in world.aggregates.entries.values():
        expected += count_delta(None, record.outcome)
    assert world.counts() == expected


@settings(
    max_examples=times(150), phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # its randomness does not shrink
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=16, unique=True),
    st.lists(st.sampled_from(["none", "none", "refused", "lost", "last"]), max_size=40),
    st.sampled_from(["runs", "cancelled", "unreadable"]),
    randoms,
)
def test_every_message_comes_to_one_end_whatever_happens_to_it(
    wanted: list[tuple[int, int]], troubles: list[str], end: str, rng: Random
) -> None:
    """Processing, redelivery, dead letters, redriving and a cancel interleave at every write; in the end all is told.

    Each message is counted once, in the count of its outcome, and the aggregates are those of the inputs.
    """
    world = World()
    messages = some_messages(world, wanted)
    world.queue = [world.delivery(message) for message in messages for _ in range(rng.randint(1, 2))]
    world.troubles.ahead = iter(troubles)
    turmoil = Turmoil(world, rng, unreadable=end == "unreadable")
    world.aggregates.meanwhile = turmoil.others
    world.aggregates.tells = lambda: rng.random() < 0.5

    for _ in range(rng.randint(0, 40)):
        turmoil.step()
    world.states.by_id["replay-1"] = JobState.CANCELLED if end == "cancelled" else JobState.SENT
    for _ in range(rng.randint(0, 10)):
        turmoil.step()

    world.aggregates.meanwhile = lambda: None
    world.troubles.ahead = iter(())
    come_to_rest(turmoil, unreadable=end == "unreadable")

    outcomes = {message: world.outcome(message) for message in messages}
    tally = Counter(outcomes.values())
    assert set(tally) <= {Outcome.INPUT, Outcome.DUPLICATE, Outcome.DROPPED, Outcome.FAILED}
    assert world.counts() == Counts(
        tally[Outcome.INPUT] + tally[Outcome.DUPLICATE], tally[Outcome.FAILED], tally[Outcome.DROPPED]
    )
    assert {message for message, outcome in outcomes.items() if outcome is Outcome.FAILED} <= in_dead_letters(world)
    assert end != "runs" or world.counts() == Counts(processed=len(messages))
    assert_aggregates_are_those_of_inputs(world)


def some_messages(world: World, wanted: list[tuple[int, int]]) -> list[ReplayMessage]:
    """Messages of events of two entities; those with a number stand for a later arrival."""
    messages = []
    for payload, arrival in wanted:
        [message] = world.store(payload, entity_id=f"order-{payload % 2}")
        duplicate = Duplicate(ingest_time=INGESTED, request_id="again", position=arrival) if arrival else None
        messages.append(message.model_copy(update={"duplicate": duplicate}))
    return messages


def come_to_rest(turmoil: Turmoil, *, unreadable: bool) -> None:
    """Nothing fails any more, but for events that cannot be read; whatever was left half-way is gone on with."""
    world = turmoil.world
    assert world.record_dead_letters(world.failed).failures == {}
    world.dead.a_minute_later()
    world.redrive()
    turmoil.arrive()
    raw = Bucket() if unreadable else world.bucket
    report = ProcessBatch(FetchAndVerify(raw, one_by_one), world.states, world.recorder).process(world.queue)
    failed = [each for each in world.queue if each.message_id in report.failures]
    assert world.record_dead_letters(failed).failures == {}


def in_dead_letters(world: World) -> set[ReplayMessage]:
    found = map(parse_message, world.dead.bodies)
    return {message for message in found if isinstance(message, ReplayMessage)}


def assert_aggregates_are_those_of_inputs(world: World) -> None:
    of_version: dict[Version, list[OutcomeRecord]] = {}
    for each in world.aggregates.entries.values():
        if each.outcome is Outcome.INPUT:
            of_version.setdefault(each.version, []).append(each)
    assert {version: one_shot.said_by(row.aggregate) for version, row in world.aggregates.versions_written.items()} == {
        version: one_shot.computed([each.event for each in inputs]) for version, inputs in of_version.items()
    }
