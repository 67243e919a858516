"""Turn replay messages into exact daily aggregates: fetch, verify, group, and count each event of a replay once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.aggregation import Input, Version
from chalicelib.domain.chunks import chunked
from chalicelib.domain.errors import Contended, IntegrityFailure, InvalidRequest, RetraceError
from chalicelib.domain.messages import Delivery, ObjectReference, ReplayMessage, parse_message
from chalicelib.domain.ports import AggregateStore, Clock, Concurrently, Pause, RawStore
from chalicelib.domain.raw_line import RawLine, RawLocation, parse_line
from chalicelib.domain.timestamps import day_of
from chalicelib.domain.verification import verify

INPUTS_A_WRITE = 98
"""A transaction holds 100 actions: these, the aggregate, and the job's progress."""

_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What became of a batch: message ids that failed and why, and how many aggregate writes there were."""

    messages: int
    failures: Mapping[str, RetraceError]
    aggregate_writes: int

    @property
    def integrity_failures(self) -> int:
        """How many messages failed because stored bytes are not what they should be."""
        return sum(isinstance(error, IntegrityFailure) for error in self.failures.values())


Message = ReplayMessage | ObjectReference


@dataclass(frozen=True, slots=True)
class _Contribution:
    """What a message adds to a version."""

    message_id: str
    version: Version
    single: Input


Failures = dict[str, RetraceError]


@dataclass(frozen=True)
class Process:
    """The use case behind ReplayQueue."""

    raw: RawStore
    aggregates: AggregateStore
    now: Clock
    pause: Pause
    concurrently: Concurrently

    def __call__(self, deliveries: Sequence[Delivery]) -> ProcessReport:
        """Process a batch; messages that cannot be processed are reported, never dropped.

        However messages are batched, repeated or reordered, each event counts once in each version.
        """
        by_object, failures = _parsed(deliveries)
        read = self.concurrently(self._read, by_object)
        groups = _by_version(contribution for contributions, _ in read for contribution in contributions)
        added = self.concurrently(lambda group: self._add(*group), list(groups.items()))
        for failed in [*(failed for _, failed in read), *(failed for _, failed in added)]:
            failures |= failed
        return ProcessReport(len(deliveries), failures, sum(writes for writes, _ in added))

    def _read(self, messages: Sequence[tuple[str, Message]]) -> tuple[list[_Contribution], Failures]:
        """Fetch what messages of one object refer to, with one GET, and check it."""
        contributions: list[_Contribution] = []
        failures: Failures = {}
        try:
            lines = self._lines_of([message for _, message in messages])
        except RetraceError as error:
            return [], dict.fromkeys((message_id for message_id, _ in messages), error)
        for (message_id, message), found in zip(messages, lines, strict=True):
            try:
                contributions += [_contribution(message_id, message, parse_line(line)) for line in found]
            except RetraceError as error:
                failures[message_id] = error
        return contributions, failures

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

    def _add(self, version: Version, contributions: Sequence[_Contribution]) -> tuple[int, Failures]:
        """Add a batch's inputs to one version; answers how many writes that took."""
        inputs = sorted({contribution.single for contribution in contributions})
        writes = 0
        try:
            for some in chunked(inputs, INPUTS_A_WRITE):
                writes += self._add_once(version, some)
        except RetraceError as error:
            return writes, dict.fromkeys((contribution.message_id for contribution in contributions), error)
        return writes, {}

    def _add_once(self, version: Version, inputs: Sequence[Input]) -> int:
        for attempt in range(1, _ATTEMPTS + 1):
            snapshot = self.aggregates.snapshot(version, inputs)
            new = [single for single in inputs if single.place not in snapshot.present]
            if not new:
                return 0
            try:
                self.aggregates.add(version, snapshot, new, self.now())
            except Contended:
                self.pause(attempt)
            else:
                return 1
        raise Contended(f"The aggregate of {version.day} kept changing; the messages go back to the queue.")


def _parsed(deliveries: Iterable[Delivery]) -> tuple[list[list[tuple[str, Message]]], Failures]:
    """Messages with their ids, grouped by the object they refer to."""
    groups: dict[tuple[str, str], list[tuple[str, Message]]] = defaultdict(list)
    failures: Failures = {}
    for delivery in deliveries:
        try:
            message = parse_message(delivery.body)
        except RetraceError as error:
            failures[delivery.message_id] = error
        else:
            groups[message.s3_bucket, message.s3_key].append((delivery.message_id, message))
    return list(groups.values()), failures


def _by_version(contributions: Iterable[_Contribution]) -> dict[Version, list[_Contribution]]:
    groups: dict[Version, list[_Contribution]] = defaultdict(list)
    for contribution in contributions:
        groups[contribution.version].append(contribution)
    return groups


def _span(locations: Sequence[RawLocation]) -> RawLocation:
    start = min(location.offset for location in locations)
    end = max(location.offset + location.length for location in locations)
    return RawLocation(locations[0].bucket, locations[0].key, start, end - start)


def _contribution(message_id: str, message: Message, line: RawLine) -> _Contribution:
    """What a line adds to which version, after checking it against itself and against its message."""
    verify(line)
    of_job = isinstance(message, ReplayMessage)
    if isinstance(message, ReplayMessage):
        expected = (message.event_id, message.content_sha256, message.entity_id, message.event_time)
        if expected != (line.event_id, line.content_sha256, line.entity_id, line.event_time):
            raise IntegrityFailure(f"The line at {message.s3_key} is not the event {message.event_id} of the message.")
    version = Version(line.entity_id, day_of(line.event_time), message.replay_id, of_job)
    single = Input(line.event_time, line.event_id, line.event_type, line.content_sha256)
    return _Contribution(message_id, version, single)
