"""Turn replay messages into exact daily aggregates, count each event of a replay once, and acknowledge what is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.aggregates.ledger import LedgerKey, Outcome, OutcomeRecord, record_of
from chalicelib.aggregates.ports import DefinitionsByHash
from chalicelib.core.errors import IntegrityFailure, MessagesFailed, RetraceError
from chalicelib.core.ports import Delivery
from chalicelib.processing.fetcher import Failures, FetchAndVerify, Received, of_no_replay, parsed
from chalicelib.processing.measuring import NO_DEFINITIONS, Pinned, pinned_by, record_by
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.ports import ReplayStates, ReplayStatus


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
    definitions: DefinitionsByHash = NO_DEFINITIONS

    def process(self, deliveries: Sequence[Delivery]) -> ProcessReport:
        """Process a batch; messages that cannot be processed are reported, never dropped.

        However messages are batched, repeated or reordered, each event counts once in each version. What is left of
        a cancelled replay is neither read nor counted, and recorded as dropped.
        """
        received, failures = parsed(deliveries)
        try:
            statuses = self.states.states(replays_of(received))
            pinned = pinned_by(self.definitions, statuses)
        except RetraceError as error:
            failures |= {each.message_id: error for each in received if isinstance(each.message, ReplayMessage)}
            received, statuses, pinned = [each for each in received if each.message_id not in failures], {}, {}
        wanted, dropped, unknown = _sorted_by_state(received, statuses)
        read, unreadable = self._read(wanted, pinned)
        records = dropped + read
        recorded = self.recorder.record([record for _, record in records])
        for failed in (unknown, unreadable, _of_deliveries(records, recorded.failures)):
            failures |= failed
        done = {name for name, record in dropped if recorded.outcomes.get(record.key) is Outcome.DROPPED}
        return ProcessReport(len(deliveries), failures, len(done), recorded.aggregate_writes)

    def _read(self, wanted: Iterable[Received], pinned: Pinned) -> tuple[DeliveredRecords, Failures]:
        """The results of messages, and the errors of the others."""
        records: DeliveredRecords = []
        failures: Failures = {}
        for each, recorded in self.fetcher.fetch(wanted, record_by(pinned)):
            if isinstance(recorded, RetraceError):
                failures[each.message_id] = recorded
            else:
                records += [(each.message_id, record) for record in recorded]
        return records, failures


def replays_of(received: Iterable[Received]) -> set[str]:
    """The replays that messages belong to."""
    return {each.message.replay_id for each in received if isinstance(each.message, ReplayMessage)}


def _sorted_by_state(
    received: Sequence[Received], statuses: Mapping[str, ReplayStatus]
) -> tuple[list[Received], DeliveredRecords, Failures]:
    """What is to be processed, what is to be dropped, and what belongs to no replay that is known."""
    wanted: list[Received] = []
    dropped: DeliveredRecords = []
    unknown: Failures = {}
    for each in received:
        message = each.message
        if isinstance(message, ReplayMessage) and message.replay_id not in statuses:
            unknown[each.message_id] = of_no_replay(message)
        elif isinstance(message, ReplayMessage) and statuses[message.replay_id].state is JobState.CANCELLED:
            dropped.append((each.message_id, record_of(message, Outcome.DROPPED)))
        else:
            wanted.append(each)
    return wanted, dropped, unknown


def _of_deliveries(records: DeliveredRecords, failures: Mapping[LedgerKey, RetraceError]) -> Failures:
    """Failures to record, by the deliveries that fail with them."""
    return {name: failures[each.key] for name, each in records if each.key in failures}


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
