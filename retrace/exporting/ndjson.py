"""Events as NDJSON: a line each, its metadata and then the event, verbatim."""

from __future__ import annotations

import json
from typing import BinaryIO, Protocol

from retrace.exporting.fetching import Fetched


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
