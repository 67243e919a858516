"""Where a JSON text ends: brackets and strings told apart in bytes that come in pieces; nothing else is judged."""

from __future__ import annotations

import json
import re

from chalicelib.core.lossless_json import MAX_DEPTH

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
