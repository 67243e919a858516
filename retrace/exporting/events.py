"""Fetches the events of a query with their texts, each hash checked: through the API, or from S3 with your rights.

The next page is fetched while the last one is used, and no more is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import IntegrityFailure, PermanentError, RawObjectMissing
from chalicelib.core.lossless_json import JsonSyntaxError, Number, Reader
from chalicelib.events.raw_lines import lines_of
from chalicelib.events.raw_objects import RawLine, RawLocation, StoredEvent, verify
from retrace.answer import Answer
from retrace.checking.stores import RawBucket
from retrace.client import Client
from retrace.concurrency import ahead, concurrently
from retrace.exporting.selection import Query
from retrace.output import Json
from retrace.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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


def fault_of(metadata: Json, text: bytes) -> str | None:
    """Why a text is not that of the event: derives its hashes and fields again and compares them."""
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


def through_api(client: Client, query: Query, at_most: int | None) -> Iterator[Fetched]:
    """The API reads each event's text, and its hash is checked here."""
    pages = client.each_page("/events", {**query, "include": "event"}, at_most, read=items_with_texts)
    for page in ahead(pages):
        yield from map(_checked, page)


def _checked(item: Json) -> Fetched:
    text = item.pop("event")
    return Fetched(item, text, item.pop("fault", None) or fault_of(item, text))


def items_with_texts(answer: Answer) -> tuple[list[Json], str | None]:
    """The items of a page, each with its event as the bytes that the answer has, and the cursor."""
    try:
        return _items_with_texts(Reader(answer.body.decode()))
    except (UnicodeDecodeError, JsonSyntaxError) as error:
        raise answer.foreign() from error


def _items_with_texts(reader: Reader) -> tuple[list[Json], str | None]:
    items: list[Json] = []
    cursor: str | None = None
    for name in reader.members():
        if name == "items":
            items = [{member: _value(reader, member) for member in reader.members()} for _ in reader.elements()]
        elif name == "cursor":
            cursor = str(found.value) if (found := reader.value()).value is not None else None
        else:
            reader.value()
    return items, cursor


def _value(reader: Reader, member: str) -> object:
    found = reader.value()
    if member == "event":
        return found.text.encode() if found.value is not None else None
    return int(found.value.literal) if isinstance(found.value, Number) else found.value


def from_s3(client: Client, s3: S3Client, query: Query, at_most: int | None) -> Iterator[Fetched]:
    """The API finds events, and their lines are read from S3 and checked here."""
    pages = client.each_page("/events", query, at_most)
    try:
        for page in ahead(map(partial(_read, s3), ahead(pages))):
            yield from page
    except (BotoCoreError, ClientError) as error:
        remedy = "docs/cli.md has the policy that --direct needs. Without --direct, the API reads the events."
        raise Problem(f"The raw objects cannot be read from S3: {error}", remedy) from error


def _read(s3: S3Client, page: list[Json]) -> list[Fetched]:
    lines = lines_of(list(map(_stored, page)), partial(_bytes_at, s3), concurrently)
    return [
        Fetched(item, None, str(line)) if isinstance(line, PermanentError) else Fetched(item, line.event)
        for item, line in zip(page, lines, strict=True)
    ]


def _bytes_at(s3: S3Client, location: RawLocation) -> bytes:
    last = location.offset + location.length - 1
    found = RawBucket(s3, location.bucket).content(location.key, Range=f"bytes={location.offset}-{last}")
    if found is None:
        raise RawObjectMissing(f"The raw object {location.key} is missing, or ends before byte {location.offset}.")
    return found


def _stored(item: Json) -> StoredEvent:
    location = RawLocation(*(item[f"s3_{field.name}"] for field in fields(RawLocation)))
    members = {field.name: item[field.name] for field in fields(StoredEvent) if field.name in item}
    return StoredEvent(**members, location=location)
