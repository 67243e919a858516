"""Turn replay messages into exact daily aggregates: fetch, verify, group, and count each event of a replay once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.aggregation import Input, Version
from chalicelib.domain.errors import IntegrityFailure, InvalidRequest, RetraceError
from chalicelib.domain.ledger import Entry, Settlement, settlement_of
from chalicelib.domain.messages import Delivery, ObjectReference, ReplayMessage, parse_message
from chalicelib.domain.outcomes import MessagePlace, Outcome
from chalicelib.domain.ports import Concurrently, RawStore
from chalicelib.domain.processing_ports import RecordOutcomes, ReplayStates
from chalicelib.domain.raw_line import RawLine, RawLocation, parse_line
from chalicelib.domain.replay_job import JobState
from chalicelib.domain.timestamps import day_of
from chalicelib.domain.verification import verify


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


Message = ReplayMessage | ObjectReference
Received = tuple[str, Message]
"""A message, and the id of its delivery."""
Settlements = list[tuple[str, Settlement]]
"""What is to be recorded, and the ids of the deliveries that it is recorded for."""
Failures = dict[str, RetraceError]


@dataclass(frozen=True)
class Process:
    """The use case behind ReplayQueue."""

    raw: RawStore
    states: ReplayStates
    record: RecordOutcomes
    concurrently: Concurrently

    def __call__(self, deliveries: Sequence[Delivery]) -> ProcessReport:
        """Process a batch; messages that cannot be processed are reported, never dropped.

        However messages are batched, repeated or reordered, each event counts once in each version. What is left of
        a cancelled replay is neither read nor counted, and recorded as dropped.
        """
        received, failures = _parsed(deliveries)
        wanted, dropped, unknown = self._sorted_by_state(received)
        read = self.concurrently(self._read, _by_object(wanted))
        settlements = dropped + [each for some, _ in read for each in some]
        recorded = self.record([settlement for _, settlement in settlements])
        for failed in (unknown, *(failed for _, failed in read), _of_deliveries(settlements, recorded.failures)):
            failures |= failed
        done = {name for name, settlement in dropped if recorded.outcomes.get(settlement.entry) is Outcome.DROPPED}
        return ProcessReport(len(deliveries), failures, len(done), recorded.aggregate_writes)

    def _sorted_by_state(self, received: Sequence[Received]) -> tuple[list[Received], Settlements, Failures]:
        """What is to be processed, what is to be dropped, and what belongs to no replay that is known."""
        try:
            states = self.states.states({each.replay_id for _, each in received if isinstance(each, ReplayMessage)})
        except RetraceError as error:
            of_replays = [name for name, message in received if isinstance(message, ReplayMessage)]
            return [each for each in received if each[0] not in of_replays], [], dict.fromkeys(of_replays, error)
        wanted: list[Received] = []
        dropped: Settlements = []
        unknown: Failures = {}
        for name, message in received:
            if isinstance(message, ReplayMessage) and message.replay_id not in states:
                unknown[name] = InvalidRequest(f"There is no replay {message.replay_id}.")
            elif isinstance(message, ReplayMessage) and states[message.replay_id] is JobState.CANCELLED:
                dropped.append((name, settlement_of(message, Outcome.DROPPED)))
            else:
                wanted.append((name, message))
        return wanted, dropped, unknown

    def _read(self, messages: Sequence[Received]) -> tuple[Settlements, Failures]:
        """Fetch what messages of one object refer to, with one GET, and check it."""
        settlements: Settlements = []
        failures: Failures = {}
        try:
            lines = self._lines_of([message for _, message in messages])
        except RetraceError as error:
            return [], dict.fromkeys((message_id for message_id, _ in messages), error)
        for (message_id, message), found in zip(messages, lines, strict=True):
            try:
                settlements += [(message_id, _verified(message, parse_line(line))) for line in found]
            except RetraceError as error:
                failures[message_id] = error
        return settlements, failures

    def _lines_of(self, messages: Sequence[Message]) -> list[list[bytes]]:
        """For each message of one object, the lines it refers to."""
        reference = messages[0]
        if reference.s3_bucket != self.raw.bucket:
            raise InvalidRequest(f"Messages must refer to the raw bucket, not to {reference.s3_bucket}.")
        if any(isinstance(message, ObjectReference) for message in messages):
            every_line = self.raw.read_lines(reference.s3_bucket, reference.s3_key)
            content = b"\n".join(every_line)
            return [
                [content[message.s3_offset :][: message.s3_length]]
                if isinstance(message, ReplayMessage)
                else every_line
                for message in messages
            ]
        locations = [message.location for message in messages if isinstance(message, ReplayMessage)]
        span = _span(locations)
        content = self.raw.read(span)
        starts = [location.offset - span.offset for location in locations]
        return [[content[start : start + location.length]] for start, location in zip(starts, locations, strict=True)]


def _parsed(deliveries: Iterable[Delivery]) -> tuple[list[Received], Failures]:
    received: list[Received] = []
    failures: Failures = {}
    for delivery in deliveries:
        try:
            received.append((delivery.message_id, parse_message(delivery.body)))
        except RetraceError as error:
            failures[delivery.message_id] = error
    return received, failures


def _by_object(received: Iterable[Received]) -> list[list[Received]]:
    groups: dict[tuple[str, str], list[Received]] = defaultdict(list)
    for message_id, message in received:
        groups[message.s3_bucket, message.s3_key].append((message_id, message))
    return list(groups.values())


def _of_deliveries(settlements: Settlements, failures: Mapping[Entry, RetraceError]) -> Failures:
    """Failures to record, by the deliveries that fail with them."""
    return {name: failures[each.entry] for name, each in settlements if each.entry in failures}


def _span(locations: Sequence[RawLocation]) -> RawLocation:
    start = min(location.offset for location in locations)
    end = max(location.offset + location.length for location in locations)
    return RawLocation(locations[0].bucket, locations[0].key, start, end - start)


def _verified(message: Message, line: RawLine) -> Settlement:
    """What a message comes to by a line, after checking that against itself and against the message."""
    verify(line)
    duplicate = None
    if isinstance(message, ReplayMessage):
        duplicate = message.duplicate
        expected = (message.event_id, message.content_sha256, message.entity_id, message.event_time)
        if expected != (line.event_id, line.content_sha256, line.entity_id, line.event_time):
            raise IntegrityFailure(f"The line at {message.s3_key} is not the event {message.event_id} of the message.")
    version = Version(line.entity_id, day_of(line.event_time), message.replay_id, isinstance(message, ReplayMessage))
    event = Input(line.event_time, line.event_id, line.event_type, line.content_sha256)
    outcome = Outcome.INPUT if duplicate is None else Outcome.REPEATED
    return Settlement(version, event, outcome, MessagePlace(line.event_time, line.event_id, duplicate))
