"""The ledger: the outcome of each message of a replay, counted once, and the aggregates that it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.aggregates.aggregate import Aggregate, Definitions, Version, aggregate_of, merge
from chalicelib.aggregates.inputs import Input
from chalicelib.core.errors import WriteConflict
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.metrics.definition import BUILT_IN
from chalicelib.replays.messages import Duplicate, ReplayMessage


class Outcome(StrEnum):
    """What became of a message. FAILED and REDRIVEN are open, as is a message without outcome; the others are final."""

    INPUT = "INPUT"
    """Its event is an input of the aggregate."""
    DUPLICATE = "DUPLICATE"
    """It is about a duplicate of an event, which is not an input."""
    DONE = "DONE"
    """Its consumer has reported it done; it is in no aggregate."""
    FAILED = "FAILED"
    """It is a dead letter, or was until that expired, or its consumer has reported that it failed."""
    REDRIVEN = "REDRIVEN"
    """It was in the dead-letter queue, and is on its way again."""
    DROPPED = "DROPPED"
    """Its replay was cancelled before it was processed."""

    @property
    def final(self) -> bool:
        """Whether nothing else can become of the message."""
        return self in (Outcome.INPUT, Outcome.DUPLICATE, Outcome.DONE, Outcome.DROPPED)


@dataclass(frozen=True, slots=True)
class MessageKey:
    """Distinguishes the messages of a version: time and id of the event, and the arrival that it represents."""

    event_time: Instant
    event_id: str
    duplicate: Duplicate | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a replay came to which end."""

    processed: int = 0
    failed: int = 0
    dropped: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of both."""
        return Counts(self.processed + other.processed, self.failed + other.failed, self.dropped + other.dropped)

    def __sub__(self, other: Counts) -> Counts:
        """What has to be added to the other to get this."""
        return Counts(self.processed - other.processed, self.failed - other.failed, self.dropped - other.dropped)


def next_outcome(recorded: Outcome | None, asked: Outcome) -> Outcome | None:
    """Return the outcome to record of a message: the first final one is kept.

    Only a message that was recorded as a dead letter is redriven; one that never was stays without outcome.
    """
    if recorded is not None and recorded.final:
        return recorded
    if asked is Outcome.REDRIVEN and recorded is None:
        return None
    return asked


def count_delta(before: Outcome | None, now: Outcome | None) -> Counts:
    """What a replay's counts change by when a message's outcome does."""
    return _counted(now) - _counted(before)


def _counted(outcome: Outcome | None) -> Counts:
    match outcome:
        case Outcome.INPUT | Outcome.DUPLICATE | Outcome.DONE:
            return Counts(processed=1)
        case Outcome.FAILED:
            return Counts(failed=1)
        case Outcome.DROPPED:
            return Counts(dropped=1)
        case _:
            return Counts()


LedgerKey = tuple[Version, MessageKey]
"""Names what became of a message in the ledger."""


@dataclass(frozen=True, slots=True)
class VersionInput:
    """An input of a version, with what it contributes to the version's definitions."""

    version: Version
    event: Input
    definitions: Definitions = BUILT_IN


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What is to be recorded of a message: its event, the version it belongs to, and what became of it.

    `elsewhere` has the versions of other calendars that its event is an input of, too. Whether it is one was decided
    where the message is recorded. `reason` is why its consumer failed.
    """

    version: Version
    event: Input
    outcome: Outcome
    message_key: MessageKey
    definitions: Definitions = BUILT_IN
    elsewhere: tuple[VersionInput, ...] = ()
    reason: str | None = None

    @property
    def key(self) -> LedgerKey:
        """Where it is recorded."""
        return self.version, self.message_key

    @property
    def inputs(self) -> tuple[VersionInput, ...]:
        """What it adds to versions: to one of each calendar, if its event is an input."""
        if self.outcome is not Outcome.INPUT:
            return ()
        return (VersionInput(self.version, self.event, self.definitions), *self.elsewhere)


def record_of(message: ReplayMessage, outcome: Outcome, reason: str | None = None) -> OutcomeRecord:
    """The record of a message whose event is not read."""
    event_time = Instant(message.event_time)
    event = Input(event_time, message.event_id, message.event_type, message.content_sha256)
    version = Version(message.entity_id, day_of(event_time), message.replay_id)
    message_key = MessageKey(event_time, message.event_id, message.duplicate)
    return OutcomeRecord(version, event, outcome, message_key, reason=reason)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An aggregate version as it was read; revision 0 is that of one that is not there yet."""

    aggregate: Aggregate = field(default_factory=Aggregate)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """Outcomes and versions as they were read, without those that do not exist."""

    outcomes: Mapping[LedgerKey, Outcome] = field(default_factory=dict)
    versions: Mapping[Version, Snapshot] = field(default_factory=dict)

    def with_newer(self, other: Ledger) -> Ledger:
        """This, where the other does not know better."""
        return Ledger({**self.outcomes, **other.outcomes}, {**self.versions, **other.versions})


class VersionConflict(WriteConflict):
    """Others wrote first; `found` says what they wrote, so that nothing needs to be read again."""

    def __init__(self, message: str, found: Ledger, attempts: int = 1) -> None:
        super().__init__(message, attempts)
        self.found = found


@dataclass(frozen=True, slots=True)
class Transition:
    """A message's outcome, and what was recorded of it before."""

    record: OutcomeRecord
    before: Outcome | None


@dataclass(frozen=True, slots=True)
class NewRevision:
    """An aggregate with new inputs, and the revision that it was computed from."""

    version: Version
    aggregate: Aggregate
    read_revision: int

    @property
    def definitions(self) -> Definitions:
        """Of its metrics."""
        return tuple(state.definition for state in self.aggregate.states.values())


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written together; `progress` says by how much the counts of each replay change."""

    transitions: tuple[Transition, ...]
    revisions: tuple[NewRevision, ...]
    progress: Mapping[str, Counts]


def outcomes_after(ledger: Ledger, records: Iterable[OutcomeRecord]) -> dict[LedgerKey, Outcome | None]:
    """The ledger after the records are recorded."""
    return {each.key: next_outcome(ledger.outcomes.get(each.key), each.outcome) for each in records}


def changes_to(ledger: Ledger, records: Iterable[OutcomeRecord]) -> Changes:
    """The writes that record records of different messages, without those that are recorded already.

    A failure that is reported again replaces the reason: a later attempt has failed.
    """
    transitions = []
    progress: dict[str, Counts] = defaultdict(Counts)
    inputs: dict[Version, list[VersionInput]] = defaultdict(list)
    for each in records:
        before = ledger.outcomes.get(each.key)
        now = next_outcome(before, each.outcome)
        if now == before and not (now is Outcome.FAILED and each.reason is not None):
            continue
        transitions.append(Transition(each, before))
        if each.version.of_job:
            progress[each.version.replay_id] += count_delta(before, now)
        for added in each.inputs:
            inputs[added.version].append(added)
    revisions = (_revised(ledger, version, added) for version, added in inputs.items())
    return Changes(
        tuple(transitions), tuple(revisions), {key: value for key, value in progress.items() if value != Counts()}
    )


def _revised(ledger: Ledger, version: Version, added: Sequence[VersionInput]) -> NewRevision:
    """A version with more inputs. All have the same definitions, those that the version's replay pins."""
    definitions = added[0].definitions
    read = ledger.versions.get(version, Snapshot())
    more = aggregate_of((each.event for each in added), definitions)
    return NewRevision(version, merge(read.aggregate, more, definitions), read.revision)
