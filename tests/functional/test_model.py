"""A machine that does whatever may happen, in any order, beside a model: nothing is lost, doubled or changed.

Hypothesis draws the steps: requests with faults, ends and other requests between their AWS calls; planners, processors
and the function for dead letters on messages in any batches, orders and repetitions, two planners at once; cancels,
redrives, an index that lags, clocks that differ and jump, and tables that are lost and rebuilt. `make soak` draws more
and longer ones, others each time.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
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
from tests.functional import conftest, lag, ledger, recomputed
from tests.functional.application import Application, Message
from tests.functional.emulators import Emulator, MiniStack
from tests.functional.events import Json
from tests.functional.lag import Lag
from tests.functional.model import CANDIDATES, INVALID, SELECTIONS, Candidate, Model, Replay, Selection
from tests.functional.operators import Operator, an_operator, lose_tables
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

REBUILDS = 1
"""In a story."""

METRICS: dict[str, Json] = {
    "total": {"aggregate": "sum", "value": "/amount"},
    "in_paris": {"aggregate": "sum", "value": "/number", "time_zone": "Europe/Paris"},
}
"""That every replay computes: a sum of decimals, and one in the days of another calendar."""

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
at_calls = st.sampled_from([None, 0, 1, 2, 3, 4, 6])
"""Before which of a planner's calls another planner works, if one does."""
batches = st.lists(st.sampled_from(CANDIDATES) | st.none(), min_size=1, max_size=4)


@dataclass
class Clock:
    """What the application takes for the time."""

    now: Instant = _BEGIN
    ahead_s: int = 0

    def __call__(self) -> Instant:
        self.now = shifted(self.now, 1_000_000)
        return shifted(self.now, self.ahead_s * _SECOND)


@dataclass
class Waiting:
    """A message that waits to be delivered, and how often it was."""

    message: Message
    receives: int = 0
    indexed: frozenset[str] = frozenset()
    """The events that were there when it was sent."""

    @property
    def kept_back_s(self) -> int:
        """How long the queue keeps a task for a planner back."""
        return int(self.message.members.get("waited_s", 0))


@dataclass
class World:
    """The application on an empty AWS, its clock, and what it has been through."""

    application: Application
    wire: Wire
    clock: Clock
    lag: Lag
    operator: Operator
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
            ahead_s, self.clock.ahead_s = self.clock.ahead_s, -self.clock.ahead_s
            action()
            self.clock.ahead_s = ahead_s

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
        self.rebuilds = 0
        self.complete: dict[tuple[str, str], Json] = {}
        self.metrics: dict[str, str] = {}

    @initialize(count=st.integers(1, 8))
    def something_is_there(self, count: int) -> None:
        """Metrics, events, and a replay whose messages are on the queue; what comes next meets them."""
        for name, definition in METRICS.items():
            sent = json.dumps(definition).encode()
            answer = self.world.application.call("PUT", f"/metrics/{name}", {"content-type": "application/json"}, sent)
            self.metrics[name] = answer.json_body["definition_sha256"][:8]
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
    @rule(data=st.data(), trouble=ends | troubles, again=st.booleans(), at_once=at_calls)
    def plan(self, data: st.DataObject, trouble: Trouble, again: bool, at_once: int | None) -> None:  # noqa: FBT001  # drawn
        """Deliver a message to the planner, maybe once more than it was sent, maybe while another planner has one."""
        waiting = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        if at_once is not None:
            other = data.draw(st.sampled_from([waiting, *self.jobs]))
            self.world.interrupted(at_once, lambda: self._plan(other))
            self.world.seen["two planners"] += 1
        self._plan(waiting, trouble)
        if again:
            self.jobs.append(waiting)

    def _plan(self, waiting: Waiting, trouble: Trouble = None) -> None:
        self.world.application.dead.a_minute_later()
        self.world.clock.now = shifted(self.world.clock.now, 60 * _SECOND)
        if waiting.kept_back_s >= lag.SECONDS:
            self.world.lag.passes_for(waiting.indexed)
        waiting.receives += 1
        try:
            with self.world.troubled(trouble):
                self.world.application.call_planner(waiting.message, min(waiting.receives, RECEIVES))
        except (Exception, Killed):  # noqa: BLE001  # as Lambda does: the message comes again
            self.world.wire.mend()
            self.world.seen["planner failed"] += 1
            if waiting.receives < RECEIVES and waiting not in self.jobs:
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

    @rule(ahead_s=st.sampled_from([-300, 0, 300]))
    def call_another_environment(self, ahead_s: int) -> None:
        """Functions have another clock than those called meanwhile, by ten minutes at most."""
        self.world.clock.ahead_s = ahead_s

    @precondition(lambda self: self.rebuilds < REBUILDS)
    @rule()
    def rebuild(self) -> None:
        """An operator has lines marked that have no rows, loses the tables of events, and has them rebuilt."""
        self.rebuilds += 1
        self.world.seen["rebuilt"] += 1
        self.world.operator.audit("--repair")
        before = {(row["event_id"], row["content_sha256"]) for row in Storage().index()}
        lose_tables()
        _, listed, _ = self.world.operator.rebuild()
        assert listed == []
        assert before <= {(row["event_id"], row["content_sha256"]) for row in Storage().index()}

    def _receive(self) -> None:
        """Take what is on the queues, so that this machine decides what comes when."""
        found = self.world.application.jobs.taken()
        indexed = frozenset(row["event_id"] for row in Storage().index()) if found else frozenset()
        self.jobs += [Waiting(message, indexed=indexed) for message in found]
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
        self._what_was_called_complete_is_so_for_ever(storage)

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
            _, calendar, day, _, replay_id = version["SK"].split("#")
            inputs = recomputed.inputs_of(rows, version["PK"].removeprefix("ENTITY#"), day, replay_id, calendar)
            # A row has neither what its samples tell nor the number of inputs of other types.
            others = version["event_count"] - sum(version["counts_by_type"].values())
            samples = [event_id for _, event_id in version["samples"]]
            told = {**version, "other_types_count": others, "sample_event_ids": samples, "metrics": None}
            assert recomputed.said(told) == recomputed.aggregate(inputs) | {"metrics": None}
            assert version["m"] == self._metrics_of(inputs, calendar)
        for replay_id in self.replays:
            assert settled_in(storage, replay_id) == ledger.counts(storage, replay_id)

    def _metrics_of(self, inputs: Sequence[Row], calendar: str) -> Json:
        """What a version's row has of metrics."""
        payloads = [json.loads(candidate_of(row).body)["payload"] for row in inputs]
        numbers, count = sum(each["number"] for each in payloads), len(payloads)
        if calendar != "UTC":
            return {self.metrics["in_paris"]: [[recomputed.as_stored(str(numbers)), count, 0]]}
        return {self.metrics["total"]: [[recomputed.as_stored(str(count * Decimal("1.10"))), count, 0]]}

    def _what_was_called_complete_is_so_for_ever(self, storage: Storage) -> None:
        """Counts and versions of a replay that is COMPLETE do not change, and tell exactly what came since."""
        for replay_id, replay in self.replays.items():
            job = self.world.application.job(replay_id)
            assert job["processed"] + job["failed"] + job["dropped"] <= job["sent"]
            self._is_as_it_was(replay_id, "job", {name: job[name] for name in _COUNTS}, settled=_is_settled(job))
            if _is_settled(job):
                assert {row["event_id"] for row in storage.index() if candidate_of(row) in replay.must} <= {
                    row["event_id"] for row in ledger.entries(storage, replay_id)
                }, "COMPLETE, and an event is left out"
        for entity_id, day in sorted({(candidate.entity, candidate.day) for candidate in CANDIDATES}):
            for version in self.world.application.versions(entity_id, day):
                self._is_a_version(storage, entity_id, day, version)

    def _is_a_version(self, storage: Storage, entity_id: str, day: str, version: Json) -> None:
        replay_id = version["replay_id"]
        job = self.world.application.job(replay_id)
        assert _is_settled(job) or not version["complete"]
        said = {name: version[name] for name in ("event_count", "inputs_hash", "complete")}
        self._is_as_it_was(replay_id, f"{entity_id} {day}", said, settled=_is_settled(job))
        if _is_settled(job) and replay_id in self.replays:
            assert version["arrived_since"] == len(self._missed(storage, entity_id, day, job))

    def _missed(self, storage: Storage, entity_id: str, day: str, job: Json) -> list[Row]:
        """The events of a day that are no inputs of a settled replay, although it covers them or they came since."""
        inputs = {row["event_id"] for row in ledger.entries(storage, job["replay_id"])}
        takes = self.replays[job["replay_id"]].selection.takes
        of_day = [row for row in storage.index() if (row["entity_id"], row["event_time"][:10]) == (entity_id, day)]
        return [
            row
            for row in of_day
            if row["event_id"] not in inputs and (takes(candidate_of(row)) or row["ingest_time"] > job["created_at"])
        ]

    def _is_as_it_was(self, replay_id: str, what: str, said: Json, *, settled: bool) -> None:
        assert self.complete.get((replay_id, what), said) == said, "it was called complete, and has changed"
        if settled:
            self.world.seen["complete"] += 1
            self.complete[replay_id, what] = said

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
        assert [self.world.application.job(replay_id) for replay_id in self._unfinished()] == []
        self.what_is_stored_is_right()
        storage = Moment()
        for replay_id, replay in self.replays.items():
            self._has_replayed(storage, replay_id, replay)

    def _work_off(self) -> None:
        self._receive()
        while self.jobs or self.messages or self.given_up:
            while self.jobs:
                self.jobs.sort(key=lambda waiting: waiting.kept_back_s)
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
    return [row for row in rows if row["SK"].startswith("P1D#")]


_COUNTS = ("state", "sent", "processed", "failed", "dropped")


def _is_settled(job: Json) -> bool:
    """Whether it says that each of its messages is processed."""
    return bool(job["state"] == "COMPLETE" and job["failed"] == 0)


_COUNTED = {"INPUT": "processed", "DUPLICATE": "processed", "FAILED": "failed", "DROPPED": "dropped"}


def settled_in(storage: Storage, replay_id: str) -> dict[str, int]:
    """What the outcomes of a replay's messages come to."""
    counts: Counter[str] = Counter()
    for outcome, count in ledger.outcomes(storage, replay_id).items():
        if outcome in _COUNTED:
            counts[_COUNTED[outcome]] += count
    return dict(counts)


@pytest.fixture
def fresh(  # noqa: PLR0913, PLR0917  # pytest hands them over by name
    emulator: Emulator,
    resources: dict[str, Any],
    application: Application,
    partial_responses: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
) -> Iterator[Callable[[Counter[str]], World]]:
    """Makes an empty world.

    Calls are made one after the other: of a function that is killed nothing goes on, as threads of this process would.
    """
    monkeypatch.setenv("CONCURRENCY", "1")
    monkeypatch.setenv("INDEX_LAG_SECONDS", str(lag.SECONDS))
    rng = random.Random(seed)
    system.settings.cache_clear()

    def fresh(seen: Counter[str]) -> World:
        conftest.sweep(emulator, resources)
        clock, lagging = Clock(), lag.Lag(rng)
        wire = Wire(lagging.over(emulator.deliver))
        for client in (system.s3, system.dynamodb, system.sqs):
            client.cache_clear()
            wire.attach(client())
        monkeypatch.setattr(system, "now", clock)
        return World(application, wire, clock, lagging, an_operator(tmp_path_factory.mktemp("operator")), seen)

    yield fresh
    system.settings.cache_clear()


ENOUGH = 12
"""Stories in which all that must happen does."""
MUST_HAPPEN = {
    *("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED", "interrupted", "killed"),
    *("cancel", "redrive", "dead letters", "planner failed", "two planners", "complete"),
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
