"""Dead letters: count messages that were received too often and keep them, and send a replay's back when asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.aggregates.ledger import record_of
from chalicelib.aggregates.outcomes import Outcome
from chalicelib.core.errors import InvalidRequest, RetraceError
from chalicelib.core.ports import Delivery
from chalicelib.processing.dead_letter import DeadLetter, dead_letter
from chalicelib.processing.fetcher import Failures, FetchAndVerify, Received, of_no_replay, parsed
from chalicelib.processing.ports import DeadLetterQueue
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.messages import ReplayMessage, parse_message
from chalicelib.replays.ports import Redriven, ReplayStates

RESERVE_MS = 20_000
"""Left over of a function's time, for ten messages that are slow to move."""


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

    def record(self, deliveries: Sequence[Delivery]) -> DeadLetterReport:
        """Count each message of a replay as failed and keep it, unless it was handled before it came here.

        It is counted first: whatever happens in between, it comes again, counts no second time, and is kept. What is
        wrong with it is found out again, as SQS moves messages without a reason.
        """
        received, wrong = parsed(deliveries)
        messages = {name: each for name, each in received if isinstance(each, ReplayMessage)}
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
        wrong |= self._found_wrong(each for each in received if each[0] in kept and each[0] not in wrong)
        letters = {name: dead_letter(bodies[name], messages.get(name), wrong.get(name), name) for name in kept}
        self.dead_letters.keep(list(letters.values()))
        return DeadLetterReport(failures, letters)

    def _found_wrong(self, received: Iterable[Received]) -> Failures:
        """What is wrong with what messages refer to."""
        return {name: found for name, found in self.fetcher.fetch(received) if isinstance(found, RetraceError)}


@dataclass(frozen=True)
class RedriveDeadLetters:
    """One slice of sending a replay's dead letters back to ReplayQueue."""

    recorder: RecordInLedger
    dead_letters: DeadLetterQueue

    def redrive_slice(self, replay_id: str, time_left_ms: Callable[[], int], hidden_s: int) -> Redriven:
        """Move messages of the replay until the queue looks empty or the time is used up.

        Those of others stay, and are hidden for as long as the pass takes that this slice is of.
        """
        moved = 0
        while deliveries := self.dead_letters.receive(hidden_s):
            of_replay = {name: each for name, each in _replay_messages(deliveries) if each.replay_id == replay_id}
            moved += self._moved(of_replay, deliveries)
            if time_left_ms() <= RESERVE_MS:
                return Redriven(moved, came_through=False)
        return Redriven(moved, came_through=True)

    def _moved(self, messages: Mapping[str, ReplayMessage], deliveries: Sequence[Delivery]) -> int:
        """Send messages back, and take them off the dead-letter queue; answers how many were sent.

        In this order, whatever ends in between leaves a message that is moved when it is received again. One that was
        handled in the meantime is only taken off; one that cannot be recorded stays, and the request is made again.
        """
        records = {name: record_of(message, Outcome.REDRIVEN) for name, message in messages.items()}
        recorded = self.recorder.record(list(records.values()))
        done = {name for name, each in records.items() if each.key not in recorded.failures}
        outcomes = {name: recorded.outcomes.get(records[name].key) for name in done}
        handled = {name for name, outcome in outcomes.items() if outcome is not None and outcome.final}
        back = [(each.body, messages[each.message_id]) for each in deliveries if each.message_id in done - handled]
        self.dead_letters.send_back(back)
        self.dead_letters.acknowledge([delivery for delivery in deliveries if delivery.message_id in done])
        for error in recorded.failures.values():
            raise error
        return len(back)


def _replay_messages(deliveries: Iterable[Delivery]) -> Iterable[tuple[str, ReplayMessage]]:
    """The messages of replays that can be read, with the ids of their deliveries."""
    for delivery in deliveries:
        try:
            message = parse_message(delivery.body)
        except InvalidRequest:
            continue  # it is no message of a replay
        if isinstance(message, ReplayMessage):
            yield delivery.message_id, message
