"""JSON that keeps what was written: number literals as text, faults located.

Python's own parser would round 1.10 to 1.1, keep the last of two equal keys, and accept NaN. Here numbers stay
literals, and what RFC 8259 leaves open or forbids becomes a located fault.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.core.errors import Fault, first_faults, shown_name

MAX_DEPTH = 256

JsonValue: TypeAlias = object
"""str, bool, None, Number, list of JsonValue, or dict of str to JsonValue."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as its literal text."""

    literal: str


@dataclass(frozen=True, slots=True)
class NotJson:
    """NaN or an infinity, which Python's parser accepts and RFC 8259 does not."""

    literal: str


class DuplicateKeys(dict[str, JsonValue]):
    """An object with duplicate keys."""

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        self.duplicates = sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)


class JsonSyntaxError(ValueError):
    """The text is not JSON; the message says where it stops being so."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """A value together with the text it was written as and what is wrong inside it."""

    text: str
    value: JsonValue
    faults: tuple[Fault, ...]


def parse(text: str) -> JsonText:
    """Parse one JSON text; raises JsonSyntaxError."""
    reader = Reader(text)
    value = reader.value()
    reader.expect_end()
    return value


def parse_elements(text: str) -> Iterator[JsonText]:
    """Parse the elements of a JSON array one by one; raises JsonSyntaxError where the array does not hold."""
    reader = Reader(text)
    for _ in reader.elements():
        yield reader.value()
    reader.expect_end()


def member_texts(text: str) -> dict[str, str]:
    """The members of a JSON object, each as the text that its value was written as; raises JsonSyntaxError."""
    reader = Reader(text)
    return {name: reader.value().text for name in reader.members()}


def without_lone_surrogates(members: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The members whose names are Unicode text: a fault names the others, and pydantic would see none beside them."""
    if "".join(members).isascii():
        return members
    return {name: value for name, value in members.items() if not _has_lone_surrogate(name)}


def one_line(text: str) -> str:
    """The same tokens without line breaks: between the tokens of a valid JSON text a break is only white space."""
    return text.replace("\r", " ").replace("\n", " ")


_SPACE = re.compile(r"[ \t\n\r]*")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _Met:
    """Whether the parser met anything that needs a closer look.

    It stands apart from the reader: a reader that its own parser refers to, and its text, would stay until Python looks
    for cycles.
    """

    suspect = False

    def object(self, pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        self.suspect = True
        return DuplicateKeys(pairs)

    def constant(self, literal: str) -> NotJson:
        self.suspect = True
        return NotJson(literal)


class Reader:
    """A position in a text, moved forward value by value; raises JsonSyntaxError where the text is not JSON."""

    def __init__(self, text: str) -> None:
        self.at = 0
        self._text = text
        self._met = met = _Met()
        self._scan = json.JSONDecoder(
            object_pairs_hook=met.object, parse_int=Number, parse_float=Number, parse_constant=met.constant
        ).raw_decode

    def value(self) -> JsonText:
        """The next value, with its own text and its faults."""
        self._skip_space()
        start, self._met.suspect = self.at, False
        try:
            value, self.at = self._scan(self._text, start)
        except json.JSONDecodeError as error:
            # The parser's message names what it expected and quotes nothing of the text.
            raise JsonSyntaxError(
                f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')} at character {error.pos}"
            ) from error
        except RecursionError as error:
            raise JsonSyntaxError(f"nested deeper than {MAX_DEPTH} levels") from error
        text = self._text[start : self.at]
        # Locating faults walks the whole value, so it is done only where the text gives reason to.
        faults = first_faults(_faults(value, "", 1)) if self._met.suspect or _suspicious(text) else ()
        return JsonText(text, value, faults)

    def elements(self) -> Iterator[None]:
        """Moves into an array, and to each element of it, which must be read before the next."""
        yield from self._parts("[]", "array")

    def members(self) -> Iterator[str]:
        """Moves into an object, and past the name of each member, whose value must be read before the next."""
        for _ in self._parts("{}", "object"):
            name = self.value().value
            if not isinstance(name, str) or not self._took(":"):
                raise JsonSyntaxError(f"expected a name and a colon before character {self.at}")
            yield name

    def _parts(self, brackets: str, kind: str) -> Iterator[None]:
        if not self._took(brackets[0]):
            raise JsonSyntaxError(f"not a JSON {kind}")
        if self._took(brackets[1]):
            return
        yield
        while self._took(","):
            yield
        if not self._took(brackets[1]):
            raise JsonSyntaxError(f"expected a comma or a closing bracket at character {self.at}")

    def _took(self, character: str) -> bool:
        """Whether the next character that is not white space is this one; if so, move past it."""
        self._skip_space()
        if not self._text.startswith(character, self.at):
            return False
        self.at += 1
        return True

    def expect_end(self) -> None:
        """Moves to the end, before which there must be only white space."""
        self._skip_space()
        if self.at != len(self._text):
            raise JsonSyntaxError(f"unexpected text after the value at character {self.at}")

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self.at)
        self.at = match.end() if match else self.at


def _suspicious(text: str) -> bool:
    return text.count("{") + text.count("[") > MAX_DEPTH or _ESCAPED_SURROGATE.search(text) is not None


def _faults(value: JsonValue, path: str, depth: int) -> Iterator[Fault]:
    if depth > MAX_DEPTH and isinstance(value, (dict, list)):
        yield Fault(re.split(r"[.\[]", path, maxsplit=1)[0], f"is nested deeper than {MAX_DEPTH} levels")
        return
    match value:
        case NotJson():
            yield Fault(path, f"{value.literal} is not a JSON number")
        case str() if _has_lone_surrogate(value):
            yield Fault(path, "contains a lone surrogate, which is not a Unicode character")
        case dict():
            if isinstance(value, DuplicateKeys):
                yield from (Fault(_member(path, key), "is a duplicate key") for key in value.duplicates)
            for key, child in value.items():
                if _has_lone_surrogate(key):
                    yield Fault(path, "has a key that contains a lone surrogate, which is not a Unicode character")
                yield from _faults(child, _member(path, key), depth + 1)
        case list():
            for position, child in enumerate(value):
                yield from _faults(child, f"{path}[{position}]", depth + 1)


def _member(path: str, key: str) -> str:
    name = shown_name(key)
    return f"{path}.{name}" if path else name


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
