"""Copies the lines of raw objects into files for DuckDB, with the place of each, and leaves out superseded ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from typing import BinaryIO

from retrace.checking.listing import Found
from retrace.checking.stores import RawBucket
from retrace.concurrency import AT_ONCE, in_order

SEPARATOR = b"\x01"
"""Between key, offset and line: no JSON text contains it."""

_EVENT = b',"event":'


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied of an object. A damaged line is no raw line."""

    size: int
    longest: int
    damaged: int


class Download:
    """Copies objects side by side, each worker into a file of its own, so that few large files come of many small."""

    def __init__(self, bucket: RawBucket, found: Found, directory: Path) -> None:
        self._bucket = bucket
        self._found = found
        self.files = [directory / f"lines-{number}" for number in range(AT_ONCE)]

    def run(self) -> Iterator[Copied]:
        """Copy every object, in no order."""
        idle: LifoQueue[BinaryIO] = LifoQueue()
        with ExitStack() as opened:
            for path in self.files:
                idle.put(opened.enter_context(path.open("wb")))

            def copy(key: str) -> Copied:
                content = self._bucket.content(key) or b""
                file = idle.get()
                try:
                    return self._copied(key, content, file)
                finally:
                    idle.put(file)

            yield from in_order(copy, self._found.sizes)

    def _copied(self, key: str, content: bytes, file: BinaryIO) -> Copied:
        offset = longest = damaged = 0
        for line in content.split(b"\n"):
            if line and (key, offset) not in self._found.superseded:
                if _is_sound(line):
                    file.write(b"%s%s%d%s%s\n" % (key.encode(), SEPARATOR, offset, SEPARATOR, line))
                    longest = max(longest, len(line))
                else:
                    damaged += 1
            offset += len(line) + 1
        return Copied(len(content), longest + len(key), damaged)


def _is_sound(line: bytes) -> bool:
    """Whether a line can be read as a row. Its hash is not checked."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return _EVENT in line and line.endswith(b"}") and SEPARATOR not in line and b"\r" not in line
