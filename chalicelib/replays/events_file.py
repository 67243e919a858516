"""Files that name the events of a replay: each id once, in order, one a line, known by the SHA-256 of their content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

from chalicelib.core.errors import Fault, IntegrityFailure, InvalidRequest
from chalicelib.core.timestamps import Day, Instant, day_after

MAX_EVENTS = 1_000_000
"""A planner reads the whole file once in each slice, to verify it: a second or two for 65 MB."""

LINE_BYTES = 65
PAGE_BYTES = 1_600 * LINE_BYTES
"""Of what is looked up at once: sixteen calls for a hundred identities each."""

PIECE_BYTES = 16_000 * LINE_BYTES
"""Of what is read to be verified."""

MONTHS_FOUND = 2
"""An upload counts in the month that it was made in and in the next one. Then the file is uploaded again."""

KEPT_DAYS = 240
"""As a rule of the bucket says. A replay can read its file for 148 days: longer than the slowest one takes, which sends
ten events in 100 seconds, and its outbox is kept after that."""

MONTHS_KEPT = 9
"""The months that these days are in, at most."""

_LINES = re.compile(rb"(?:[0-9a-f]{64}\n)*")

MEND_IT = (
    "Sort the ids, without duplicates (LC_ALL=C sort -u), upload the file by its new hash and request a new replay. "
    "retrace replay create --events FILE does all this"
)


def content_of(event_ids: Iterable[str]) -> bytes:
    """The content of the file that names these events, however often and in whatever order they are given."""
    return b"".join(f"{each}\n".encode() for each in sorted(set(event_ids)))


def months_of(at: Instant, count: int = MONTHS_FOUND) -> list[str]:
    """The month of an instant and those before it, such as 2026-11, newest first."""
    months = [at[:7]]
    while len(months) < count:
        months.append(day_after(Day(f"{months[-1]}-01"), -1)[:7])
    return months


@dataclass(frozen=True, slots=True)
class EventsFile:
    """A file that is stored: its name, key and bytes, and the tag that another content would change."""

    sha256: str
    key: str
    size: int
    tag: str

    @property
    def events(self) -> int:
        """How many ids it has."""
        return self.size // LINE_BYTES


@dataclass(frozen=True, slots=True)
class Upload:
    """A request that uploads a file, and nothing else, until it expires."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: Instant


def ids_in(piece: bytes) -> Sequence[str]:
    """The ids of a piece of a file that was verified."""
    return piece.decode("ascii").split()


@dataclass
class Verification:
    """What was read of a file so far, piece by piece."""

    file: EventsFile
    _hash: Any = field(default_factory=sha256)
    _last: bytes = b""
    _lines: int = 0
    _wrong: str | None = None

    def add(self, piece: bytes) -> None:
        """Read the next piece, of whole lines unless the file is malformed."""
        self._hash.update(piece)
        if self._wrong is None:
            self._wrong = self._wrong_in(piece)

    def end(self) -> None:
        """Raise IntegrityFailure unless the file is what its name says, and InvalidRequest if its client made it so."""
        if self._hash.hexdigest() != self.file.sha256:
            raise IntegrityFailure(f"The events file {self.file.sha256} has other content than its name says.")
        if self._wrong is not None:
            fault = Fault("events_file", f"{self._wrong}. {MEND_IT}")
            raise InvalidRequest(
                f"The events file {self.file.sha256} is not valid: {self._wrong}. {MEND_IT}.", (fault,)
            )

    def _wrong_in(self, piece: bytes) -> str | None:
        """What is wrong with the first line that is; all lines before it have the length that they must have."""
        if _LINES.fullmatch(piece) is None:
            return self._first_wrong(piece)
        lines = [self._last, *(piece[at : at + LINE_BYTES] for at in range(0, len(piece), LINE_BYTES))]
        if any(low >= high for low, high in pairwise(lines)):
            return self._first_wrong(piece)
        self._last, self._lines = lines[-1], self._lines + len(lines) - 1
        return None

    def _first_wrong(self, piece: bytes) -> str:
        """Say which line is, of a piece that has one: sound pieces are not gone through line by line."""
        last = self._last
        for number, at in enumerate(range(0, len(piece), LINE_BYTES), self._lines + 1):
            line = piece[at : at + LINE_BYTES]
            if not line or _LINES.fullmatch(line) is None:
                return f"line {number} is not 64 lowercase hexadecimal digits and a line feed"
            if line <= last:
                return f"line {number} {'repeats' if line == last else 'must come before'} line {number - 1}"
            last = line
        raise AssertionError


def pieces(file: EventsFile, length: int, begin: int = 0) -> Iterator[tuple[int, int]]:
    """The offset and bytes of each piece of a length, from the n-th on."""
    for offset in range(begin * length, file.size, length):
        yield offset, min(length, file.size - offset)
