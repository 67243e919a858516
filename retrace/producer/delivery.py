"""Sends one request: a part of a batch, compressed and signed, and reads what its answer decides."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import urllib3

from chalicelib.ingest.request import MAX_BYTES
from retrace.client import Client, jittered
from retrace.problem import Problem
from retrace.producer.errors import ProducerError
from retrace.producer.outcomes import Outcome, Part, TryLater, outcome
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
