"""Turn replay messages into exact daily aggregates, count each event of a replay once, and acknowledge what is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import LedgerKey, MessageKey, Outcome, OutcomeRecord, record_of
from chalicelib.core.errors import IntegrityFailure, MessagesFailed, RetraceError
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import day_of
from chalicelib.events.raw_objects import RawLine
from chalicelib.processing.fetcher import Failures, FetchAndVerify, Message, Received, of_no_replay, parsed
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import ObjectReference, ReplayMessage
from chalicelib.replays.ports import ReplayStates


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What became of a batch: message ids that failed and why, how many were dropped, and writes of aggregates."""

    messages: int
    failures: Mapping[str, RetraceError]
    dropped: int
    aggregate_writes: int

    @property
    def integrity_failures(self) -> int:
        """How many messages failed because stored bytes are not what they should be."""
        return sum(isinstance(error, IntegrityFailure) for error in self.failures.values())


DeliveredRecords = list[tuple[str, OutcomeRecord]]
"""What is to be recorded, and the ids of the deliveries that it is recorded for."""


@dataclass(frozen=True)
class ProcessBatch:
    """The use case behind ReplayQueue."""

    fetcher: FetchAndVerify
    states: ReplayStates
    recorder: RecordInLedger

    def process(self, deliveries: Sequence[Delivery]) -> ProcessReport:
        """Process a batch; messages that cannot be processed are reported, never dropped.

        However messages are batched, repeated or reordered, each event counts once in each version. What is left of
        a cancelled replay is neither read nor counted, and recorded as dropped.
        """
        received, failures = parsed(deliveries)
        wanted, dropped, unknown = self._sorted_by_state(received)
        read, unreadable = self._read(wanted)
        records = dropped + read
        recorded = self.recorder.record([record for _, record in records])
        for failed in (unknown, unreadable, _of_deliveries(records, recorded.failures)):
            failures |= failed
        done = {name for name, record in dropped if recorded.outcomes.get(record.key) is Outcome.DROPPED}
        return ProcessReport(len(deliveries), failures, len(done), recorded.aggregate_writes)

    def _sorted_by_state(self, received: Sequence[Received]) -> tuple[list[Received], DeliveredRecords, Failures]:
        """What is to be processed, what is to be dropped, and what belongs to no replay that is known."""
        try:
            states = self.states.states(
                {each.message.replay_id for each in received if isinstance(each.message, ReplayMessage)}
            )
        except RetraceError as error:
            objects = [each for each in received if isinstance(each.message, ObjectReference)]
            return objects, [], {each.message_id: error for each in received if each not in objects}
        wanted: list[Received] = []
        dropped: DeliveredRecords = []
        unknown: Failures = {}
        for each in received:
            message = each.message
            if isinstance(message, ReplayMessage) and message.replay_id not in states:
                unknown[each.message_id] = of_no_replay(message)
            elif isinstance(message, ReplayMessage) and states[message.replay_id] is JobState.CANCELLED:
                dropped.append((each.message_id, record_of(message, Outcome.DROPPED)))
            else:
                wanted.append(each)
        return wanted, dropped, unknown

    def _read(self, wanted: Iterable[Received]) -> tuple[DeliveredRecords, Failures]:
        """What messages come to, and what is wrong with those that come to nothing."""
        records: DeliveredRecords = []
        failures: Failures = {}
        for each, found in self.fetcher.fetch(wanted):
            if isinstance(found, RetraceError):
                failures[each.message_id] = found
            else:
                records += [(each.message_id, _record_of(each.message, line)) for line in found]
        return records, failures


def _of_deliveries(records: DeliveredRecords, failures: Mapping[LedgerKey, RetraceError]) -> Failures:
    """Failures to record, by the deliveries that fail with them."""
    return {name: failures[each.key] for name, each in records if each.key in failures}


def _record_of(message: Message, line: RawLine) -> OutcomeRecord:
    """What a message comes to by a line."""
    duplicate = message.duplicate if isinstance(message, ReplayMessage) else None
    version = Version(line.entity_id, day_of(line.event_time), message.replay_id, isinstance(message, ReplayMessage))
    event = Input(line.event_time, line.event_id, line.event_type, line.content_sha256)
    outcome = Outcome.INPUT if duplicate is None else Outcome.DUPLICATE
    return OutcomeRecord(version, event, outcome, MessageKey(line.event_time, line.event_id, duplicate))


class DeliveryQueue(Protocol):
    """The queue that deliveries came from."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries off the queue."""


BatchResponse = dict[str, list[dict[str, str]]]


@dataclass(frozen=True)
class AcknowledgeBatch:
    """How a batch from a queue ends.

    Lambda reads a partial batch response only where the event source mapping says so (FunctionResponseTypes), which
    `chalice deploy` cannot set; anywhere else the same response would acknowledge the failed messages too. There the
    processed ones are deleted one by one and the invocation fails, so that just the failed ones are delivered again.
    """

    queue: DeliveryQueue
    partial_responses: bool

    def acknowledge(self, deliveries: Sequence[Delivery], failures: Mapping[str, RetraceError]) -> BatchResponse:
        """The invocation's response; raises MessagesFailed if a response cannot name the failed messages."""
        if failures and not self.partial_responses:
            self.queue.acknowledge([delivery for delivery in deliveries if delivery.message_id not in failures])
            raise MessagesFailed(f"{len(failures)} of {len(deliveries)} messages failed and go back to the queue.")
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}
