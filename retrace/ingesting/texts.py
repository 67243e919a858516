"""Splits a file into JSON texts, on lines or not: each as it was written, and a broken one apart.

A text ends with its last bracket. Blanks, line breaks, commas and byte order marks may stand between two. With anything
else behind it, a text is broken to the end of the line. One that cannot be JSON goes on to the next line that begins
with a brace and no further in than its own first line: that is how the next event of a file of lines begins.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator
from enum import Enum, auto

from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.elements import CHUNK, SPACE, Brackets, Unbalanced, element_record, is_one_object
from retrace.ingesting.records import Record, Records, Stream, too_large

_BETWEEN = re.compile(rb"(?:[ \t\r\n,]|\xef\xbb\xbf)*")


_MOST_DOUBTS = 8
"""A torn line is found out by the next one or two; a text with more is laid out so, and not to be read many times."""


class _State(Enum):
    """Of the text at hand."""

    OPEN = auto()
    WHOLE = auto()
    """What comes next decides whether it was one."""
    BROKEN = auto()
    """It cannot be JSON, and may go over further lines."""
    ONE_LINE = auto()
    """It is none, and ends with its line."""


class _Text:
    """A text and its position."""

    def __init__(self, line: int, indent: int, state: _State) -> None:
        self.line = line
        self.indent = indent
        self.state = state
        self.brackets = Brackets()
        self.behind = b""
        """What follows it, once it is whole."""
        self.doubted: tuple[int, int] | None = None
        """The piece and line with which another event may begin, if this one turns out to be broken."""
        self.pieces: list[bytes] = []
        self._size = self._doubts = 0
        self._last = b""

    def keep(self, piece: bytes) -> None:
        """Add a piece; of a text that no request can hold nothing is kept."""
        self._size += len(piece)
        self._last = piece.rstrip()[-1:] or self._last
        if self._size > MAX_BYTES:
            self.pieces, self.doubted = [], None
        else:
            self.pieces.append(piece)

    def doubt(self, line: int) -> None:
        """Another event may begin here, though this one may also go on."""
        self._doubts += 1
        if self._doubts > _MOST_DOUBTS:
            self.doubted = None
        elif self.doubted is None and self.pieces:
            self.doubted = len(self.pieces), line

    def cut(self, kept: int) -> None:
        """Break off: it is broken, and what came after these pieces is not its own."""
        self.state, self.doubted = _State.BROKEN, None
        self.pieces = self.pieces[:kept]
        self._size = sum(map(len, self.pieces))

    @property
    def may_go_on_with_object(self) -> bool:
        """Whether JSON allows an opening brace here."""
        return self._last == b":" or (self.brackets.in_array and self._last in (b"[", b","))

    def record(self) -> Record:
        """As a record, on one line if it is JSON."""
        if self._size > MAX_BYTES:
            return too_large(self.line)
        return element_record(self.line, b"".join(self.pieces).strip(SPACE))


def text_records(stream: Stream) -> Records:
    """Every text of a file."""
    texts = _Texts()
    try:
        while (piece := texts.next_piece(stream)) or texts.unfinished:
            yield from texts.feed(piece) if piece else texts.end()
    except Exception:
        yield from texts.whole()  # what follows cannot be read
        raise


class _Texts:
    """Reads lines, or pieces of long ones."""

    def __init__(self) -> None:
        self._line = self._indent = 0
        self._begins_line = True
        self._text: _Text | None = None
        self._again: deque[bytes] = deque()

    @property
    def unfinished(self) -> bool:
        """Whether there is a text that did not come out."""
        return self._text is not None

    def next_piece(self, stream: Stream) -> bytes:
        """What is to be read next; nothing at the end."""
        return self._again.popleft() if self._again else stream.readline(CHUNK)

    def feed(self, piece: bytes) -> Iterator[Record]:
        """The texts that are known to be over with this piece."""
        if self._begins_line:
            self._line, self._indent = self._line + 1, len(piece) - len(piece.lstrip(SPACE))
            if self._text is not None and self._begins_another(piece, self._text):
                if self._read_again(self._text, piece):
                    return
                yield from self._ended()
        at = 0
        if self._text is None and self._begins_line and is_one_object(piece):
            yield Record(self._line, piece.strip(SPACE))
            at = len(piece)
        self._begins_line = piece.endswith(b"\n")
        while at < len(piece):
            if self._text is None:
                at = _after_blanks(piece, at)
                self._text = self._begun(piece[at]) if at < len(piece) else None
            elif self._text.state is _State.WHOLE:
                at = yield from self._looked_behind(self._text, piece, at)
            else:
                at = self._read_on(self._text, piece, at)
        if self._text is not None and self._begins_line:
            self._end_line(self._text)

    def end(self) -> Iterator[Record]:
        """The text that the file ends in."""
        if self._text is not None and not self._read_again(self._text):
            yield from self._ended()

    def whole(self) -> Iterator[Record]:
        """The text at hand, if it is whole."""
        if self._text is not None and self._text.state is _State.WHOLE:
            yield from self._ended()

    def _begun(self, sign: int) -> _Text:
        return _Text(self._line, self._indent, _State.OPEN if sign in b"{[" else _State.ONE_LINE)

    def _ended(self) -> Iterator[Record]:
        if self._text is not None:
            yield self._text.record()
        self._text = None

    def _begins_another(self, piece: bytes, text: _Text) -> bool:
        """Whether the text at hand is over, as the line that begins with this piece cannot belong to it."""
        if text.state in (_State.WHOLE, _State.ONE_LINE):
            return text.state is _State.ONE_LINE
        if self._indent > text.indent or piece[self._indent : self._indent + 1] != b"{":
            return False
        if text.state is _State.OPEN and text.may_go_on_with_object:
            text.doubt(self._line)
            return False
        return True

    def _read_again(self, text: _Text, *unkept: bytes) -> bool:
        """Whether a broken text is to be read again from the line that was in doubt."""
        if text.doubted is None:
            return False
        kept, line = text.doubted
        self._again.extendleft(reversed([*text.pieces[kept:], *unkept]))
        self._line, self._begins_line = line - 1, True
        text.cut(kept)
        return True

    def _read_on(self, text: _Text, piece: bytes, at: int) -> int:
        """How far a text goes in a piece."""
        end = None
        if text.state is _State.OPEN:
            try:
                end = text.brackets.end_in(piece, at)
            except Unbalanced:
                if self._read_again(text, piece):
                    return len(piece)
                text.state = _State.BROKEN
        text.keep(piece[at:end])
        if end is None:
            return len(piece)
        text.state, text.doubted = _State.WHOLE, None
        return end

    def _looked_behind(self, text: _Text, piece: bytes, at: int) -> Generator[Record, None, int]:
        """What follows a whole text: blanks, another one, or what makes it none; answers how far it looked."""
        end = _after_blanks(piece, at)
        text.behind += piece[at:end]
        if end < len(piece) and piece[end] not in b"{[":
            text.keep(text.behind)
            text.state = _State.ONE_LINE
        elif end < len(piece) or (self._begins_line and b"," not in text.behind):
            yield from self._ended()
        return end

    def _end_line(self, text: _Text) -> None:
        if text.state is _State.OPEN and text.brackets.string.inside and not self._read_again(text):
            text.state = _State.BROKEN  # no JSON string goes over a line break


def _after_blanks(piece: bytes, at: int) -> int:
    match = _BETWEEN.match(piece, at)
    return match.end() if match else at
