"""Reads the lines of many events from raw objects: near ones with one request, and each verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain

from chalicelib.core.errors import IntegrityFailure, PermanentError
from chalicelib.core.ports import Concurrently
from chalicelib.events.raw_objects import RawLine, RawLocation, StoredEvent, parse_line, stored_event, verify

GAP_BYTES = 32_768
"""Bytes between two lines that are read along: S3 sends them sooner than it begins another answer."""

Read = Callable[[RawLocation], bytes]
"""Reads the bytes at a location; raises PermanentError if there are none."""

Bytes = bytes | PermanentError


def lines_of(events: Sequence[StoredEvent], read: Read, concurrently: Concurrently) -> list[RawLine | PermanentError]:
    """For each event its verified line, or why there is none. Other errors of `read` are raised."""
    found = concurrently(lambda near: _bytes_at(near, read), joined(event.location for event in events))
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
    derived = stored_event(verify(found), found.receipt, event.location)
    wrong = [field.name for field in fields(event) if getattr(event, field.name) != getattr(derived, field.name)]
    if wrong:
        at, names = event.location.key, ", ".join(wrong)
        raise IntegrityFailure(f"{at} does not contain the event {event.event_id}: its line has a different {names}.")
    return found


def _bytes_at(locations: Sequence[RawLocation], read: Read) -> list[tuple[RawLocation, Bytes]]:
    span = span_of(locations)
    try:
        content = read(span)
    except PermanentError as error:
        return [(location, error) for location in locations]
    return list(zip(locations, parts_of(content, span, locations), strict=True))


def _line_or_error(event: StoredEvent, found: Bytes) -> RawLine | PermanentError:
    try:
        return found if isinstance(found, PermanentError) else verified(event, found)
    except IntegrityFailure as error:
        return error
