"""Look into quarantine: what was refused and why; and send it through ingest again, as it was kept or corrected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock
from chalicelib.core.timestamps import Day
from chalicelib.ingest.rejection import Rejection
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest, parse_request
from chalicelib.quarantine.ports import Quarantine
from chalicelib.quarantine.retries import Listed, RejectedQuery, Retry, RetryRequest, is_rejected_id, retry_of


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


@dataclass(frozen=True)
class ReviewQuarantine:
    """The use cases behind GET /rejected and what lies beneath it; `take_in` is that of POST /ingest."""

    quarantine: Quarantine
    take_in: Callable[[IngestRequest, str, str], IngestReport]
    now: Clock

    def find(self, query: RejectedQuery) -> FoundRejections:
        """What was refused on a day. Looks at no more than `limit` events, so a page may hold fewer of those wanted."""
        fingerprint = query_fingerprint(query)
        after = from_cursor(fingerprint, query.cursor)
        if after is not None and not (is_rejected_id(after) and after.startswith(query.day)):
            raise invalid_cursor()
        page = self.quarantine.page(Day(query.day), after, query.limit, query.wants)
        items = tuple(item for item in page.items if item.is_for(query.reason))
        return FoundRejections(items, to_cursor(fingerprint, page.read_to))

    def get(self, rejected_id: str) -> KeptRejection:
        """Everything that is kept of a refused event; raises NotFound."""
        return KeptRejection(self._found(rejected_id), tuple(self.quarantine.retries(rejected_id)))

    def retry(self, rejected_id: str, asked: RetryRequest) -> IngestReport:
        """Send a refused event through ingest again and record that; raises NotFound.

        What was refused stays as it is kept. If recording fails the retry was not answered; once it is sent again, the
        event that it brought in is a duplicate.
        """
        rejected = self._found(rejected_id)
        requested_at = self.now()
        sent = _as_it_was_sent(rejected) if asked.corrected is None else asked.corrected
        report = self.take_in(sent, asked.request_id, asked.requested_by)
        self.quarantine.record(retry_of(rejected_id, asked, requested_at, report))
        return report

    def _found(self, rejected_id: str) -> Rejection:
        rejected = self.quarantine.read(rejected_id) if is_rejected_id(rejected_id) else None
        if rejected is None:
            raise NotFound("Nothing is in quarantine under this id.")
        return rejected


def _as_it_was_sent(rejected: Rejection) -> IngestRequest:
    encoding = rejected.headers.get("content-encoding")
    return parse_request(rejected.body, rejected.content_type, encoding, rejected.headers)
