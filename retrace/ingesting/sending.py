"""One batch to the API, and what became of each of its events."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from chalicelib.core.errors import Fault
from retrace.client import WORTH_SENDING_AGAIN, Client, refusal
from retrace.ingesting.batching import Batch
from retrace.ingesting.pace import Pace
from retrace.ingesting.record import Record
from retrace.ingesting.tally import THIS_COMMAND, Tally, tally_of
from retrace.problem import Exit, Problem

Json = dict[str, Any]

_LEVEL = 3
_TAKEN_IN = frozenset({"ACCEPTED", "DUPLICATE"})


@dataclass(frozen=True, slots=True)
class _Form:
    """How many events are one body."""

    content_type: str
    body: Callable[[Sequence[bytes]], bytes]


_LINES = _Form("application/x-ndjson", b"\n".join)
_CLOUDEVENTS = _Form("application/cloudevents-batch+json", lambda texts: b"[%s]" % b",".join(texts))


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not taken in, and why: a result of the API, or one like it, `refused_by` the command."""

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
        send = partial(self._send, _CLOUDEVENTS if batch.cloudevents else _LINES)
        results = iter(send([record.text for record in sound]) if sound else ())
        self._pace.took(len(batch.records), self._clock() - begun)
        pairs = [(one, next(results) if one.fault is None else _refused(one.fault)) for one in batch.records]
        refused = tuple(Refused(record, result) for record, result in pairs if result["status"] not in _TAKEN_IN)
        return Settled(batch.file, tally_of(result for _, result in pairs), refused, batch.read)

    def _send(self, form: _Form, texts: Sequence[bytes]) -> Sequence[Json]:
        body = gzip.compress(form.body(texts), _LEVEL)
        headers = {"Content-Type": form.content_type, "Content-Encoding": "gzip"}
        answer = self._client.call("POST", "/ingest", query=self._query, body=body, headers=headers)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return self._in_halves(form, texts)
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

    def _in_halves(self, form: _Form, texts: Sequence[bytes]) -> Sequence[Json]:
        """What is too large together may not be so apart; 413 says that nothing was taken in."""
        if len(texts) == 1:
            return [_refused(Fault("", f"is too large to be sent: {len(texts[0]):,} bytes"))]
        middle = len(texts) // 2
        return [*self._send(form, texts[:middle]), *self._send(form, texts[middle:])]


def _refused(fault: Fault) -> Json:
    """The result of an event that the API did not get, so that its quarantine does not have it."""
    errors = [{"field": fault.field, "message": fault.message}]
    return {"status": "REJECTED", "refused_by": THIS_COMMAND, "errors": errors}
