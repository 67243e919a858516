"""Read what messages refer to and check it: for who processes them, and for who says what was wrong with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import IntegrityFailure, Oversized, RetraceError, UnknownReplay, WrongBucket
from chalicelib.domain.messages import Delivery, ObjectReference, ReplayMessage, parse_message
from chalicelib.domain.ports import RawStore
from chalicelib.domain.raw_line import MAX_RAW_OBJECT_BYTES, RawLine, RawLocation, parse_line
from chalicelib.domain.verification import verify

Message = ReplayMessage | ObjectReference
Received = tuple[str, Message]
"""A message, and the id of its delivery."""
Failures = dict[str, RetraceError]
"""Why deliveries failed, by their ids."""


@dataclass(frozen=True)
class Examine:
    """What messages refer to, as far as it can be believed."""

    raw: RawStore

    def __call__(self, messages: Sequence[Message]) -> list[list[RawLine] | RetraceError]:
        """For each of the messages of one object its events, each checked, or what is wrong; with one GET for all."""
        refused = [self._refusal(message) for message in messages]
        taken = [message for message, error in zip(messages, refused, strict=True) if error is None]
        try:
            found = iter(self._lines_of(taken))
        except RetraceError as error:
            return [error if each is None else each for each in refused]
        return [
            _checked(message, next(found)) if error is None else error
            for message, error in zip(messages, refused, strict=True)
        ]

    def _refusal(self, message: Message) -> RetraceError | None:
        """Why a message is not worth a GET."""
        if message.s3_bucket != self.raw.bucket:
            return WrongBucket(f"Messages must refer to the raw bucket, not to {message.s3_bucket[:64]}.")
        if isinstance(message, ReplayMessage) and message.s3_offset + message.s3_length > MAX_RAW_OBJECT_BYTES:
            return Oversized(f"The message refers to bytes beyond {MAX_RAW_OBJECT_BYTES:,}; no raw object has as many.")
        return None

    def _lines_of(self, messages: Sequence[Message]) -> list[list[bytes]]:
        """For each message of one object, the lines it refers to."""
        if not messages:
            return []
        if any(isinstance(message, ObjectReference) for message in messages):
            every_line = self.raw.read_lines(messages[0].s3_bucket, messages[0].s3_key)
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


def parsed(deliveries: Iterable[Delivery]) -> tuple[list[Received], Failures]:
    """The messages that can be read, and why others cannot."""
    received: list[Received] = []
    failures: Failures = {}
    for delivery in deliveries:
        try:
            received.append((delivery.message_id, parse_message(delivery.body)))
        except RetraceError as error:
            failures[delivery.message_id] = error
    return received, failures


def by_object(received: Iterable[Received]) -> list[list[Received]]:
    """Messages in groups that refer to one object each."""
    groups: dict[tuple[str, str], list[Received]] = defaultdict(list)
    for message_id, message in received:
        groups[message.s3_bucket, message.s3_key].append((message_id, message))
    return list(groups.values())


def of_no_replay(message: ReplayMessage) -> UnknownReplay:
    """What is wrong with a message of a replay that is not there."""
    return UnknownReplay(f"There is no replay {message.replay_id}.")


def _span(locations: Sequence[RawLocation]) -> RawLocation:
    start = min(location.offset for location in locations)
    end = max(location.offset + location.length for location in locations)
    return RawLocation(locations[0].bucket, locations[0].key, start, end - start)


def _checked(message: Message, lines: Sequence[bytes]) -> list[RawLine] | RetraceError:
    try:
        return [_verified(message, parse_line(line)) for line in lines]
    except RetraceError as error:
        return error


def _verified(message: Message, line: RawLine) -> RawLine:
    """A line, after checking it against itself and against the message."""
    verify(line)
    if isinstance(message, ReplayMessage):
        expected = (message.event_id, message.content_sha256, message.entity_id, message.event_time)
        if expected != (line.event_id, line.content_sha256, line.entity_id, line.event_time):
            raise IntegrityFailure(f"The line at {message.s3_key} is not the event {message.event_id} of the message.")
    return line
