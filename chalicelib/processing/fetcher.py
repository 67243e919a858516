"""Fetches the raw lines that messages refer to, and verifies them: for the processor, and for dead letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.core.errors import IntegrityFailure, Oversized, RetraceError, UnknownReplay, WrongBucket
from chalicelib.core.lossless_json import JsonText
from chalicelib.core.ports import Concurrently, Delivery
from chalicelib.events.ports import RawStore
from chalicelib.events.raw_lines import parts_of, span_of
from chalicelib.events.raw_objects import MAX_RAW_OBJECT_BYTES, RawLine, parse_line, verified_with_json
from chalicelib.replays.messages import ObjectReference, ReplayMessage, parse_message

Message = ReplayMessage | ObjectReference
Failures = dict[str, RetraceError]
"""Why deliveries failed, by their ids."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message, and the id of its delivery."""

    message_id: str
    message: Message


R = TypeVar("R")

OfLine = Callable[[Message, RawLine, JsonText], R]
"""What a message comes to by a line, which was checked, and by its event as it was parsed for that."""

_BYTES_AT_ONCE = 4 * MAX_RAW_OBJECT_BYTES
"""What may be read before it is checked: a batch may hold a hundred messages, each of a line of megabytes."""


@dataclass(frozen=True)
class FetchAndVerify:
    """What messages refer to, as far as it can be believed."""

    raw: RawStore
    concurrently: Concurrently

    def fetch(
        self, received: Iterable[Received], of_line: OfLine[R]
    ) -> Iterator[tuple[Received, list[R] | RetraceError]]:
        """The result of each message by its lines, or the error; with one GET for each object.

        Objects are read side by side, and lines checked one after the other: that takes many times a line's size in
        memory, and threads would win no time. So what a line was parsed to is gone before the next one is.
        """
        for groups in _in_turns(_by_object(received)):
            for group, found in zip(groups, self.concurrently(self._found, groups), strict=True):
                for each, lines in zip(group, found, strict=True):
                    yield each, lines if isinstance(lines, RetraceError) else _checked(each.message, lines, of_line)

    def _found(self, group: Sequence[Received]) -> list[list[bytes] | RetraceError]:
        """The lines of each message of one object, or the error."""
        faults = [self._fault_of(each.message) for each in group]
        taken = [each.message for each, fault in zip(group, faults, strict=True) if fault is None]
        try:
            lines = iter(self._lines_of(taken))
        except RetraceError as error:
            return [fault or error for fault in faults]
        return [fault or next(lines) for fault in faults]

    def _fault_of(self, message: Message) -> RetraceError | None:
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
        span = span_of(locations)
        return [[line] for line in parts_of(self.raw.read(span), span, locations)]


def parsed(deliveries: Iterable[Delivery]) -> tuple[list[Received], Failures]:
    """The messages that can be read, and why others cannot."""
    received: list[Received] = []
    failures: Failures = {}
    for delivery in deliveries:
        try:
            received.append(Received(delivery.message_id, parse_message(delivery.body)))
        except RetraceError as error:
            failures[delivery.message_id] = error
    return received, failures


def _by_object(received: Iterable[Received]) -> list[list[Received]]:
    """Messages in groups that refer to one object each."""
    groups: dict[tuple[str, str], list[Received]] = defaultdict(list)
    for each in received:
        groups[each.message.s3_bucket, each.message.s3_key].append(each)
    return list(groups.values())


def _in_turns(groups: Iterable[list[Received]]) -> Iterator[list[list[Received]]]:
    """Groups that are read at once: as many as fit into this many bytes, by the sizes in their messages."""
    at_once: list[list[Received]] = []
    size = 0
    for group in groups:
        more = _size_of([each.message for each in group])
        if at_once and size + more > _BYTES_AT_ONCE:
            yield at_once
            at_once, size = [], 0
        at_once.append(group)
        size += more
    if at_once:
        yield at_once


def _size_of(messages: Sequence[Message]) -> int:
    """How much is read for the messages of one object, at most."""
    locations = [message.location for message in messages if isinstance(message, ReplayMessage)]
    if len(locations) < len(messages):
        return MAX_RAW_OBJECT_BYTES
    return min(span_of(locations).length, MAX_RAW_OBJECT_BYTES)


def of_no_replay(message: ReplayMessage) -> UnknownReplay:
    """What is wrong with a message of a replay that is not there."""
    return UnknownReplay(f"There is no replay {message.replay_id}.")


def _checked(message: Message, lines: Sequence[bytes], of_line: OfLine[R]) -> list[R] | RetraceError:
    try:
        return [_of_verified(message, parse_line(line), of_line) for line in lines]
    except RetraceError as error:
        return error


def _of_verified(message: Message, line: RawLine, of_line: OfLine[R]) -> R:
    """The result of a message by a line, once the line is verified against itself and the message."""
    _, json = verified_with_json(line)
    if isinstance(message, ReplayMessage):
        members = ("event_id", "content_sha256", "entity_id", "event_time", "ingest_time")
        if any(getattr(message, name) != getattr(line, name) for name in members):
            raise IntegrityFailure(f"The line at {message.s3_key} is not the event {message.event_id} of the message.")
    return of_line(message, line, json)
