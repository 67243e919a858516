"""The elements of a JSON array, cut out of a stream as they were written; the array is never held as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.brackets import StringEnd
from retrace.ingesting.record import Record, Records, Stream, too_large

CHUNK = 65_536
SPACE = b" \t\r\n"
_STRUCTURE = re.compile(rb'["\[\]{},]')
_NESTED = re.compile(rb'(?:[^"\[\]{}]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL)
"""What may be passed over inside an element: anything but brackets, and whole strings."""


class BrokenArray(ValueError):
    """The text is not a whole array; the message goes on after "it"."""


class Elements:
    """Cuts an array whose opening bracket is gone, chunk by chunk; what the elements hold is judged by others.

    Only strings and brackets are told apart, so any bytes between two commas are an element. Of one that is too large,
    nothing is kept and None comes out.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.rest: bytes | None = None
        """What follows the array in the last chunk, once it has ended."""
        self._most = most
        self._depth = 1
        self._string = StringEnd()
        self._pieces: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """The elements that end in this chunk."""
        at = start = 0
        while at < len(chunk):
            if self._string.inside:
                at = self._string.after(chunk, at)
                continue
            passed = _NESTED.match(chunk, at) if self._depth > 1 else None
            found = _STRUCTURE.search(chunk, passed.end() if passed else at)
            if found is None:
                break
            at = found.end()
            if self._ends_element(found[0]):
                yield from self._element(chunk[start : at - 1])
                start = at
            if self._depth == 0:
                self.rest = chunk[at:]
                return
        self._keep(chunk[start:])

    def _ends_element(self, sign: bytes) -> bool:
        match sign:
            case b'"':
                self._string.inside = True
            case b"[" | b"{":
                self._depth += 1
            case b",":
                return self._depth == 1
            case _:
                self._depth -= 1
                if self._depth == 0 and sign != b"]":
                    raise BrokenArray("has a brace too many")
        return self._depth == 0

    def _element(self, end: bytes) -> Iterator[bytes | None]:
        self._keep(end)
        text = b"".join(self._pieces).strip(SPACE)
        empty_array = self._first and self._depth == 0 and not text and self._size <= self._most
        if not empty_array:
            yield text if self._size <= self._most else None
        self._pieces, self._size, self._first = [], 0, False

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece) if self._pieces else len(piece.lstrip(SPACE))
        if self._size > self._most:
            self._pieces = [b""]
        elif self._size:
            self._pieces.append(piece)


def array_records(stream: Stream) -> Records:
    """The elements of a file that is one array, or several, one after another."""
    texts = arrays(stream, re.compile(rb"\["), re.compile(rb""))
    for position, text in enumerate(texts, 1):
        yield too_large(position) if text is None else element_record(position, text)


def arrays(stream: Stream, before: re.Pattern[bytes], after: re.Pattern[bytes]) -> Iterator[bytes | None]:
    """The elements of arrays, each between what must stand before and after it; raises BrokenArray."""
    chunk = _filled(b"", stream)
    while chunk:
        begin = before.match(chunk)
        if begin is None:
            raise BrokenArray("goes on after its closing bracket")
        elements = Elements()
        chunk = chunk[begin.end() :]
        while elements.rest is None:
            yield from elements.feed(chunk)
            chunk = stream.read(CHUNK)
            if not chunk and elements.rest is None:
                raise BrokenArray("ends before its closing bracket")
        chunk = _filled(elements.rest + chunk, stream)
        end = after.match(chunk)
        if end is None:
            raise BrokenArray("goes on after its closing bracket")
        chunk = _filled(chunk[end.end() :], stream)


def _filled(chunk: bytes, stream: Stream) -> bytes:
    """A chunk that is long enough to be looked at, without blanks before it; empty at the end."""
    while len(chunk := chunk.lstrip(SPACE)) < CHUNK and (more := stream.read(CHUNK)):
        chunk += more
    return chunk


def element_record(position: int, text: bytes) -> Record:
    """An element on one line.

    A line break between tokens is but white space. Where the text is not JSON, it may be part of a string, and to
    make it a blank would change what is sent.
    """
    if not text:
        return Record(position, text, Fault("", "is empty: two commas follow each other, or one is the last"))
    if b"\n" not in text and b"\r" not in text:
        return Record(position, text)
    try:
        whole = lossless_json.parse(text.decode()).text
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError) as error:
        return Record(position, text, Fault("body", f"is not JSON: {error}"))
    return Record(position, lossless_json.one_line(whole).encode())
