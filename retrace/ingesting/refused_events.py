"""Looks events up among recently refused ones, which it reads once, up to a limit, and keeps on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib.core.lossless_json import JsonSyntaxError, parse_elements
from chalicelib.core.timestamps import Instant
from chalicelib.events.event import Form
from chalicelib.ingest.rejection import Rejection, RejectionStatus
from chalicelib.ingest.request import NDJSON
from chalicelib.quarantine.contents import contents_of
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.databases import execute_many, temporary_database

Json = dict[str, Any]

PAGES_A_DAY = 3
"""Quarantine has no index: a page reads up to a thousand of its objects."""

_PAGE = 1_000
_DAY = len("2026-11-22.")
_FORMS = (NDJSON, Form.NATIVE, Form.CLOUDEVENT)
_NO_TIME = Instant("1970-01-01T00:00:00.000000000Z")


class RefusedEvents:
    """What quarantine has of some days, by source and key and by the event's exact text."""

    def __init__(self, client: Client, window: Mapping[str, str], days: int) -> None:
        self._client = client
        self._window = window
        self._pages = PAGES_A_DAY * days
        self.in_part = False
        """Whether only the beginning of these days was read."""
        self._database = temporary_database()
        self._database.execute("CREATE TABLE refused (mark TEXT PRIMARY KEY, rejected_id TEXT)")
        self._read = False
        self._events = 0

    def rejected_id(self, text: bytes, source: str | None, key: str | None) -> str | None:
        """Where an event is kept; None if it is not found."""
        if not self._read:
            self._read = True
            self._learn()
        if not self._events:
            return None
        marks = [*_marks_of_text(text), *_marks_of_key(source, key)]
        wanted = ", ".join("?" * len(marks))
        found = self._database.execute(f"SELECT rejected_id FROM refused WHERE mark IN ({wanted})", marks).fetchone()  # noqa: S608  # only question marks
        return None if found is None else str(found[0])

    def _learn(self) -> None:
        pages = islice(self._client.each_page("/rejected", {**self._window, "limit": str(_PAGE)}), self._pages)
        read = 0
        for page in pages:
            read += 1
            execute_many(self._database, "INSERT OR IGNORE INTO refused VALUES (?, ?)", list(self._records(page)))
        self.in_part = read == self._pages
        [self._events] = self._database.execute("SELECT COUNT(*) FROM refused").fetchone()

    def _records(self, page: Sequence[Json]) -> Iterator[tuple[str, str]]:
        for item in page:
            yield item["rejected_id"][_DAY:], item["rejected_id"]
            for mark in _marks_of_key(item["source"], item["idempotency_key"]):
                yield mark, item["rejected_id"]
        together = (item["rejected_id"] for item in page if item["events"] > 1)
        for kept in in_order(lambda one: self._client.get(f"/rejected/{one}"), together):
            for text in _texts_of(kept):
                said = said_by(text.encode(), kept["content_type"])
                for mark in (*_marks_of_text(text.encode()), *_marks_of_key(said["source"], said["idempotency_key"])):
                    yield mark, kept["rejected_id"]


def said_by(text: bytes, content_type: str) -> dict[str, str | None]:
    """What the text of one event says of source, type, entity and key, as far as it can be read."""
    contents = contents_of(Rejection(RejectionStatus.REJECTED, text, (), _NO_TIME, "", content_type))
    return {name: values[0] for name, values in contents.values.items()}


def _texts_of(kept: Json) -> list[str]:
    """The texts of events that are kept together."""
    body: str = kept.get("body", "")
    if kept["content_type"] == NDJSON:
        return [line for line in body.split("\n") if line.strip()]
    try:
        return [element.text for element in parse_elements(body)]
    except JsonSyntaxError:
        return []


def _marks_of_text(text: bytes) -> Iterator[str]:
    """The digests under which quarantine can have a text, in each of its forms and for each reason."""
    for status in RejectionStatus:
        for form in _FORMS:
            yield Rejection(status, text, (), _NO_TIME, "", form).rejected_id[_DAY:]


def _marks_of_key(source: str | None, key: str | None) -> Iterable[str]:
    return () if source is None or key is None else (json.dumps([source, key]),)
