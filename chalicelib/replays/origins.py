"""Where the events of a replay come from. Filters, whole days and duplicates are added to them by selection.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Protocol

from chalicelib.core.pagination import chunked, chunks, every_page
from chalicelib.core.ports import Concurrently
from chalicelib.events.index_pages import Page, Partition, merged
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import Cursor
from chalicelib.replays.messages import Duplicate, MessageIdentity, ReplayMessage
from chalicelib.replays.named_events import LOOKED_UP_A_CALL, NamedEvents
from chalicelib.replays.ports import ProcessedMessages, ReplayStore, SentEvents, required_job
from chalicelib.replays.request import ReplayRequest

ROWS_A_READ = 1_250
"""Of a group of partitions, together: more than are sent at once, so that uneven shards do not need a second read."""

FEWEST_ROWS_A_READ = 100
"""Of each: what one has read beyond the others is read again, and weighs the more the shorter the pages are."""

LOOKED_UP_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class OriginRow:
    """A row of an origin and the cursor after it. Without an event it only moves the cursor on.

    `scanned` counts rows that were read, with the one of this event. `duplicate` is the later arrival that it is about,
    and `not_found` an id that a file names and no event has. `looked_up` counts what was read by a key to know it.
    """

    cursor: Cursor
    event: StoredEvent | None
    scanned: int = 1
    duplicate: Duplicate | None = None
    not_found: str | None = None
    looked_up: int = 0


class EventOrigin(Protocol):
    """The events that a replay selects, before its filters, each once and in an order that never changes.

    To add an origin: give ReplayRequest the member that asks for it, write a class with this method, and let
    Origins.of choose it. Its cursors have `discovering_days` as they got it, and what they need in `group` and `after`:
    any text, different for each event. Rows without events are as welcome as others: planners commit them.
    """

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """Every row after a cursor, in bounded memory, read when needed and through `concurrently` alone."""


@dataclass(frozen=True)
class Origins:
    """What origins read, and which of them a request asks for."""

    index: EventIndex
    replays: ReplayStore
    ledger: ProcessedMessages
    named: NamedEvents

    def of(self, request: ReplayRequest, shards: int, concurrently: Concurrently) -> EventOrigin:
        """Where the events of a request come from."""
        if request.of is not None:
            return UnprocessedOrigin(request.of, self.replays, self.ledger, concurrently)
        selected: EventOrigin = IndexOrigin(request, self.index, shards, concurrently)
        if request.events_file is not None:
            selected = FileOrigin(request.events_file, self.named, concurrently)
        if request.only is None:
            return selected
        return NotSentOrigin(selected, request, self.replays.sent_events(request.destination), concurrently)


@dataclass(frozen=True)
class IndexOrigin:
    """The events of an entity, or of a source and types, in the request's window: group by group, in time order."""

    request: ReplayRequest
    index: EventIndex
    shards: int
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """Every row of the window; those of one group in time order."""
        number, after = cursor.group, cursor.after
        while (group := self.request.group(number, self.shards)) is not None:
            for page in every_page(partial(self._page, group), after):
                for row in page.rows:
                    yield OriginRow(Cursor(cursor.discovering_days, group=number, after=row.sort_key), row.event)
            number, after = number + 1, None
            yield OriginRow(Cursor(cursor.discovering_days, group=number), None, scanned=0)

    def _page(self, group: Sequence[Partition], after: str | None) -> Page:
        limit = max(FEWEST_ROWS_A_READ, ROWS_A_READ // len(group))
        pages = self.concurrently(lambda partition: self.index.page(partition, after, limit), group)
        return merged(pages, newest_first=False)


@dataclass(frozen=True)
class UnprocessedOrigin:
    """The messages of a replay that were neither processed nor reported done, in the order in which it sent them.

    What it sent is read from its outboxes. It has ended, so there will be no more of them.
    """

    replay_id: str
    replays: ReplayStore
    ledger: ProcessedMessages
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """A row for each message that the replay sent, with an event if it is unprocessed."""
        number = 0 if cursor.after is None else int(cursor.after)
        [job] = self.concurrently(partial(required_job, self.replays), [self.replay_id])
        while number < job.sent:
            [messages] = self.concurrently(self._sent_from, [number])
            for some in chunked(messages, LOOKED_UP_TOGETHER):
                parts = self.concurrently(self._processed, chunked(some, LOOKED_UP_A_CALL))
                processed = set(chain.from_iterable(parts))
                for message in some:
                    number += 1
                    event = None if message.identity in processed else message.event
                    after = Cursor(cursor.discovering_days, after=str(number))
                    yield OriginRow(after, event, duplicate=message.duplicate, looked_up=1)

    def _sent_from(self, number: int) -> list[ReplayMessage]:
        first, outbox = self.replays.outbox_with(self.replay_id, number)
        return list(outbox.messages[number - first :])

    def _processed(self, messages: Sequence[ReplayMessage]) -> list[MessageIdentity]:
        return list(self.ledger.processed(messages))


@dataclass(frozen=True)
class NotSentOrigin:
    """What another origin has, without the events that a replay sent to the destination before they are read here."""

    origin: EventOrigin
    request: ReplayRequest
    sent: SentEvents
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """The other origin's rows, those of events that were sent without their event."""
        for some in chunks(self.origin.rows(cursor), LOOKED_UP_TOGETHER):
            taken = [row.event.event_id for row in some if row.event is not None and self.request.takes(row.event)]
            sent = set(chain.from_iterable(self.concurrently(self._among, chunked(taken, LOOKED_UP_A_CALL))))
            looked_up = set(taken)
            for row in some:
                if row.event is None or row.event.event_id not in looked_up:
                    yield row
                else:
                    event = None if row.event.event_id in sent else row.event
                    yield replace(row, event=event, looked_up=row.looked_up + 1)

    def _among(self, event_ids: Sequence[str]) -> list[str]:
        return list(self.sent.among(event_ids))


@dataclass(frozen=True)
class FileOrigin:
    """The events that a file names, in the order of their ids: page by page."""

    sha256: str
    named: NamedEvents
    concurrently: Concurrently

    def rows(self, cursor: Cursor) -> Iterator[OriginRow]:
        """A row for each id of the file, with its event if there is one."""
        finds = cursor.discovering_days
        for number, page in self.named.pages(self.sha256, cursor.group, self.concurrently):
            done_to = cursor.after if number == cursor.group else None
            for event_id, event in page:
                if done_to is None or event_id > done_to:
                    unknown = event_id if event is None else None
                    after = Cursor(finds, group=number, after=event_id)
                    yield OriginRow(after, event, not_found=unknown, looked_up=1)
            yield OriginRow(Cursor(finds, group=number + 1), None, scanned=0)
