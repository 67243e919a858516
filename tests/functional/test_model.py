"""A machine that does whatever may happen, in any order, beside a model: nothing is lost, doubled or changed.

Hypothesis draws the steps: requests with faults, ends and other requests between their AWS calls; planners, processors
and the function for dead letters on messages in any batches, orders and repetitions; cancels, redrives, jumps of the
clock. `make soak` draws more and longer ones, others each time.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from chalice.test import HTTPResponse
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.core.timestamps import Instant, shifted
from chalicelib.runtime import system
from tests.functional import conftest, ledger, recomputed
from tests.functional.application import Application, Message
from tests.functional.emulators import Emulator, MiniStack
from tests.functional.model import CANDIDATES, INVALID, SELECTIONS, Candidate, Model, Replay, Selection
from tests.functional.storage import Moment, Row, Storage, assert_sound
from tests.functional.wire import (
    ALWAYS,
    Effect,
    Killed,
    Wire,
    answer_lost,
    broken,
    conflicting,
    killed_after,
    killed_before,
    never_arrives,
    none_read,
    none_written,
    one_left_unread,
    one_left_unsent,
    one_left_unwritten,
    preceded_by,
    throttled,
)
from tests.sizes import is_full, times

pytestmark = pytest.mark.hypothesis

RECEIVES = 5
"""After so many SQS gives a message up."""

_BEGIN = Instant("2023-06-30T12:00:00.000000000Z")
_SECOND = 1_000_000_000
JUMPS = {"a second": _SECOND, "an hour": 3_600 * _SECOND, "a day": 86_400 * _SECOND, "back": -5 * _SECOND}


@dataclass(frozen=True)
class Fault:
    """Something that happens to one AWS call of an invocation, or to all from one on."""

    name: str
    effect: Effect
    operation: str | None = None


FAULTS = (
    Fault("throttled", throttled),
    Fault("broken", broken),
    Fault("never arrives", never_arrives),
    Fault("answer lost", answer_lost),
    Fault("killed before", killed_before),
    Fault("killed after", killed_after),
    Fault("conflicting", conflicting, "TransactWriteItems"),
    Fault("none read", none_read, "BatchGetItem"),
    Fault("one left unread", one_left_unread, "BatchGetItem"),
    Fault("none written", none_written, "BatchWriteItem"),
    Fault("one left unwritten", one_left_unwritten, "BatchWriteItem"),
    Fault("one left unsent", one_left_unsent, "SendMessageBatch"),
)

Trouble = tuple[Fault, int, int] | None
"""A fault, how many calls go well before it, and how often it strikes."""


def _striking(fault: Fault) -> st.SearchStrategy[Trouble]:
    """What strikes one operation strikes soon, as an invocation seldom makes many calls of one kind."""
    return st.tuples(st.just(fault), st.integers(0, 1 if fault.operation else 6), st.sampled_from([1, 1, ALWAYS]))


troubles: st.SearchStrategy[Trouble] = st.none() | st.sampled_from(FAULTS).flatmap(_striking)
ends = st.tuples(
    st.sampled_from([fault for fault in FAULTS if fault.name.startswith("killed")]), st.integers(0, 3), st.just(1)
)
batches = st.lists(st.sampled_from(CANDIDATES) | st.none(), min_size=1, max_size=4)


@dataclass
class Clock:
    """What the application takes for the time."""

    now: Instant = _BEGIN

    def __call__(self) -> Instant:
        self.now = shifted(self.now, 1_000_000)
        return self.now


@dataclass
class Waiting:
    """A message that waits to be delivered, and how often it was."""

    message: Message
    receives: int = 0


@dataclass
class World:
    """The application on an empty AWS, its clock, and what it has been through."""

    application: Application
    wire: Wire
    clock: Clock
    seen: Counter[str]

    @contextmanager
    def troubled(self, trouble: Trouble) -> Iterator[None]:
        """A fault strikes what is called meanwhile."""
        if trouble is not None:
            fault, skip, times = trouble
            self.wire.disturb(self._counting(fault), fault.operation, skip=skip, times=times)
        yield
        self.wire.mend()

    def _counting(self, fault: Fault) -> Effect:
        def effect(attempt: Any) -> Any:
            self.seen[fault.name] += 1
            return fault.effect(attempt)

        return effect

    def interrupted(self, skip: int, action: Callable[[], None]) -> None:
        """Something else happens before a call of what comes next."""

        def counted() -> None:
            self.seen["interrupted"] += 1
            action()

        self.wire.disturb(preceded_by(counted), skip=skip)


class Machine(RuleBasedStateMachine):
    """Steps, and what must hold after each."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Model()
        self.unacknowledged: list[Sequence[Candidate | None]] = []
        self.replays: dict[str, Replay] = {}
        self.jobs: list[Waiting] = []
        self.messages: list[Waiting] = []
        self.given_up: list[Waiting] = []
        self.raw: dict[str, bytes] = {}

    @initialize(count=st.integers(1, 8))
    def something_is_there(self, count: int) -> None:
        """Events, and a replay whose messages are on the queue; what comes next meets them."""
        self._send(CANDIDATES[:count])
        response = self.world.application.request_replay(SELECTIONS[0].request)
        must = {candidate for candidate in CANDIDATES[:count] if SELECTIONS[0].takes(candidate)}
        self.replays[response.json_body["replay_id"]] = Replay(SELECTIONS[0], must)
        self._receive()
        self._plan(self.jobs.pop())

    # Producers

    @rule(batch=batches, trouble=ends | troubles, other=st.none() | st.tuples(st.integers(0, 5), batches))
    def ingest(
        self, batch: list[Candidate | None], trouble: Trouble, other: tuple[int, list[Candidate | None]] | None
    ) -> None:
        """Send events, alone or as a batch, maybe while another producer sends some."""
        if other is not None:
            skip, meanwhile = other
            self.world.interrupted(skip, lambda: self._send(meanwhile))
        with self.world.troubled(trouble):
            self._send(batch)

    @precondition(lambda self: self.unacknowledged)
    @rule(trouble=troubles)
    def resend(self, trouble: Trouble) -> None:
        """Send again what was not acknowledged."""
        with self.world.troubled(trouble):
            self._send(self.unacknowledged.pop(0))

    def _send(self, batch: Sequence[Candidate | None]) -> None:
        known_before = self.model.sends(batch)
        texts = [INVALID if candidate is None else candidate.body for candidate in batch]
        body = texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
        response = self._answered(lambda: self.world.application.ingest(body.encode()))
        if response is None or response.status_code == 503:
            self.model.is_not_answered(batch)
            self.unacknowledged.append(batch)
            return
        assert response.status_code in {200, 201, 207, 400, 409}, response.body
        results = [response.json_body] if len(batch) == 1 else response.json_body["results"]
        self.model.is_answered(batch, results, known_before)
        self.world.seen.update(result["status"] for result in results)

    def _answered(self, request: Callable[[], HTTPResponse]) -> HTTPResponse | None:
        """The answer; None if the function ended before it gave one."""
        try:
            return request()
        except Killed:
            self.world.seen["killed"] += 1
            return None

    # Investigators

    @rule(selection=st.sampled_from(SELECTIONS), trouble=troubles)
    def replay(self, selection: Selection, trouble: Trouble) -> None:
        """Ask for a replay."""
        must = {candidate for candidate in self.model.known.values() if selection.takes(candidate)}
        with self.world.troubled(trouble):
            response = self._answered(lambda: self.world.application.request_replay(selection.request))
        assert response is None or response.status_code in {202, 503}, response.body
        if response is not None and response.status_code == 202:
            self.replays[response.json_body["replay_id"]] = Replay(selection, must)
        self._receive()

    @precondition(lambda self: self.replays)
    @rule(data=st.data(), trouble=troubles)
    def cancel(self, data: st.DataObject, trouble: Trouble) -> None:
        """Cancel a replay."""
        replay_id = data.draw(st.sampled_from(sorted(self.replays)))
        self._control(replay_id, "cancel", trouble)

    @precondition(lambda self: self.replays)
    @rule(data=st.data(), trouble=troubles)
    def redrive(self, data: st.DataObject, trouble: Trouble) -> None:
        """Send a replay's dead letters back, and have it planned on."""
        self._control(data.draw(st.sampled_from(sorted(self.replays))), "redrive", trouble)

    def _control(self, replay_id: str, action: str, trouble: Trouble) -> None:
        with self.world.troubled(trouble):
            path = f"/replay/{replay_id}/{action}"
            response = self._answered(lambda: self.world.application.call("POST", path))
        assert response is None or response.status_code in {200, 202, 409, 503}, response.body
        if action == "cancel" and (response is None or response.status_code != 409):
            # Without an answer it may be cancelled or not, and nobody counts on it any more.
            self.replays[replay_id].cancelled = True
        self.world.seen[action] += response is not None and response.status_code in {200, 202}
        self._receive()

    # Functions

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), trouble=ends | troubles, again=st.booleans())
    def plan(self, data: st.DataObject, trouble: Trouble, again: bool) -> None:  # noqa: FBT001  # drawn
        """Deliver a message to the planner, maybe once more than it was sent."""
        waiting = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        self._plan(waiting, trouble)
        if again:
            self.jobs.append(waiting)

    def _plan(self, waiting: Waiting, trouble: Trouble = None) -> None:
        self.world.application.dead.a_minute_later()
        waiting.receives += 1
        try:
            with self.world.troubled(trouble):
                self.world.application.call_planner(waiting.message, min(waiting.receives, RECEIVES))
        except (Exception, Killed):  # noqa: BLE001  # as Lambda does: the message comes again
            self.world.wire.mend()
            self.world.seen["planner failed"] += 1
            if waiting.receives < RECEIVES:
                self.jobs.append(waiting)
        self._receive()

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), trouble=ends | troubles, seed=st.integers(0, 99), at_once=st.none() | st.integers(0, 4))
    def process(self, data: st.DataObject, trouble: Trouble, seed: int, at_once: int | None) -> None:
        """Deliver messages to the processor in any batch, maybe while another has a batch, some of them twice."""
        rng = random.Random(seed)
        batch = rng.sample(self.messages, min(len(self.messages), data.draw(st.integers(1, 10))))
        if at_once is not None:
            others = rng.sample(self.messages, min(len(self.messages), 3))
            self.world.interrupted(at_once, lambda: self._process(others))
        self._process(batch, trouble, twice=rng.random() < 0.3)

    def _process(self, batch: Sequence[Waiting], trouble: Trouble = None, *, twice: bool = False) -> None:
        ended = list(batch)
        try:
            with self.world.troubled(trouble):
                answer = self.world.application.process([waiting.message for waiting in batch])
        except Killed:
            self.world.wire.mend()
            self.world.seen["processor killed"] += 1
            ended = []
        else:
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            ended = [waiting for waiting in batch if waiting.message.message_id not in failed]
        for waiting in batch:
            waiting.receives += waiting not in ended
        if not twice:
            self.messages = [waiting for waiting in self.messages if all(waiting is not each for each in ended)]
        self.given_up += [waiting for waiting in self.messages if waiting.receives >= RECEIVES]
        self.messages = [waiting for waiting in self.messages if waiting.receives < RECEIVES]

    @precondition(lambda self: self.messages or self.given_up)
    @rule(count=st.integers(1, 3), trouble=troubles)
    def give_up(self, count: int, trouble: Trouble) -> None:
        """Messages were received too often, whoever failed with them; the function for dead letters gets them."""
        self.given_up += self.messages[:count]
        del self.messages[:count]
        batch = self.given_up[:10]
        try:
            with self.world.troubled(trouble):
                answer = self.world.application.give_up_on([waiting.message for waiting in batch])
        except (Exception, Killed):  # noqa: BLE001  # as Lambda does: they come again
            self.world.wire.mend()
            self.world.seen["dead letters failed"] += 1
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        ended = [waiting for waiting in batch if waiting.message.message_id not in failed]
        self.world.seen["dead letters"] += len(ended)
        self.given_up = [waiting for waiting in self.given_up if all(waiting is not each for each in ended)]

    @rule(jump=st.sampled_from(sorted(JUMPS)))
    def jump(self, jump: str) -> None:
        """The clock is not what it was."""
        self.world.clock.now = shifted(self.world.clock.now, JUMPS[jump])

    def _receive(self) -> None:
        """Take what is on the queues, so that this machine decides what comes when."""
        self.jobs += map(Waiting, self.world.application.jobs.taken())
        self.messages += map(Waiting, self.world.application.messages.taken())

    # What holds at all times

    @invariant()
    def every_submission_is_accounted_for(self) -> None:
        """Accepted, duplicate, conflict, rejected or unacknowledged."""
        assert self.model.accounted, self.model.tally

    @invariant()
    def what_is_stored_is_right(self) -> None:
        """All of it, read once."""
        storage = Moment()
        self._what_was_acknowledged_is_stored(storage)
        self._nothing_in_the_bucket_changes(storage)
        self._every_aggregate_is_that_of_its_inputs(storage)

    def _what_was_acknowledged_is_stored(self, storage: Storage) -> None:
        """Raw line, index row and identity row agree, and hold what was sent."""
        assert_sound(storage)
        held = {json.dumps(json.loads(storage.line(row))["event"], sort_keys=True) for row in storage.index()}
        for known in self.model.known.values():
            assert json.dumps(json.loads(known.body), sort_keys=True) in held, f"{known} is lost"

    def _nothing_in_the_bucket_changes(self, storage: Storage) -> None:
        """Objects are only added."""
        now = storage.objects()
        assert self.raw.items() <= now.items()
        assert len(storage.versions().get("Versions", [])) == len(now), "an object has two versions"
        self.raw = now

    def _every_aggregate_is_that_of_its_inputs(self, storage: Storage) -> None:
        """And the counts of a replay are those of its messages."""
        rows = storage.rows("AGGREGATES_TABLE")
        for version in versions_in(rows):
            _, day, _, replay_id = version["SK"].split("#")
            inputs = recomputed.inputs_of(rows, version["PK"].removeprefix("ENTITY#"), day, replay_id)
            others = version["value"] - sum(version["counts_by_type"].values())
            assert recomputed.said({**version, "other_types_count": others}) == recomputed.aggregate(inputs)
        for replay_id in self.replays:
            assert settled_in(storage, replay_id) == ledger.counts(storage, replay_id)

    # How it ends

    def teardown(self) -> None:
        """Without further faults, everything comes to its end."""
        self.world.wire.mend()
        while self.unacknowledged:
            self._send(self.unacknowledged.pop(0))
        assert {identity for identity, sent in self.model.sent.items() if sent} == self.model.known.keys()
        for _ in range(2):
            self._work_off()
            for replay_id in self._unfinished():
                self._control(replay_id, "redrive", None)
        self._work_off()
        assert self._unfinished() == []
        self.what_is_stored_is_right()
        storage = Moment()
        for replay_id, replay in self.replays.items():
            self._has_replayed(storage, replay_id, replay)

    def _work_off(self) -> None:
        self._receive()
        while self.jobs or self.messages or self.given_up:
            while self.jobs:
                self._plan(self.jobs.pop(0))
            while self.messages:
                self._process(self.messages[:10])
            while self.given_up:
                batch, self.given_up = self.given_up[:10], self.given_up[10:]
                answer = self.world.application.give_up_on([waiting.message for waiting in batch])
                assert answer == {"batchItemFailures": []}

    def _unfinished(self) -> list[str]:
        """Replays that are still to become complete."""
        going = [replay_id for replay_id, replay in self.replays.items() if not replay.cancelled]
        jobs = [self.world.application.job(replay_id) for replay_id in going]
        return [job["replay_id"] for job in jobs if job["state"] != "COMPLETE" or job["failed"] > 0]

    def _has_replayed(self, storage: Storage, replay_id: str, replay: Replay) -> None:
        """What was there when it was asked for is in its aggregates, and nothing that it is not about."""
        inputs = [row for row in ledger.entries(storage, replay_id) if row["outcome"] == "INPUT"]
        events = {row["event_id"] for row in inputs}
        assert len(events) == len(inputs)
        about = {row["event_id"] for row in storage.index() if replay.selection.takes(candidate_of(row))}
        must = {row["event_id"] for row in storage.index() if candidate_of(row) in replay.must}
        assert events <= about
        if not replay.cancelled:
            assert must <= events, "an event was not replayed"
            job = self.world.application.job(replay_id)
            assert (job["sent"], job["processed"], job["failed"]) == (len(events), len(events), 0)


_BY_TIME = {json.loads(candidate.body)["event_time"][:19]: candidate for candidate in CANDIDATES}


def candidate_of(row: Row) -> Candidate:
    """The candidate that an index row is of; each has a time of its own."""
    return _BY_TIME[row["event_time"][:19]]


def versions_in(rows: Sequence[Row]) -> list[Row]:
    """Of the rows of AggregatesTable, the versions."""
    return [row for row in rows if row["SK"].startswith("DAY#")]


_COUNTED = {"INPUT": "processed", "REPEATED": "processed", "FAILED": "failed", "DROPPED": "dropped"}


def settled_in(storage: Storage, replay_id: str) -> dict[str, int]:
    """What the outcomes of a replay's messages come to."""
    counts: Counter[str] = Counter()
    for outcome, count in ledger.outcomes(storage, replay_id).items():
        if outcome in _COUNTED:
            counts[_COUNTED[outcome]] += count
    return dict(counts)


@pytest.fixture
def fresh(
    emulator: Emulator,
    resources: dict[str, Any],
    application: Application,
    partial_responses: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Counter[str]], World]]:
    """Makes an empty world.

    Calls are made one after the other: of a function that is killed nothing goes on, as threads of this process would.
    """
    monkeypatch.setenv("CONCURRENCY", "1")
    system.settings.cache_clear()

    def fresh(seen: Counter[str]) -> World:
        conftest.sweep(emulator, resources)
        wire, clock = Wire(emulator.deliver), Clock()
        for client in (system.s3, system.dynamodb, system.sqs):
            client.cache_clear()
            wire.attach(client())
        monkeypatch.setattr(system, "now", clock)
        return World(application, wire, clock, seen)

    yield fresh
    system.settings.cache_clear()


ENOUGH = 12
"""Stories in which all that must happen does."""
MUST_HAPPEN = {
    *("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED", "interrupted", "killed"),
    *("cancel", "redrive", "dead letters", "planner failed"),
}


def test_nothing_is_lost_whatever_happens(fresh: Callable[[Counter[str]], World], emulator: Emulator) -> None:
    many = isinstance(emulator, MiniStack)  # moto takes ten times as long for each transaction
    stories = times(4 if many else 1)
    seen: Counter[str] = Counter()

    machine: Any = lambda: Machine(fresh(seen))  # noqa: E731  # Hypothesis takes what makes one, and says otherwise
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=stories,
            stateful_step_count=50 if is_full() else 30,
            phases=(Phase.generate, Phase.shrink) if is_full() else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.normal,
        ),
    )

    print(dict(seen))  # noqa: T201  # pytest shows it where it matters
    assert stories < ENOUGH or seen.keys() >= MUST_HAPPEN
