"""One batch to the API, and what became of each of its events."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from retrace.client import WORTH_SENDING_AGAIN, Client, refusal
from retrace.ingesting.batching import Batch
from retrace.ingesting.pace import Pace
from retrace.ingesting.record import Record
from retrace.ingesting.tally import Tally, tally_of
from retrace.problem import Exit, Problem

Json = dict[str, Any]

_HEADERS = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
_LEVEL = 3
_TAKEN_IN = frozenset({"ACCEPTED", "DUPLICATE"})


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not taken in, and why."""

    record: Record
    result: Json


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch that was answered."""

    file: int
    tally: Tally
    refused: tuple[Refused, ...]
    read: int


class Sender:
    """Sends batches; threads may share it."""

    def __init__(
        self, client: Client, pace: Pace, *, dry_run: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._query = {"dry_run": "true"} if dry_run else {}

    def settle(self, batch: Batch) -> Settled:
        """Send what has no fault yet; raises Problem where the API takes nothing, or does not answer."""
        begun = self._clock()
        sound = [record for record in batch.records if record.fault is None]
        results = iter(self._send([record.text for record in sound]) if sound else ())
        self._pace.took(len(batch.records), self._clock() - begun)
        pairs = [(record, _own(record) or next(results)) for record in batch.records]
        refused = tuple(Refused(record, result) for record, result in pairs if result["status"] not in _TAKEN_IN)
        return Settled(batch.file, tally_of(result["status"] for _, result in pairs), refused, batch.read)

    def _send(self, texts: Sequence[bytes]) -> Sequence[Json]:
        body = gzip.compress(b"\n".join(texts), _LEVEL)
        answer = self._client.call("POST", "/ingest", query=self._query, body=body, headers=_HEADERS)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return self._in_halves(texts)
        if answer.status in WORTH_SENDING_AGAIN:
            remedy = "Try it with fewer batches at a time (--concurrency) or smaller ones (--batch-events)."
            raise Problem(f"The API answers {answer.status} to every attempt.", remedy, Exit.UNREACHABLE)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise refusal("POST /ingest", answer)
        results = answer.json.get("results")
        if not isinstance(results, list):
            raise refusal("POST /ingest", answer)
        if len(results) != len(texts):
            raise Problem(f"{len(texts)} events were answered by {len(results)} results.", "Is the URL Retrace's?")
        return results

    def _in_halves(self, texts: Sequence[bytes]) -> Sequence[Json]:
        """What is too large together may not be so apart; 413 says that nothing was taken in."""
        if len(texts) == 1:
            message = f"is too large to be sent: {len(texts[0]):,} bytes"
            return [{"status": "REJECTED", "errors": [{"field": "", "message": message}]}]
        middle = len(texts) // 2
        return [*self._send(texts[:middle]), *self._send(texts[middle:])]


def _own(record: Record) -> Json | None:
    """The result of a record that is not sent."""
    if record.fault is None:
        return None
    return {"status": "REJECTED", "errors": [{"field": record.fault.field, "message": record.fault.message}]}
