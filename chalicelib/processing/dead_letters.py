"""Dead letters: say why messages failed, count and keep them, and send those of a replay back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.aggregates.ledger import Outcome, record_of
from chalicelib.aggregates.ports import DefinitionsByHash
from chalicelib.core.errors import (
    IntegrityFailure,
    InvalidRequest,
    Oversized,
    PermanentError,
    RawObjectMissing,
    RetraceError,
    UnknownReplay,
    UnknownSchema,
    WrongBucket,
)
from chalicelib.core.ports import Delivery
from chalicelib.metrics.contribution import NothingToContribute
from chalicelib.processing.fetcher import Failures, FetchAndVerify, Received, of_no_replay, parsed
from chalicelib.processing.measuring import (
    NO_DEFINITIONS,
    LostDefinition,
    pinned_by,
    record_by,
)
from chalicelib.processing.processor import DeliveryQueue, replays_of
from chalicelib.processing.recorder import Recorded, RecordInLedger
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.ports import Redriven, ReplayStates, ReplayStatus

_LONGEST_REASON = 1_000
_LETTERS_A_CALL = 10


class Failure(StrEnum):
    """What kind of trouble a dead letter has; a public contract, for programs that sort them."""

    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    UNKNOWN_SCHEMA = "unknown-schema"
    WRONG_BUCKET = "wrong-bucket"
    UNKNOWN_REPLAY = "unknown-replay"
    MISSING_OBJECT = "missing-object"
    INTEGRITY = "integrity"
    STORAGE = "storage"
    METRIC = "metric"
    CONSUMER = "consumer"


# A kind of error stands before those that it is a kind of.
_FAILURES: Mapping[type[RetraceError], Failure] = {
    Oversized: Failure.OVERSIZED,
    UnknownSchema: Failure.UNKNOWN_SCHEMA,
    WrongBucket: Failure.WRONG_BUCKET,
    UnknownReplay: Failure.UNKNOWN_REPLAY,
    InvalidRequest: Failure.MALFORMED,
    RawObjectMissing: Failure.MISSING_OBJECT,
    IntegrityFailure: Failure.INTEGRITY,
    NothingToContribute: Failure.METRIC,
    LostDefinition: Failure.METRIC,
    RetraceError: Failure.STORAGE,
}

_VALID = (
    "Message and event are valid, so the processor or your consumer failed with it. The processor logs every failure"
    " under message_id {message_id}. A redrive fails again for as long as that cause is there."
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was received too often, what it says if it is of a replay, and what is wrong with it."""

    body: str
    message: ReplayMessage | None
    failure: Failure
    reason: str

    @property
    def attributes(self) -> dict[str, str]:
        """What receivers can choose by without parsing the body."""
        of_message = self.message.attributes if self.message else {}
        return of_message | {"failure": self.failure.value, "reason": self.reason}


def dead_letter(body: str, message: ReplayMessage | None, error: RetraceError | None, message_id: str) -> DeadLetter:
    """A message as it is laid to rest; without an error neither it nor its event is why it failed."""
    if error is None:
        return DeadLetter(body, message, Failure.CONSUMER, _VALID.format(message_id=message_id))
    failure = next(_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES)
    return DeadLetter(body, message, failure, _reason(error))


def _reason(error: RetraceError) -> str:
    """An error with its faults, as SQS takes it whatever names it holds: short, and in visible ASCII."""
    faults = error.faults if isinstance(error, PermanentError) else ()
    details = "; ".join(f"{fault.field} {fault.message}".strip() for fault in faults)
    said = f"{error} ({details})" if details else str(error)
    visible = said.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in visible)[:_LONGEST_REASON]


RESERVE_MS = 20_000
"""Left over of a function's time, for ten messages that are slow to move."""


class DeadLetterQueue(DeliveryQueue, Protocol):
    """Where messages rest that could not be processed. In an ordered one, those of an entity are a group."""

    @property
    def ordered(self) -> bool:
        """Whether it gives out nothing of a group that has hidden messages."""

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Put messages on the queue, each with its reason; returns when every one of them is there."""

    def receive(self, hidden_s: int) -> list[Delivery]:
        """At most ten messages, hidden from all receivers for this long. None only if none is visible."""

    def show(self, deliveries: Sequence[Delivery]) -> None:
        """Let messages be received again at once. One that stays hidden is only received later."""

    def send_back(self, messages: Sequence[tuple[Delivery, ReplayMessage]]) -> None:
        """Send messages to the queue again that they came from; returns when every one of them is there."""


@dataclass(frozen=True, slots=True)
class DeadLetterReport:
    """What became of a batch: messages that could not be recorded and why, and those that were kept."""

    failures: Mapping[str, RetraceError]
    kept: Mapping[str, DeadLetter]


@dataclass(frozen=True)
class RecordDeadLetters:
    """The use case behind the queue of messages that were received too often."""

    states: ReplayStates
    fetcher: FetchAndVerify
    recorder: RecordInLedger
    dead_letters: DeadLetterQueue
    definitions: DefinitionsByHash = NO_DEFINITIONS

    def record(self, deliveries: Sequence[Delivery]) -> DeadLetterReport:
        """Count each message of a replay as failed and keep it, unless it was handled before it came here.

        It is counted first: whatever happens in between, it comes again, counts no second time, and is kept. What is
        wrong with it is found out again, as SQS moves messages without a reason.
        """
        received, wrong = parsed(deliveries)
        messages = _of_replays(received)
        states = self.states.states({message.replay_id for message in messages.values()})
        wrong |= {name: of_no_replay(each) for name, each in messages.items() if each.replay_id not in states}
        records = {name: record_of(messages[name], Outcome.FAILED) for name in messages.keys() - wrong.keys()}
        recorded = self.recorder.record(list(records.values()))
        failures = {
            name: recorded.failures[each.key] for name, each in records.items() if each.key in recorded.failures
        }
        failed = {name for name, each in records.items() if recorded.outcomes.get(each.key) is Outcome.FAILED}
        bodies = {each.message_id: each.body for each in deliveries}
        kept = [name for name in bodies if name in failed or name not in records]
        wrong |= self._found_wrong(
            [each for each in received if each.message_id in kept and each.message_id not in wrong], states
        )
        letters = {name: dead_letter(bodies[name], messages.get(name), wrong.get(name), name) for name in kept}
        self.dead_letters.keep(list(letters.values()))
        return DeadLetterReport(failures, letters)

    def _found_wrong(self, received: Sequence[Received], statuses: Mapping[str, ReplayStatus]) -> Failures:
        """What is wrong with what messages refer to."""
        replays = replays_of(received)
        pinned = pinned_by(self.definitions, {name: status for name, status in statuses.items() if name in replays})
        found = self.fetcher.fetch(received, record_by(pinned))
        return {each.message_id: wrong for each, wrong in found if isinstance(wrong, RetraceError)}


@dataclass(frozen=True)
class RedriveDeadLetters:
    """One slice of sending a replay's dead letters back to its destination.

    Without a recorder their outcomes are not known: their consumer does not report.
    """

    recorder: RecordInLedger | None
    dead_letters: DeadLetterQueue

    def redrive_slice(self, replay_id: str, time_left_ms: Callable[[], int], hidden_s: int) -> Redriven:
        """Move messages of the replay until the queue looks empty or the time is used up.

        Those of others stay, and are hidden for as long as the pass takes that this slice is of.
        """
        moved = 0
        while deliveries := self.dead_letters.receive(hidden_s):
            received, _ = parsed(deliveries)
            messages = _of_replays(received)
            of_replay = {name: each for name, each in messages.items() if each.replay_id == replay_id}
            moved += self._moved(of_replay, deliveries)
            if self.dead_letters.ordered:
                self.dead_letters.show(_in_the_way(deliveries, messages, replay_id))
            if time_left_ms() <= RESERVE_MS:
                return Redriven(moved, came_through=False)
        return Redriven(moved, came_through=True)

    def _moved(self, messages: Mapping[str, ReplayMessage], deliveries: Sequence[Delivery]) -> int:
        """Send messages back, and take them off the dead-letter queue; answers how many were sent.

        In this order, whatever ends in between leaves a message that is moved when it is received again. One that was
        handled in the meantime is only taken off; one that cannot be recorded stays, and the request is made again.
        """
        records = {name: record_of(message, Outcome.REDRIVEN) for name, message in messages.items()}
        recorded = Recorded() if self.recorder is None else self.recorder.record(list(records.values()))
        done = {name for name, each in records.items() if each.key not in recorded.failures}
        outcomes = {name: recorded.outcomes.get(records[name].key) for name in done}
        handled = {name for name, outcome in outcomes.items() if outcome is not None and outcome.final}
        back = [(each, messages[each.message_id]) for each in deliveries if each.message_id in done - handled]
        self.dead_letters.send_back(back)
        self.dead_letters.acknowledge([delivery for delivery in deliveries if delivery.message_id in done])
        for error in recorded.failures.values():
            raise error
        return len(back)


def _in_the_way(
    deliveries: Sequence[Delivery], messages: Mapping[str, ReplayMessage], replay_id: str
) -> list[Delivery]:
    """The letters of other replays behind which there may be more of this one, of what an ordered queue gave out.

    It gives out nothing of an entity that has hidden letters. So those of others are shown again if letters of this
    replay were taken out between them, or if the ten of a call ended in the middle of an entity. Of ten or more of
    others in front of an entity, nothing can be reached before they are redriven.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    """
    entities = [each.entity_id for each in map(messages.get, (each.message_id for each in deliveries)) if each]
    again = {each.entity_id for each in messages.values() if each.replay_id == replay_id}
    if len(deliveries) == _LETTERS_A_CALL and len(set(entities)) > 1:
        again.add(entities[-1])
    others = {name: each for name, each in messages.items() if each.replay_id != replay_id}
    return [each for each in deliveries if (of := others.get(each.message_id)) and of.entity_id in again]


def _of_replays(received: Iterable[Received]) -> dict[str, ReplayMessage]:
    return {each.message_id: each.message for each in received if isinstance(each.message, ReplayMessage)}
