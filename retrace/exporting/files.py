"""Writes exports to files: a file exists only once it is complete, and NDJSON has a line for each event."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from retrace.exporting.events import Fetched
from retrace.problem import Exit, Problem

STANDARD_OUTPUT = "-"


@contextmanager
def opened(out: str, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to; it gets its name when all is written, so that half an export is not taken for one."""
    if out == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if not replace:
        require_new(path)
    try:
        with _partial(path) as (file, name):
            yield file
            file.close()
            name.replace(path)
    except OSError as error:
        remedy = "Make room, or name a file that can be written."
        if not path.parent.is_dir():
            remedy = f"Make its directory first: mkdir -p {shlex.quote(str(path.parent))}"
        raise Problem(f"{out} cannot be written: {error.strerror or error}.", remedy, Exit.USAGE) from error


def require_new(path: Path) -> None:
    """Raise Problem if a file would be replaced."""
    if path.exists():
        raise Problem(f"{path} already exists.", "Name another file, or add --force to replace it.", Exit.USAGE)


def made_directory(path: Path) -> None:
    """Make a directory and those above it; raises Problem if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Name a directory that can be made."
        raise Problem(f"{path} cannot be made: {error.strerror or error}.", remedy, Exit.USAGE) from error


@contextmanager
def _partial(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file of its own beside a path, deleted unless it was renamed. Its rights are those of any new file."""
    name = path.with_name(f".{path.name}.{uuid4()}")
    try:
        with name.open("xb") as file:
            yield file, name
    finally:
        name.unlink(missing_ok=True)


class Writer(Protocol):
    """Writes events in one format."""

    def write(self, event: Fetched) -> None:
        """Write an event, or keep it until there are enough for a block."""

    def close(self) -> None:
        """Write what is left."""


class NdjsonWriter:
    """Writes a line an event. One that is at fault has no member `event` but its `fault`, and its text as text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, event: Fetched) -> None:
        """Write a line."""
        self._file.write(line_of(event) + b"\n")

    def write_row(self, row: Mapping[str, Any]) -> None:
        """Write a contribution as a line."""
        self._file.write(_object(row) + b"\n")

    def close(self) -> None:
        """Nothing is left."""


def line_of(event: Fetched) -> bytes:
    """The line of an event."""
    if event.fault is None and event.text is not None:
        return _object(event.metadata)[:-1] + b',"event":' + event.text + b"}"
    text = None if event.text is None else event.text.decode(errors="replace")
    return _object({**event.metadata, "event_text": text, "fault": event.fault})


def _object(members: object) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
