"""A replay as a job: its states, its place in the index, its counts, and what it has committed to send."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.core.errors import DestinationRefused, InvalidRequest
from chalicelib.core.timestamps import Day, Instant, shifted
from chalicelib.replays.destinations import DeclaredDestination
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.request import ReplayRequest


class JobState(StrEnum):
    """PLANNING → SENDING → SENT → COMPLETE, or CANCELLED, or FAILED."""

    PLANNING = "PLANNING"
    SENDING = "SENDING"
    SENT = "SENT"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class FailureReason(StrEnum):
    """Why a job has FAILED, if more is known than its error says."""

    DESTINATION_REFUSED = "destination-refused"
    EVENTS_FILE = "events-file"


ACTIVE_STATES = (JobState.PLANNING, JobState.SENDING)
"""States in which a planner still has something to read."""


AFTER_CANCEL_S = 120
"""A cancel is committed while its function lives, at most 29 seconds. A processor that read the job before that ends 60
seconds later. The rest is for clocks that differ."""


DEAD_LETTERS_KEPT_S = 14 * 86_400 + 3_600
"""SQS keeps a message for 14 days. It can be counted up to an hour before that, if the function in between fails."""


OUTBOXES_KEPT_DAYS = 30
"""Longer than a queue keeps any message, so a job can be resumed for as long as that makes sense. For as long it is
known what a replay sent, in order."""


_LONGEST_FAILURE = 1_000


@dataclass(frozen=True, slots=True)
class Requester:
    """The requester of a replay, and the idempotency key that makes a resend the same request."""

    name: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far planning has come. Everything before it was sent or is in the outbox. The next planner begins after it.

    `discovering_days` is True while a replay of whole days finds out which days its events touch. `group` counts groups
    of partitions. `found_to` is the last of the touched days that is done, `day` the one being read, `after` the last
    sort key done in that group or day. `duplicated` is an event whose later arrivals are being sent, `duplicates_to`
    the last of those.
    """

    discovering_days: bool = False
    group: int = 0
    found_to: str | None = None
    day: str | None = None
    after: str | None = None
    duplicated: str | None = None
    duplicates_to: str | None = None


def beginning_of(request: ReplayRequest) -> Cursor:
    """The cursor before anything was read: days that must be found are found first."""
    return Cursor(discovering_days=request.selects_whole_days)


def told_failure(error: Exception) -> str:
    """What a job says of the error that ended it. It is short, so that the job fits into a row."""
    return (str(error) or type(error).__name__)[:_LONGEST_FAILURE]


def reason_of(error: Exception) -> FailureReason | None:
    """Which reason an error is that ended a job. All that is invalid once a job is stored is its events file."""
    if isinstance(error, DestinationRefused):
        return FailureReason.DESTINATION_REFUSED
    return FailureReason.EVENTS_FILE if isinstance(error, InvalidRequest) else None


@dataclass(frozen=True, slots=True)
class PinnedMetric:
    """A metric as a replay computes it."""

    name: str
    definition_sha256: str


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A replay and how far it is.

    `shards` is how many shards the type-and-day index had when the job was made. `revision` counts commits: a commit
    holds only for the revision it was made from. `committed_by` names the last one. `outbox` names the commit whose
    messages may not all have been sent; `sent` counts them. `due_at` is when the next message may be sent at a rate.
    `metrics` are those that it computes beside those that are built in, whatever their names become.
    `destination_arn` is where its destination was when the job was made, and `takes_reports` whether it reported then.
    `failed` messages are dead letters, the last of them since `failed_at`; `dropped` ones came after a cancel.
    `counted_at` is when one of these counts changed last.
    """

    replay_id: str
    request: ReplayRequest
    requested_by: str
    created_at: Instant
    updated_at: Instant
    shards: int
    state: JobState = JobState.PLANNING
    cursor: Cursor = Cursor()
    revision: int = 0
    committed_by: str = ""
    outbox: str | None = None
    due_at: Instant | None = None
    cancelled_by: str | None = None
    cancelled_at: Instant | None = None
    failure: str | None = None
    scanned: int = 0
    matched: int = 0
    sent: int = 0
    processed: int = 0
    failed: int = 0
    failed_at: Instant | None = None
    counted_at: Instant | None = None
    dropped: int = 0
    metrics: tuple[PinnedMetric, ...] = ()
    destination_arn: str = ""
    takes_reports: bool = False
    not_found: int = 0
    failed_because: FailureReason | None = None

    @property
    def destination(self) -> DeclaredDestination:
        """Where its messages go, whatever its stage declares by now."""
        return DeclaredDestination(self.request.destination, self.destination_arn, self.takes_reports)

    @property
    def resumed(self) -> ReplayJob:
        """A failed one as a planner goes on with it, where the last one stopped."""
        state = JobState.PLANNING if self.cursor.discovering_days else JobState.SENDING
        return replace(self, state=state, failure=None, failed_because=None)

    @property
    def in_flight(self) -> int:
        """How many messages were sent and are neither processed, dropped nor a dead letter."""
        return self.sent - self.processed - self.failed - self.dropped

    @property
    def moved_at(self) -> Instant:
        """When a planner or an outcome moved it on last."""
        return self.updated_at if self.counted_at is None else max(self.updated_at, self.counted_at)

    @property
    def may_change_until(self) -> Instant | None:
        """When the last batch that a processor had in hand at a cancel has ended; it may count until then.

        None for other destinations, as their consumers may report outcomes at any time.
        """
        if self.cancelled_at is None or not self.destination.is_aggregates:
            return None
        return shifted(self.cancelled_at, AFTER_CANCEL_S * 1_000_000_000)

    @property
    def dead_letters_until(self) -> Instant | None:
        """When the last of its dead letters has expired; None if it has none, or its consumer keeps them."""
        if self.failed_at is None or self.failed <= 0 or not self.destination.is_aggregates:
            return None
        return shifted(self.failed_at, DEAD_LETTERS_KEPT_S * 1_000_000_000)

    @property
    def unfinished(self) -> bool:
        """Whether a planner still has something to read or to send."""
        return self.state in ACTIVE_STATES or self.outbox is not None

    @property
    def public_state(self) -> JobState:
        """The state callers see: SENT once the outbox is empty, and then COMPLETE once nothing is in flight.

        Processors can be done before the outbox is empty. A planner that cannot empty it fails the job.
        """
        if self.state is not JobState.SENT:
            return self.state
        if self.outbox is not None:
            return JobState.SENDING
        return JobState.COMPLETE if self.in_flight <= 0 else JobState.SENT

    @property
    def index_read_to(self) -> Instant | None:
        """The instant before which every acknowledged event is in the index as it was read; None until all is read.

        Planners wait until the index shows what was acknowledged before the job was made. Entities and the events of a
        file are read consistently and need no such instant.
        """
        return self.created_at if self.request.reads_index_by_type and self.state is JobState.SENT else None

    @property
    def settled(self) -> bool:
        """Whether each event that the replay sent is known to have been processed."""
        return self.public_state is JobState.COMPLETE and self.failed == 0


@dataclass(frozen=True, slots=True)
class Outbox:
    """The messages of one commit of a replay, and the days of entities that it found."""

    messages: tuple[ReplayMessage, ...] = ()
    days: tuple[tuple[str, Day], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.messages or self.days)

    @property
    def packed(self) -> bytes:
        """All of it, compressed: a hundred bytes or so for each message, most of which are hashes."""
        lines = [json.dumps(self.days), *(message.body for message in self.messages)]
        return zlib.compress("\n".join(lines).encode())


def unpacked(content: bytes) -> Outbox:
    """Read what `packed` has written."""
    days, *messages = zlib.decompress(content).decode().split("\n")
    return Outbox(
        tuple(ReplayMessage.model_validate_json(message) for message in messages),
        tuple((entity_id, Day(day)) for entity_id, day in json.loads(days)),
    )
