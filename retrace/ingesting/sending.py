"""Sends batches of records, sized by how fast the API answers, and counts the results."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from http import HTTPStatus
from typing import Any

from chalicelib.core.errors import Fault
from chalicelib.ingest.queries import MOST_RESULTS
from retrace.client import WORTH_SENDING_AGAIN, Client
from retrace.ingesting.records import Record, Records
from retrace.problem import Exit, Problem

MOST_EVENTS = MOST_RESULTS
"""The command asks for each result: a refused event goes into a file of its own, with its reasons."""

MOST_BYTES = 4_400_000
"""So that a body which does not compress still fits into the 6 MB that Lambda takes, in base64."""

FIRST_EVENTS = 200
LEAST_EVENTS = 20
QUICK_S = 2.0
SLOW_S = 8.0
"""API Gateway gives up after 29 seconds, and what is sent again then was mostly taken in already."""


class Pace:
    """Batches grow while answers come quickly, and shrink when they take long. Threads may share it."""

    def __init__(self, most_events: int = MOST_EVENTS, size: int = MOST_BYTES) -> None:
        self.size = size
        self.events = min(FIRST_EVENTS, most_events)
        self._most = most_events

    def took(self, events: int, seconds: float) -> None:
        """Note the size of an answered batch and its time, with all attempts and pauses."""
        if seconds > SLOW_S:
            self.events = min(self.events, max(LEAST_EVENTS, events // 2))
        elif seconds < QUICK_S and events >= self.events:
            self.events = min(self._most, events * 2)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one file, and how many bytes of the file were read for them."""

    file: int
    records: tuple[Record, ...]
    read: int

    @property
    def cloudevents(self) -> bool:
        """Whether its events are CloudEvents; those of one batch are all of one form."""
        return any(record.cloudevent for record in self.records)


def batches(file: int, found: Records, pace: Pace, position: Callable[[], int]) -> Iterator[Batch]:
    """Records of one form in batches of the size that they should have; one that is larger stands alone.

    Where the file cannot be read on, what was read before comes out as a last batch.
    """
    batch: list[Record] = []
    size = begun = 0
    try:
        for record in found:
            length = len(record.text) + 1
            full = len(batch) >= pace.events or size + length > pace.size
            if batch and (full or record.cloudevent != batch[0].cloudevent):
                # The last record read belongs to the next batch; its bytes are few beside what is buffered.
                now = position()
                yield Batch(file, tuple(batch), now - begun)
                batch, size, begun = [], 0, now
            batch.append(record)
            size += length
    except Problem:
        if batch:
            yield Batch(file, tuple(batch), position() - begun)
        raise
    if batch:
        yield Batch(file, tuple(batch), position() - begun)


THIS_COMMAND = "retrace ingest"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events ended in each way; each event in one."""

    accepted: int = 0
    duplicate: int = 0
    """They were there already: from an earlier run, from a request whose answer got lost, or twice in the files."""
    conflict: int = 0
    rejected: int = 0
    not_sent: int = 0
    """Of the rejected, those that the command refused itself: no quarantine has them."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def events(self) -> int:
        """All of them."""
        return self.accepted + self.duplicate + self.conflict + self.rejected

    @property
    def refused(self) -> int:
        """Those that were not taken in."""
        return self.conflict + self.rejected


def tally_of(results: Iterable[Mapping[str, Any]]) -> Tally:
    """Count results by their statuses; one that is not known here, as ERASED, was refused."""
    found = list(results)
    counts = Counter(result["status"] for result in found)
    not_sent = sum(result.get("refused_by") == THIS_COMMAND for result in found)
    accepted, duplicate, conflict = (counts[status] for status in ("ACCEPTED", "DUPLICATE", "CONFLICT"))
    return Tally(accepted, duplicate, conflict, len(found) - accepted - duplicate - conflict, not_sent)


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
class Answered:
    """An event and its result: one of the API, or one like it, `refused_by` the command."""

    record: Record
    result: Json

    @property
    def refused(self) -> bool:
        """Whether it was not taken in."""
        return self.result["status"] not in _TAKEN_IN


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A batch that was answered: the events that were refused, or all of them if they are to be listed."""

    file: int
    tally: Tally
    events: tuple[Answered, ...]
    read: int

    @property
    def refused(self) -> tuple[Answered, ...]:
        """Those that were not taken in."""
        return tuple(event for event in self.events if event.refused)


class Sender:
    """Sends batches; threads may share it."""

    def __init__(
        self,
        client: Client,
        pace: Pace,
        *,
        dry_run: bool = False,
        listed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._pace = pace
        self._listed = listed
        self._clock = clock
        self._query = {"results": "all"} | ({"dry_run": "true"} if dry_run else {})

    def send(self, batch: Batch) -> BatchResult:
        """Send what has no fault yet; raises Problem where the API takes nothing, or does not answer."""
        begun = self._clock()
        sound = [record for record in batch.records if record.fault is None]
        post = partial(self._send, _CLOUDEVENTS if batch.cloudevents else _LINES)
        results = iter(post([record.text for record in sound]) if sound else ())
        self._pace.took(len(batch.records), self._clock() - begun)
        events = [Answered(one, next(results) if one.fault is None else _refused(one.fault)) for one in batch.records]
        kept = tuple(event for event in events if self._listed or event.refused)
        return BatchResult(batch.file, tally_of(event.result for event in events), kept, batch.read)

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
            raise self._client.problem_of("POST /ingest", answer)
        results = answer.json.get("results")
        if not isinstance(results, list):
            raise self._client.problem_of("POST /ingest", answer)
        if len(results) != len(texts):
            raise Problem(
                f"{len(texts)} events were answered by {len(results)} results.",
                "Check that the URL is that of the API.",
            )
        return results

    def _in_halves(self, form: _Form, texts: Sequence[bytes]) -> Sequence[Json]:
        """What is too large together may not be so apart; 413 says that nothing was taken in."""
        if len(texts) == 1:
            return [_refused(Fault("", f"is too large to send: {len(texts[0]):,} bytes"))]
        middle = len(texts) // 2
        return [*self._send(form, texts[:middle]), *self._send(form, texts[middle:])]


def _refused(fault: Fault) -> Json:
    """The result of an event that the API did not get, so that its quarantine does not have it."""
    errors = [{"field": fault.field, "message": fault.message}]
    return {"status": "REJECTED", "refused_by": THIS_COMMAND, "errors": errors}
