"""Clients that send requests to an API, so many at once, and how long each waited."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from statistics import quantiles
from typing import TypeVar

from bench.rounds import Failed
from embedded.api import Api

T = TypeVar("T")

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Load:
    """What some requests took, from the first to the last, and each of them."""

    events: int
    seconds: float
    waits: tuple[float, ...]

    @property
    def a_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def sent(api: Api, bodies: Sequence[bytes], events_a_body: int, clients: int) -> Load:
    """Send all bodies to POST /ingest; raises Failed if an event of them is not taken as new."""

    def send(body: bytes) -> None:
        answer = api.call("POST", "/ingest", body=body, headers=JSON)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED} or answer.data.count(b'ACCEPTED"') != events_a_body:
            raise Failed(f"POST /ingest was answered {answer.status}: {answer.data[:300]!r}")

    return timed(send, bodies, events_a_body, clients)


def timed(send: Callable[[T], None], parts: Sequence[T], events_a_part: int, clients: int) -> Load:
    """Send all parts, so many at once."""

    def wait_for(part: T) -> float:
        begun = time.perf_counter()
        send(part)
        return time.perf_counter() - begun

    with ThreadPoolExecutor(clients) as threads:
        begun = time.perf_counter()
        waits = tuple(threads.map(wait_for, parts))
        return Load(events_a_part * len(parts), time.perf_counter() - begun, waits)


def percentile(loads: Sequence[Load], percent: int) -> float:
    """How long a request waited, in milliseconds, over all loads: p50, p99."""
    waits = list(chain.from_iterable(load.waits for load in loads))
    return 1_000 * (quantiles(waits, n=100, method="inclusive")[percent - 1] if len(waits) > 1 else waits[0])
