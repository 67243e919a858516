"""The use cases that work on a replay, and snapshots of the storage that they call, for the model of replays.

Storage is that of tests/unit/in_memory.py and tests/unit/ledger_in_memory.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

from chalicelib.aggregates.ledger import Changes, Counts, LedgerKey, Outcome, record_of
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Day
from chalicelib.events.index_pages import Page, Partition
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.processing.dead_letters import RecordDeadLetters, RedriveDeadLetters
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import ProcessBatch
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES, Destinations
from chalicelib.replays.job import ReplayJob, beginning_of
from chalicelib.replays.messages import ReplayMessage, message_of, parse_message
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.preview import DaysInMemory
from chalicelib.replays.request_body import parse_replay_request
from chalicelib.replays.tasks import ReplayTask
from chalicelib.replays.use_cases import ControlReplay
from chalicelib.replays.worker import WorkOnReplay
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import Bucket, Jobs, Rows, at, destinations, no_pause, one_by_one, origins_of
from tests.unit.ledger_in_memory import Aggregates
from tests.unit.stepped import Script, UseCase

T = TypeVar("T")

REPLAY = "replay-1"
BY_ENTITY = {"entity_id": "a", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": "2026-11-21"}
WHOLE_DAYS = BY_TYPE | {"whole_days": True}

INDEX_LAG_S = 30

_BUCKET = Bucket()


def _stored(number: int, entity: str) -> StoredEvent:
    """An event whose row is in the first shard of its index."""
    versions = (
        an_event(entity_id=entity, event_time=f"2026-11-21T0{number}:00:00Z", payload=payload) for payload in count()
    )
    return _BUCKET.put_once([next(event for event in versions if int(event.event_id[0], 16) % 2 == 0)], RECEIPT)[0]


EVENTS = [_stored(number, entity) for number, entity in enumerate(["a", "b", "a"])]
_MESSAGES = [message_of(REPLAY, TO_AGGREGATES, event) for event in EVENTS]
_NUMBERS = {event.event_id: number for number, event in enumerate(EVENTS)}
_KEYS = [record_of(message, Outcome.INPUT).key for message in _MESSAGES]

Numbers = frozenset[int]
"""Some of the events, or of their messages."""


def numbers_of(messages: Iterable[ReplayMessage]) -> Numbers:
    """Which messages they are."""
    return frozenset(_NUMBERS[message.event_id] for message in messages)


def numbers_in(bodies: Iterable[str]) -> Numbers:
    """Which messages the texts are."""
    return numbers_of(message for body in bodies if isinstance(message := parse_message(body), ReplayMessage))


def delivery(number: int) -> Delivery:
    """A message as its queue delivers it."""
    return Delivery(str(number), "receipt", _MESSAGES[number].body)


@cache
def page_of(indexed: int, partition: Partition, after: str | None, limit: int) -> Page:
    """What the index answers when it has so many of the events."""
    rows = Rows()
    rows.admit(EVENTS[:indexed], "request", INGESTED)
    return rows.page(partition, after, limit)


def without_each(page: Page) -> list[tuple[int, Page]]:
    """The page as it is while the index does not show one of its events yet, for each of them."""
    return [
        (_NUMBERS[row.event.event_id], replace(page, rows=tuple(other for other in page.rows if other is not row)))
        for row in page.rows
    ]


class Stored(NamedTuple):
    """What is stored of the job: its row, the outboxes that somebody may read, and the days that were found."""

    job: ReplayJob
    outboxes: tuple[tuple[str, bytes], ...] = ()
    days: tuple[tuple[str, Day], ...] = ()

    def jobs(self, kind: type[Jobs] = Jobs) -> Jobs:
        """The same as storage that can be called."""
        days = DaysInMemory()
        days.add(self.days)
        return kind({REPLAY: self.job}, days={REPLAY: days}, outboxes=dict(self.outboxes))


def new_job(request: Mapping[str, object]) -> ReplayJob:
    """A job that was asked for."""
    parsed = parse_replay_request(json.dumps(request).encode())
    return ReplayJob(REPLAY, parsed, "somebody", INGESTED, INGESTED, shards=1, cursor=beginning_of(parsed))


def renamed(job: ReplayJob, names: Mapping[str, str]) -> ReplayJob:
    """The job with its commits called by other names."""
    outbox = None if job.outbox is None else names.get(job.outbox, job.outbox)
    return replace(job, committed_by=names.get(job.committed_by, job.committed_by), outbox=outbox)


def without_counts(job: ReplayJob) -> ReplayJob:
    """The job's own row: what processors count is kept beside it."""
    return replace(job, processed=0, failed=0, dropped=0)


def with_counts(job: ReplayJob, ledger: Aggregates) -> ReplayJob:
    """The job with what processors have counted."""
    counts = ledger.progress[REPLAY]
    return replace(job, processed=counts.processed, failed=counts.failed, dropped=counts.dropped)


def outcomes_in(ledger: Aggregates) -> tuple[Outcome | None, ...]:
    """What became of each event's message."""
    return tuple(map(ledger.outcome, _KEYS))


def written(ledger: Aggregates, changes: Changes) -> Aggregates:
    """The ledger after a write; raises what the write raises."""
    progress = defaultdict(Counts, ledger.progress)
    after = Aggregates(dict(ledger.versions_written), dict(ledger.entries), progress)
    after.write(changes, INGESTED)
    return after


def content_of(ledger: Aggregates) -> Hashable:
    """What tells ledgers apart."""
    versions = ((of, kept.revision, kept.aggregate.inputs_hash) for of, kept in ledger.versions_written.items())
    outcomes: Iterable[tuple[LedgerKey, Outcome]] = ((key, each.outcome) for key, each in ledger.entries.items())
    return frozenset(versions), frozenset(outcomes)


@dataclass
class Numbered(Generic[T]):
    """Snapshots by number, each content once."""

    things: list[T] = field(default_factory=list)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, content: Hashable, thing: T) -> int:
        """The number of a snapshot."""
        number = self._numbers.setdefault(content, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


# Who works on the replay


@dataclass(frozen=True)
class Code:
    """What is explored: the code as it is, or parts of it as they must not be."""

    plan: type[PlanReplay] = PlanReplay
    jobs: type[Jobs] = Jobs
    index_lag_s: int = INDEX_LAG_S

    @property
    def use_cases(self) -> dict[str, UseCase]:
        """Those that take part, by their roles."""
        return {
            "planner": partial(_work, self),
            "mover": partial(_work, self),
            "processor": _process,
            "recorder": _record_dead_letter,
            "cancel": lambda script, _: _control(script).cancel(REPLAY, "somebody"),
            "redrive": lambda script, _: _control(script).redrive(REPLAY),
        }


class _JobsOfScript:
    """ReplayStore, of which one call makes another port and waits for nothing."""

    def __init__(self, script: Script) -> None:
        self._jobs, self._days = script.port("jobs"), script.port("days")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jobs, name)

    def touched_days(self, _replay_id: str) -> Any:
        return self._days

    def list_outbox(self, *_: object) -> None:
        """Nothing in the model reads it."""


class _LettersOfScript:
    """DeadLetterQueue of a queue without order, of whose letters none is in the way of another."""

    ordered = False

    def __init__(self, script: Script) -> None:
        self._letters = script.port("letters")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._letters, name)


def _new_id() -> Callable[[], str]:
    """Ids that each process has for itself: the model tells them apart."""
    numbers = count()
    return lambda: f"mine-{next(numbers)}"


def _work(code: Code, script: Script, task: tuple[ReplayTask, int, bool]) -> Any:
    jobs: Any = _JobsOfScript(script)
    queues: Any = script.port("queues")
    planner = code.plan(
        jobs,
        origins_of(script.port("index")),
        queues,
        destinations(queues),
        at(),
        lambda _: None,
        _new_id(),
        one_by_one,
        code.index_lag_s,
    )
    letters: Any = _LettersOfScript(script)
    mover = RedriveDeadLetters(_recorder(script), letters)
    return WorkOnReplay(planner, lambda _: mover, queues, jobs, at()).work(task[0], lambda: 900_000, task[1])


def _recorder(script: Script) -> RecordInLedger:
    return RecordInLedger(script.port("ledger"), at(), no_pause)


def _process(script: Script, number: int) -> bool:
    processor = ProcessBatch(FetchAndVerify(_BUCKET, one_by_one), script.port("states"), _recorder(script))
    return _succeeds(processor.process([delivery(number)]).failures)


def _record_dead_letter(script: Script, number: int) -> bool:
    fetcher = FetchAndVerify(_BUCKET, one_by_one)
    dead_letters = RecordDeadLetters(script.port("states"), fetcher, _recorder(script), script.port("letters"))
    return _succeeds(dead_letters.record([delivery(number)]).failures)


def _succeeds(failures: Mapping[str, Exception]) -> bool:
    """Whether the message is not to come again."""
    for error in failures.values():
        raise error
    return True


def _control(script: Script) -> ControlReplay:
    jobs: Any = _JobsOfScript(script)
    return ControlReplay(jobs, script.port("queues"), Destinations({}), at(), _new_id(), no_pause)
