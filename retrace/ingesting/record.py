"""One event of a file: where it stands, its text, and what already speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

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
