"""Lists and shows refused events, and sends them through ingest again, as they were kept or corrected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.timestamps import Day
from chalicelib.events.ports import Identities, RawStore
from chalicelib.events.raw_lines import lines_of
from chalicelib.events.raw_objects import RawLine
from chalicelib.ingest.rejection import Conflict, Rejection
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest, events_of, parse_request
from chalicelib.quarantine.contents import Difference, differences
from chalicelib.quarantine.retries import (
    Listed,
    RejectedQuery,
    RejectionsPage,
    Retry,
    RetryRequest,
    before_rejections_of,
    is_beginning_of_rejected_id,
    is_rejected_id,
    retry_of,
)

TakeIn = Callable[[IngestRequest, str, str], IngestReport]
"""Takes a request in with its id and who sent it, as POST /ingest does."""

MOST_COMPARED = 100
"""Conflicts of one answer, whose first events are read side by side."""

MOST_DIFFERENCES = 20


class Quarantine(Protocol):
    """The rejections in quarantine, and the records of their retries."""

    def page(self, ingest_day: Day, after: str | None, limit: int) -> RejectionsPage:
        """At most `limit` refused events of a day, after an id; fewer if they are large."""

    def read(self, beginning: str) -> list[Rejection]:
        """The first two refused events whose ids begin so, as they are kept."""

    def retries(self, rejected_id: str) -> list[Retry]:
        """The first thousand retries of a refused event, oldest first."""

    def record(self, retry: Retry) -> None:
        """Keep the record of a retry; raises WriteConflict if another retry has the same moment."""


@dataclass(frozen=True, slots=True)
class FoundRejections:
    """A page of refused events, and the cursor to the next."""

    items: tuple[Listed, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class KeptRejection:
    """A refused event as it is kept, and what came of each retry."""

    rejected: Rejection
    retries: tuple[Retry, ...]
    differences: Mapping[Conflict, Sequence[Difference]]
    """By conflict, of those that were compared: at most one more than are shown."""


@dataclass(frozen=True)
class ReviewQuarantine:
    """The use cases behind GET /rejected and the routes below it. A retry is ingested as by POST /ingest."""

    quarantine: Quarantine
    take_in: TakeIn
    dry_run: TakeIn
    identities: Identities
    raw: RawStore
    now: Clock
    concurrently: Concurrently

    def find(self, query: RejectedQuery) -> FoundRejections:
        """The refused events of a window. Reads at most `limit` events of one day, so a page can be short."""
        fingerprint = query_fingerprint(query)
        after = from_cursor(fingerprint, query.cursor)
        page, read_to = self._first_page(query, _days_left(query.days, after), after)
        items = tuple(item for item in page.items if item.is_found_by(query))
        return FoundRejections(items, to_cursor(fingerprint, read_to))

    def _first_page(
        self, query: RejectedQuery, days: Sequence[Day], after: str | None
    ) -> tuple[RejectionsPage, str | None]:
        """Events of the first of these days that has any, and up to where they were read."""
        day, *later = days
        page = self.quarantine.page(day, after, query.limit)
        if page.read_to is not None or not later:
            return page, page.read_to
        return (page, before_rejections_of(later[0])) if page.items else self._first_page(query, later, None)

    def get(self, rejected_id: str) -> KeptRejection:
        """Everything that is kept of a refused event; raises NotFound."""
        rejected = self._found(rejected_id)
        retries = self.quarantine.retries(rejected.rejected_id)
        return KeptRejection(rejected, tuple(retries), dict(self._compared(rejected)))

    def _compared(self, rejected: Rejection) -> Iterator[tuple[Conflict, list[Difference]]]:
        """Each conflict with what differs, unless its first event cannot be read or is another one by now."""
        conflicts = rejected.conflicts[:MOST_COMPARED]
        if not conflicts:
            return
        events = events_of(_as_it_was_sent(rejected).submissions)
        sent = {(event.event_id, event.content_sha256): event for event in events}
        known = self.identities.first_seen(list({conflict.event_id for conflict in conflicts}))
        read = lines_of(list(known.values()), self.raw.read, self.concurrently)
        lines = dict(zip(known, read, strict=True))
        for conflict in conflicts:
            line = lines.get(conflict.event_id)
            event = sent.get((conflict.event_id, conflict.content_sha256))
            if isinstance(line, RawLine) and event and line.content_sha256 == conflict.first.content_sha256:
                yield conflict, list(islice(differences(line.event.decode(), event.text), MOST_DIFFERENCES + 1))

    def retry(self, rejected_id: str, asked: RetryRequest, *, dry_run: bool = False) -> IngestReport:
        """Send a refused event through ingest again and record that, except in a dry run; raises NotFound.

        What was refused stays as it is kept. If recording fails the retry was not answered; once it is sent again, the
        event that it brought in is a duplicate.
        """
        rejected = self._found(rejected_id)
        requested_at = self.now()
        sent = _as_it_was_sent(rejected) if asked.corrected is None else asked.corrected
        if dry_run:
            return self.dry_run(sent, asked.request_id, asked.requested_by)
        report = self.take_in(sent, asked.request_id, asked.requested_by)
        self.quarantine.record(retry_of(rejected.rejected_id, asked, requested_at, report))
        return report

    def _found(self, rejected_id: str) -> Rejection:
        found = self.quarantine.read(rejected_id) if is_beginning_of_rejected_id(rejected_id) else []
        if not found:
            raise NotFound("Nothing is in quarantine under this id. GET /rejected lists the refused events of a day.")
        if len(found) > 1:
            raise NotFound("More than one refused event has an id that begins so. Give more of its digits.")
        return found[0]


def _days_left(days: Sequence[Day], after: str | None) -> Sequence[Day]:
    """The days that are not yet read to their end; raises InvalidRequest for a position that is in none of them."""
    if after is None:
        return days
    if not is_rejected_id(after) or after[:10] not in days:
        raise invalid_cursor()
    return days[days.index(Day(after[:10])) :]


def _as_it_was_sent(rejected: Rejection) -> IngestRequest:
    encoding = rejected.headers.get("content-encoding")
    return parse_request(rejected.body, rejected.content_type, encoding, rejected.headers)
