"""Files that name the events of a replay: each id once, in order, one a line, known by the SHA-256 of their content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

from chalicelib.core.errors import IntegrityFailure
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


def ids_in(file: EventsFile, piece: bytes) -> Sequence[str]:
    """The ids of a piece; raises IntegrityFailure unless it is one a line, in order, each of them once."""
    found = piece.decode("ascii", "replace").split() if _LINES.fullmatch(piece) else [""]
    if any(low >= high for low, high in pairwise(["", *found])):
        raise IntegrityFailure(f"The events file {file.sha256} is not one id a line, sorted, each of them once.")
    return found


@dataclass
class Verification:
    """What was read of a file so far, piece by piece."""

    file: EventsFile
    _hash: Any = field(default_factory=sha256)
    _last: str = ""

    def add(self, piece: bytes) -> None:
        """Read the next piece; raises IntegrityFailure if its ids are not in order."""
        self._hash.update(piece)
        ids = ids_in(self.file, piece)
        if ids[0] <= self._last:
            raise IntegrityFailure(f"The events file {self.file.sha256} is not sorted at {ids[0]}.")
        self._last = ids[-1]

    def end(self) -> None:
        """Raise IntegrityFailure unless the file is what its name says."""
        if self._hash.hexdigest() != self.file.sha256:
            raise IntegrityFailure(f"The events file {self.file.sha256} has other content than its name says.")


def pieces(file: EventsFile, length: int, begin: int = 0) -> Iterator[tuple[int, int]]:
    """The offset and bytes of each piece of a length, from the n-th on."""
    for offset in range(begin * length, file.size, length):
        yield offset, min(length, file.size - offset)
