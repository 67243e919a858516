"""JSON Pointers (RFC 6901) into values whose numbers are still literals, and why a metric takes no such value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chalicelib.core.lossless_json import JsonValue


class Reason(Enum):
    """What is wrong with the value that a pointer leads to. It is no text, which an event could contain."""

    MISSING = "missing"
    """It is absent or null."""
    NOT_A_NUMBER = "not_a_number"
    TOO_MANY_DIGITS = "too_many_digits"
    EXPONENT_TOO_LARGE = "exponent_too_large"
    NOT_A_SCALAR = "not_a_scalar"
    """It is an object or an array."""
    TOO_LONG = "too_long"
    """It is a text of too many bytes."""


MAX_BYTES = 256

_TOKEN = re.compile(r"(?:[^~/]|~[01])*")
_INDEX = re.compile(r"0|[1-9][0-9]*")


class Absent:
    """Stands for a value that is not there, as null is one that is."""


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a value is: the names and positions that lead to it."""

    text: str
    tokens: tuple[str, ...]

    def leads_through(self, other: Pointer) -> bool:
        """Whether the other points to something that contains what this points to."""
        return len(other.tokens) < len(self.tokens) and self.tokens[: len(other.tokens)] == other.tokens


def parse_pointer(text: str) -> Pointer:
    """Read a pointer; raises ValueError with a text fit for a caller."""
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"is longer than {MAX_BYTES} bytes")
    if text and not text.startswith("/"):
        raise ValueError("is not a JSON Pointer (RFC 6901): must be empty or begin with /")
    written = text.split("/")[1:]
    if not all(map(_TOKEN.fullmatch, written)):
        raise ValueError("is not a JSON Pointer (RFC 6901): ~ must be followed by 0 (for ~) or 1 (for /)")
    return Pointer(text, tuple(token.replace("~1", "/").replace("~0", "~") for token in written))


def found_at(pointer: Pointer, value: JsonValue) -> JsonValue | Absent:
    """The value that a pointer leads to, or ABSENT."""
    found: JsonValue | Absent = value
    for token in pointer.tokens:
        match found:
            case dict():
                found = found.get(token, ABSENT)
            case list() if _INDEX.fullmatch(token) and int(token) < len(found):
                found = found[int(token)]
            case _:
                return ABSENT
    return found
