"""Sends batches: a thread takes one, compresses and signs it until every event is decided, and reports refusals."""

from __future__ import annotations

import gzip
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import urllib3

from chalicelib.ingest.request import MAX_BYTES
from retrace.client import Client, jittered
from retrace.problem import Problem
from retrace.producer.backlog import Backlog
from retrace.producer.encoding import ProducerError
from retrace.producer.outcomes import Decided, Divide, Outcome, Part, Rejection, TryLater, outcome
from retrace.producer.spool import Row
from retrace.target_resolution import target_at

MAX_EVENT_BYTES = MAX_BYTES
"""Of an event, as of a request."""

_LEVEL = 3
_LONGEST_WAIT_S = 3_600.0
"""For a Retry-After. Longer ones are taken for this."""


class Delivery:
    """Sends parts to one API. Threads share it."""

    def __init__(self, client: Client, max_pause_s: float) -> None:
        self._client = client
        self._max_pause_s = max_pause_s

    def pause_s(self, attempt: int, after_s: float) -> float:
        """How long to wait after a failed attempt: as the API asks, and jitter, as all producers wait for it."""
        return min(after_s, _LONGEST_WAIT_S) + jittered(attempt, self._max_pause_s)

    def attempt(self, part: Part) -> Outcome:
        """Send a part, once."""
        content_type, body = _body(part)
        headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
        query = {"results": "all" if part.all_results else "refused"}
        try:
            answer = self._client.once(
                "POST", "/ingest", query=query, body=gzip.compress(body, _LEVEL), headers=headers
            )
        except urllib3.exceptions.HTTPError as error:
            return TryLater(f"no answer: {error}")
        except Problem as problem:
            return TryLater(f"{problem} {problem.remedy}")
        return outcome(part, answer.status, answer.body, answer.retry_after_s)


def _body(part: Part) -> tuple[str, bytes]:
    texts = [row.line.text for row in part.rows]
    if part.rows[0].line.cloudevent:
        return "application/cloudevents-batch+json", b"[%s]" % b",".join(texts)
    return "application/x-ndjson", b"\n".join(texts)


def delivery_to(
    url: str,
    *,
    region: str | None,
    aws_profile: str | None,
    connections: int,
    timeout_s: float,
    max_pause_s: float,
) -> Delivery:
    """Delivery to the API at a URL; raises ProducerError if it cannot be one, or its region is unknown."""
    try:
        found = target_at(url, "Producer", Path.cwd())
        target = replace(found, region=region or found.region, aws_profile=aws_profile)
        target.signing_region  # noqa: B018  # raises now rather than with the first request
        return Delivery(Client(target, connections=connections, timeout_s=timeout_s), max_pause_s)
    except Problem as problem:
        raise ProducerError(f"{problem} {problem.remedy}") from problem


log = logging.getLogger("retrace.producer")


class Sender:
    """Empties a backlog. Threads share it."""

    def __init__(self, backlog: Backlog, delivery: Delivery, on_rejected: Callable[[Rejection], object] | None) -> None:
        self.failure = "no request was answered yet"
        """Why the last attempt failed that did."""
        self._backlog = backlog
        self._delivery = delivery
        self._on_rejected = on_rejected or _log_rejection
        self._stopped = threading.Event()
        self._reporting = threading.Lock()

    def run(self) -> None:
        """Send batches until this is stopped. A spool that cannot be read is tried again: it may be for a moment."""
        attempt = 0
        while not self._stopped.is_set():
            try:
                rows = self._backlog.next_batch()
            except sqlite3.Error as error:
                attempt += 1
                self._failed(attempt, 0, TryLater(f"the spool cannot be read: {error}"))
            else:
                attempt = 0
                self._send(rows)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped.set()

    def _send(self, rows: list[Row]) -> None:
        parts = deque([Part(rows)] if rows else [])
        attempt = 0
        while parts and not self._stopped.is_set():
            match self._settle(parts[0]):
                case Decided():
                    parts.popleft()
                    attempt = 0
                case Divide(smaller):
                    parts.popleft()
                    parts.extendleft(reversed(smaller))
                case TryLater() as later:
                    attempt += 1
                    self._failed(attempt, len(parts[0].rows), later)
        if rows and not parts:
            self._backlog.end_flight(rows)

    def _failed(self, attempt: int, events: int, later: TryLater) -> None:
        """Log a failed attempt, and pause."""
        self.failure = later.reason
        log.warning("Attempt %d to send %d events failed: %s", attempt, events, later.reason)
        self._stopped.wait(self._delivery.pause_s(attempt, later.after_s))

    def _settle(self, part: Part) -> Outcome:
        """Send a part, once. Refusals are reported before the spool forgets them, so a crash reports them again."""
        try:
            found = self._delivery.attempt(part)
            if isinstance(found, Decided):
                self._report(found.rejections)
                self._backlog.forget(part.rows)
        except Exception as error:  # noqa: BLE001  # a thread that ends would leave its events in the spool
            return TryLater(repr(error))
        return found

    def _report(self, rejections: Sequence[Rejection]) -> None:
        with self._reporting:
            for rejection in rejections:
                try:
                    self._on_rejected(rejection)
                except Exception:
                    log.exception("on_rejected failed. The event's rejected_id is %s.", rejection.rejected_id)


def _log_rejection(rejection: Rejection) -> None:
    log.warning("An event was refused (%s). Its rejected_id is %s.", rejection.status, rejection.rejected_id)
