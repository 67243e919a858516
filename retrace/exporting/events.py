"""Events fetched, checked against their hashes, and written into a file that is there whole or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import uuid4

from chalicelib.core.errors import IntegrityFailure
from chalicelib.events.raw_objects import RawLine, verify
from retrace.client import Answer, Client, problem_of
from retrace.output import Json
from retrace.problem import Exit, Problem

# What is wrong with one event. Anything else is wrong with all of them and stops the export.
_OF_THIS_EVENT = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An event's metadata, its text if it was handed out, and what is wrong with it if something is."""

    metadata: Json
    text: bytes | None
    fault: str | None = None

    @property
    def size(self) -> int:
        """How many bytes of text there are."""
        return len(self.text or b"")


def fetch(client: Client, metadata: Json) -> Fetched:
    """An event's own text, checked; raises Problem if the API does not answer at all."""
    path = f"/events/{metadata['event_id']}/raw"
    answer = client.call("GET", path)
    if answer.status == HTTPStatus.OK:
        return Fetched(metadata, answer.body, fault_of(metadata, answer.body))
    if answer.status not in _OF_THIS_EVENT:
        raise problem_of(f"GET {path}", answer)
    return Fetched(metadata, None, _reason(answer, metadata))


def fault_of(metadata: Json, text: bytes) -> str | None:
    """Why a text is not that of the event: its hashes and fields are derived anew and compared."""
    line = RawLine(
        event_id=metadata["event_id"],
        ingest_time=metadata["ingest_time"],
        content_sha256=metadata["content_sha256"],
        entity_id=metadata["entity_id"],
        event_type=metadata["event_type"],
        event_time=metadata["event_time"],
        request_id=metadata["request_id"],
        sent_by=metadata["sent_by"],
        event=text,
    )
    try:
        event = verify(line)
    except IntegrityFailure as failure:
        return str(failure)
    return None if event.source == metadata["source"] else f"Its source is {event.source}, not {metadata['source']}."


def _reason(answer: Answer, metadata: Json) -> str:
    """Why the API does not hand an event out."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return f"Its identity has expired. Its line is in {metadata['s3_key']}."
    if answer.status == HTTPStatus.GONE:
        return "It was erased."
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"The API does not return it: {answer.json.get('detail', 'it failed.')}"
    return f"The API could not return it ({answer.status}), perhaps for its size. Its line is in {metadata['s3_key']}."


STANDARD_OUTPUT = "-"


@contextmanager
def opened(out: str, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write to; it gets its name when all is written, so that half an export is not taken for one."""
    if out == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not replace:
        raise Problem(f"{out} already exists.", "Name another file, or add --force to replace it.", Exit.USAGE)
    if path.is_dir():
        raise Problem(f"{out} is a directory.", "Name a file in it.", Exit.USAGE)
    try:
        with _partial(path) as (file, name):
            yield file
            file.close()
            name.replace(path)
    except OSError as error:
        remedy = "Make room, or name a file that can be written."
        raise Problem(f"{out} cannot be written: {error}", remedy, Exit.USAGE) from error


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
