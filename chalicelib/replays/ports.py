"""Defines what replays need of storage and queues, in domain terms. Adapters provide it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.errors import NotFound
from chalicelib.core.fields import MAX_REPLAY_ID_BYTES
from chalicelib.core.pagination import PageOf
from chalicelib.core.timestamps import Day, Instant
from chalicelib.replays.events_file import EventsFile, Upload
from chalicelib.replays.in_flight import InFlight
from chalicelib.replays.job import JobState, Outbox, ReplayJob
from chalicelib.replays.messages import MessageIdentity, ReplayMessage
from chalicelib.replays.tasks import ReplayTask


@dataclass(frozen=True, slots=True)
class TouchedDay:
    """A day of an entity that a replay of whole days sends, and its position in their order."""

    position: str
    entity_id: str
    day: Day


class TouchedDays(Protocol):
    """The days of entities that one replay of whole days has found."""

    def add(self, days: Iterable[tuple[str, Day]]) -> None:
        """Keep days of entities; each is kept once."""

    def page(self, after: str | None, limit: int) -> PageOf[TouchedDay]:
        """At most `limit` days, in order, after a position."""


class SentMessages(Protocol):
    """What one replay has sent to a consumer that reports outcomes."""

    def add(self, messages: Iterable[ReplayMessage]) -> None:
        """Keep messages that are about to be sent; each is kept once."""

    def find(self, identities: Iterable[MessageIdentity]) -> Mapping[MessageIdentity, ReplayMessage]:
        """Those that were sent."""


class SentEvents(Protocol):
    """The events that any replay has sent to one destination."""

    def add(self, event_ids: Iterable[str]) -> None:
        """Keep events that were sent; each is kept once."""

    def among(self, event_ids: Sequence[str]) -> Collection[str]:
        """Those of at most 100 events that were sent."""


class ProcessedMessages(Protocol):
    """What the ledger knows of messages."""

    def processed(self, messages: Sequence[ReplayMessage]) -> Collection[MessageIdentity]:
        """Those of at most 100 messages of one replay that were processed, or reported done."""


@dataclass(frozen=True, slots=True)
class KeyedReplay:
    """The replay of an idempotency key, and the digest of its request."""

    replay_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReplayPlace:
    """The place of a new replay in the order of all: the millisecond of its id, and whether any metric was defined."""

    millisecond: int
    metrics_defined: bool = False


class ReplayStore(Protocol):
    """Replay jobs and how far they are."""

    def next_place(self, now: Instant) -> ReplayPlace:
        """The place of a new replay: now, or later if a replay was given that millisecond or a later one before."""

    def create(self, job: ReplayJob, idempotency_key: str | None, digest: str) -> KeyedReplay | None:
        """Keep a new job; if another one already has the key, keep nothing and return that one."""

    def keyed(self, idempotency_key: str) -> KeyedReplay | None:
        """The replay of an idempotency key."""

    def get(self, replay_id: str) -> ReplayJob | None:
        """A job with its counts."""

    def newest(self, after: str | None, limit: int) -> PageOf[str]:
        """At most `limit` ids of jobs, newest first, after a position."""

    def commit(self, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
        """Move a job forward, with the outbox that it names; raises WriteConflict if it was moved on by another."""

    def outbox(self, replay_id: str, commit_id: str) -> Outbox:
        """The outbox of a job's commit; raises NotFound if it has expired."""

    def list_outbox(self, replay_id: str, first: int, commit_id: str, now: Instant) -> None:
        """Keep which outbox has the messages of a replay from the `first` on, counted from 0 in order of sending."""

    def outbox_with(self, replay_id: str, number: int) -> tuple[int, Outbox]:
        """The outbox that has a message that a replay sent, by its number, and the number of the first in it.

        Raises NotFound if it has expired.
        """

    def sent_events(self, destination: str) -> SentEvents:
        """What replays have sent to a destination other than `aggregates`."""

    def touched_days(self, replay_id: str) -> TouchedDays:
        """The days that a replay of whole days has found."""

    def take_turn(self, destination: str, messages: int, rate: float, now: Instant) -> float:
        """Take the turn to send so many messages to a destination, at a rate that all replays to it share.

        Answers the seconds until there is one; 0.0 if it is taken.
        """

    def in_flight(self, destination: str) -> InFlight:
        """What all replays to a destination have in flight."""

    def keep_in_flight(self, destination: str, now: InFlight) -> None:
        """Keep it; raises WriteConflict unless it is of the revision that follows the one that is kept."""

    def sent_messages(self, replay_id: str) -> SentMessages:
        """What a replay has sent to a consumer that reports outcomes."""


def required_job(replays: ReplayStore, replay_id: str) -> ReplayJob:
    """A job with its counts; raises NotFound."""
    job = replays.get(replay_id) if len(replay_id) <= MAX_REPLAY_ID_BYTES else None
    if job is None:
        raise NotFound(f"There is no replay {replay_id[:MAX_REPLAY_ID_BYTES]}. GET /replay lists all.")
    return job


class EventsFiles(Protocol):
    """Files that name the events of replays. Clients upload them themselves."""

    def find(self, sha256: str, at: Instant, months: int) -> EventsFile | None:
        """The file of this name that was uploaded in one of the months up to an instant; None if there is none."""

    def upload(self, sha256: str, size: int, at: Instant) -> Upload:
        """A request that uploads this file, and nothing else."""

    def read(self, file: EventsFile, offset: int, length: int) -> bytes:
        """Bytes of a file; raises IntegrityFailure if it is not there any more as it was found."""


class ReplayQueues(Protocol):
    """The tasks of planners: which replays to plan, and whose dead letters to move back."""

    def plan(self, replay_id: str, delay_s: int = 0) -> None:
        """Ask for (the next slice of) a job to be planned, not before a delay of at most 900 seconds."""

    def plan_unless_planned(self, replay_id: str) -> None:
        """Ask for a job to be planned in a minute, if there is one then and no planner has had it."""

    def redrive(self, task: ReplayTask, delay_s: int = 0) -> None:
        """Ask for (the next slice of) a job's dead letters to be moved back, after a delay of at most 900 seconds."""

    def lay_aside(self, task: ReplayTask) -> None:
        """Set a task aside until an operator has looked at it."""


class Destination(Protocol):
    """Where the messages of a replay go, and how many of them may go there."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def ordered(self) -> bool:
        """Whether messages of one entity arrive in the order in which they are sent."""

    @property
    def messages_a_batch(self) -> int:
        """How many messages a batch may have."""

    @property
    def max_in_flight(self) -> int | None:
        """How many messages may be in flight; None without such a window, as outcomes are not reported back."""

    @property
    def rate(self) -> float | None:
        """Messages a second that all replays together may send; None without such a limit."""

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        """Send messages; returns when every one of them has arrived."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many messages were sent back, and whether the queue looked empty before the time ran out."""

    moved: int
    came_through: bool


class RedriveSlice(Protocol):
    """Sends one slice of a replay's dead letters back."""

    def redrive_slice(self, replay_id: str, time_left_ms: Callable[[], int], hidden_s: int) -> Redriven:
        """Send one slice back, and hide the messages of others for this long."""


@dataclass(frozen=True, slots=True)
class ReplayStatus:
    """What a processor needs to know of a replay: its state, and the hashes of the metrics that it computes."""

    state: JobState
    metrics: tuple[str, ...] = ()


class ReplayStates(Protocol):
    """How far replays are."""

    def states(self, replay_ids: Collection[str]) -> Mapping[str, ReplayStatus]:
        """The states of those replays that there are, as they are now."""
