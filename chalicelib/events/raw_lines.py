"""Reads the lines of many events from raw objects: near ones with one request, and each verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from chalicelib.core.errors import IntegrityFailure, PermanentError
from chalicelib.core.ports import Concurrently
from chalicelib.events.ports import RawStore
from chalicelib.events.raw_objects import RawLine, RawLocation, StoredEvent, parse_line, verify

GAP_BYTES = 32_768
"""Bytes between two lines that are read along: S3 sends them sooner than it begins another answer."""

Read = bytes | PermanentError
"""What is at a location, or why that cannot be said."""


def read_lines(
    events: Sequence[StoredEvent], raw: RawStore, concurrently: Concurrently
) -> list[RawLine | PermanentError]:
    """For each event its verified line, or why there is none; raises TryAgain."""
    found = concurrently(lambda near: _read(near, raw), joined(event.location for event in events))
    lines = dict(chain.from_iterable(found))
    return [_line_or_error(event, lines[event.location]) for event in events]


def joined(locations: Iterable[RawLocation]) -> Iterator[list[RawLocation]]:
    """Locations in groups, each for one request: of one object, and with small gaps between them."""
    group, end = list[RawLocation](), 0
    for location in sorted(locations, key=lambda at: (at.bucket, at.key, at.offset)):
        if group and (location.key != group[0].key or location.offset > end + GAP_BYTES):
            yield group
            group, end = [], 0
        group.append(location)
        end = max(end, location.offset + location.length)
    if group:
        yield group


def span_of(locations: Sequence[RawLocation]) -> RawLocation:
    """From the first byte of locations in one object to the last."""
    start = min(location.offset for location in locations)
    end = max(location.offset + location.length for location in locations)
    return RawLocation(locations[0].bucket, locations[0].key, start, end - start)


def parts_of(content: bytes, span: RawLocation, locations: Iterable[RawLocation]) -> list[bytes]:
    """The bytes at each location, out of those of a span."""
    starts = [(location.offset - span.offset, location.length) for location in locations]
    return [content[start : start + length] for start, length in starts]


def verified(event: StoredEvent, line: bytes) -> RawLine:
    """The line of an event; raises IntegrityFailure if the bytes are damaged or of another event."""
    found = parse_line(line)
    verify(found)
    if (found.event_id, found.content_sha256) != (event.event_id, event.content_sha256):
        raise IntegrityFailure(f"The raw object {event.location.key} does not hold the event {event.event_id}.")
    return found


def _read(locations: Sequence[RawLocation], raw: RawStore) -> list[tuple[RawLocation, Read]]:
    span = span_of(locations)
    try:
        content = raw.read(span)
    except PermanentError as error:
        return [(location, error) for location in locations]
    return list(zip(locations, parts_of(content, span, locations), strict=True))


def _line_or_error(event: StoredEvent, read: Read) -> RawLine | PermanentError:
    try:
        return read if isinstance(read, PermanentError) else verified(event, read)
    except IntegrityFailure as error:
        return error
