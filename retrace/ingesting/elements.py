"""Reads JSON in pieces: ends of texts, members, and elements of an array that is never in memory as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault
from chalicelib.core.lossless_json import MAX_DEPTH
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.records import Record, Records, Stream, too_large

_QUOTE = ord('"')
_IN_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_NO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
"""What may be passed over inside a text: anything but brackets, and whole strings."""
_OPENED_BY = {ord("}"): ord("{"), ord("]"): ord("[")}


class Unbalanced(ValueError):
    """A bracket closes what another one opened, or they are nested deeper than an event may be."""


class StringEnd:
    """Whether a position is inside a string, whose end may lie in a later piece."""

    def __init__(self) -> None:
        self.inside = False
        self._escaped = False

    def after(self, piece: bytes, at: int) -> int:
        """The position after the string that this one is inside of, or the end of the piece."""
        if self._escaped:
            self._escaped = False
            at += 1
        match = _IN_STRING.match(piece, at)
        end = match.end() if match else at
        if end < len(piece):
            self.inside = piece[end] != _QUOTE
            self._escaped = self.inside
        return end + 1


class Brackets:
    """The brackets that are open in a text."""

    def __init__(self) -> None:
        self.string = StringEnd()
        self._open = bytearray()

    @property
    def in_array(self) -> bool:
        """Whether the innermost is an array."""
        return self._open.endswith(b"[")

    def end_in(self, piece: bytes, at: int) -> int | None:
        """Where the text ends in a piece; None if it goes on after it. Raises Unbalanced."""
        while at < len(piece):
            if self.string.inside:
                at = self.string.after(piece, at)
                continue
            passed = _NO_BRACKET.match(piece, at)
            at = passed.end() if passed else at
            if at < len(piece):
                self._met(piece[at])
                at += 1
                if not self._open:
                    return at
        return None

    def _met(self, sign: int) -> None:
        if sign == _QUOTE:
            self.string.inside = True
        elif sign not in _OPENED_BY:
            self._open.append(sign)
            if len(self._open) > MAX_DEPTH:
                raise Unbalanced
        elif self._open.pop() != _OPENED_BY[sign]:
            raise Unbalanced


def is_one_object(line: bytes) -> bool:
    """Whether a line is one JSON object, as most are, which Python's parser tells sooner than a look at brackets."""
    if line[:1] != b"{" or line[-1:] != b"\n" or b"\r" in line[:-2]:
        return False
    try:
        json.loads(line.decode())
    except (ValueError, RecursionError):
        return False
    return True


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
                    raise BrokenArray("has one closing brace too many")
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
