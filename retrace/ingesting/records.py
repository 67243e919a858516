"""Records: the events of a file, each with its line and its faults. Reads NDJSON line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault
from chalicelib.ingest.request import MAX_BYTES
from retrace.problem import Exit, Problem


@dataclass(frozen=True, slots=True)
class Record:
    """An event on one line, token for token as the file has it.

    `line` is the line that it begins on; in a JSON array or a CloudTrail log, the how-manieth element it is. A record
    with a fault is not sent.
    """

    line: int
    text: bytes
    fault: Fault | None = None
    cloudevent: bool = False


class Stream(Protocol):
    """Bytes of a file, unpacked."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...

    def readline(self, size: int, /) -> bytes:
        """The next line, or the first `size` bytes of it."""
        ...


Records = Iterator[Record]


def too_large(line: int) -> Record:
    """An event that no request can hold; its text is not kept, however long it is."""
    return Record(line, b"", Fault("", f"has more than {MAX_BYTES:,} bytes, the most for a request"))


def whole_line(stream: Stream, size: int) -> bytes:
    """The next line, or the first bytes of it; raises if the file breaks off inside of it."""
    line = stream.readline(size)
    if line and len(line) < size and not line.endswith(b"\n"):
        stream.read(1)  # raises; half a line may look like a whole one
    return line


def unreadable(path: str, what: str, remedy: str) -> Problem:
    """A file that cannot be read, or not to its end."""
    return Problem(f"{path} {what}", remedy, Exit.USAGE)


_BLANK = b" \t\r\n"


def line_records(stream: Stream) -> Records:
    """Every line that is not blank."""
    number = 0
    while line := whole_line(stream, MAX_BYTES + 2):
        number += 1
        if len(line) > MAX_BYTES and not line.endswith(b"\n"):
            _skip_line(stream)
            yield too_large(number)
        elif line.strip(_BLANK):
            yield Record(number, line.rstrip(b"\r\n"))


def _skip_line(stream: Stream) -> None:
    while (more := stream.readline(MAX_BYTES)) and not more.endswith(b"\n"):
        pass


_TELLS = "specversion"
"""Every CloudEvent has this attribute, and no native event may have a member of this name."""


def with_form(record: Record) -> Record:
    """A record that knows whether it is a CloudEvent."""
    if record.fault is not None or _TELLS.encode() not in record.text or not _is_cloudevent(record.text):
        return record
    return replace(record, cloudevent=True)


def _is_cloudevent(text: bytes) -> bool:
    try:
        found = lossless_json.parse(text.decode())
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError):
        return False
    # An array of CloudEvents has to be JSON as a whole; alone, what is nested too deep is refused alone.
    too_deep = any("nested" in fault.message for fault in found.faults)
    return isinstance(found.value, dict) and _TELLS in found.value and not too_deep
