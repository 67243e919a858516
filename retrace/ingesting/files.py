"""The files to send: opened one after another, known again by what identifies them, measured as they are read."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from retrace.ingesting.record import unreadable

STDIN = "-"
_LOOKED_AT = 65_536


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was when the command began."""

    name: str
    size: int
    identity: str
    is_stream: bool = False
    """Whether it is standard input or a pipe: of no size, and gone once it is read."""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Its bytes, as they lie there."""
        if self.name == STDIN:
            yield sys.stdin.buffer
            return
        with Path(self.name).open("rb") as content:
            yield content


def look_at(name: str) -> File:
    """A file by its name; raises Problem if it cannot be read."""
    if name == STDIN:
        return File(name, 0, STDIN, is_stream=True)
    path = Path(name)
    try:
        if path.is_dir():
            raise unreadable(name, "is a directory.", f"Name its files: {name.rstrip('/')}/*")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return File(name, 0, name, is_stream=True)
        with path.open("rb") as content:
            head = content.read(_LOOKED_AT)
    except OSError as error:
        raise unreadable(name, f"cannot be read: {error.strerror}.", "Check the path.") from error
    facts = os.fsencode(f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n")
    return File(name, status.st_size, hashlib.sha256(facts + head).hexdigest())


def read_so_far(file: File, content: BinaryIO) -> int:
    """How many bytes of a file, packed if it is packed, have been read."""
    return 0 if file.is_stream else min(content.tell(), file.size)
