"""Count what it costs to take an event in, and to find it: calls, request units and bytes, of Retrace and of peers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache

from bench.emulated import DEDUPE, EVENTS, Cloud, emulated
from bench.meter import INDEXES, S3, Meter
from bench.orders import orders
from bench.peers.in_process import InProcess, in_process
from chalicelib.domain.ingest_report import Status
from chalicelib.domain.ingest_request import parse_request

EVENT_TYPE = "order.paid"
SIZES = (1, 10, 100, 1_000)
PEERS = ("plain", "powertools")
PEERS_EVENTS = 20


@dataclass(frozen=True)
class Cost:
    """What some events took: AWS calls, DynamoDB's units, what S3 and SQS charge for, and bytes that stay."""

    events: int
    calls: Mapping[str, int]
    writes: int
    projections: int
    reads: float
    sqs_requests: int
    stored_bytes: Mapping[str, int]

    def each(self, count: float) -> float:
        """A count for one event."""
        return count / self.events

    @property
    def calls_an_event(self) -> float:
        """AWS calls for one event."""
        return self.each(sum(self.calls.values()))

    @property
    def s3_bytes(self) -> float:
        """Bytes of an event in S3."""
        return self.each(self.stored_bytes.get(S3, 0))

    @property
    def index_bytes(self) -> float:
        """Bytes of an event in indexes, with those that are charged beside them."""
        return self.each(self.stored_bytes.get(INDEXES, 0))

    @property
    def table_bytes(self) -> float:
        """Bytes of an event in tables, with those that are charged beside them."""
        return self.each(sum(size for name, size in self.stored_bytes.items() if name not in {S3, INDEXES}))


def metered(meter: Meter, events: int, work: Callable[[], object]) -> Cost:
    """Do something and count what it takes."""
    meter.reset()
    work()
    writes, projections = sum(meter.writes.values()), sum(meter.projections.values())
    reads, stored = sum(meter.reads.values()), dict(meter.stored_bytes)
    return Cost(events, dict(meter.calls), writes, projections, reads, meter.sqs_requests, stored)


@lru_cache
def taken_in(size: int, padding: int = 0) -> Cost:
    """What Retrace takes for new events in a request of so many, with names that are longer by so many bytes."""
    with emulated() as cloud:
        cloud.keep_in_memory(EVENTS, DEDUPE)
        cloud.measure()
        return take_in(cloud, size, Status.ACCEPTED, padding=padding)


@lru_cache
def taken_in_again(size: int) -> Cost:
    """What Retrace takes for a request whose events it knows."""
    with emulated() as cloud:
        cloud.keep_in_memory(EVENTS, DEDUPE)
        cloud.measure()
        take_in(cloud, size, Status.ACCEPTED)
        return take_in(cloud, size, Status.DUPLICATE)


def take_in(cloud: Cloud, size: int, status: Status, *, first: int = 0, padding: int = 0) -> Cost:
    """Take a request in, all events of which end in a status."""
    events = [{**each, "entity_id": f"{each['entity_id']}{'x' * padding}"} for each in orders(EVENT_TYPE, first, size)]
    body = json.dumps(events if size > 1 else events[0]).encode()
    request = parse_request(body, "application/json", None, {})

    def ingest() -> None:
        if cloud.ingest(request, f"request-{first}").counts()[status.value.lower()] != size:
            raise RuntimeError(f"Not all events were {status}.")

    return metered(cloud.meter, size, ingest)


@dataclass(frozen=True)
class PeerCosts:
    """What a peer takes: new events, known ones, sending them, and processing their messages."""

    new: Cost
    known: Cost
    sending: Cost
    processing: Cost


@lru_cache
def of_peer(name: str) -> PeerCosts:
    """What a peer takes for each event; a batch is a loop there."""
    events = orders(EVENT_TYPE, 0, PEERS_EVENTS)
    with in_process(name) as peer, redirect_stdout(io.StringIO()):
        new = metered(peer.meter, PEERS_EVENTS, lambda: _accepted(peer, events))
        known = metered(peer.meter, PEERS_EVENTS, lambda: peer.call("POST", "/ingest", events))
        sending = metered(peer.meter, PEERS_EVENTS, lambda: _sent(peer, events[0]))
        processing = metered(peer.meter, PEERS_EVENTS, lambda: _processed(peer))
        return PeerCosts(new, known, sending, processing)


def _accepted(peer: InProcess, events: Sequence[dict[str, object]]) -> None:
    results = peer.call("POST", "/ingest", events)["results"]
    if [result["status"] for result in results] != ["ACCEPTED"] * len(events):
        raise RuntimeError("Not all events were accepted.")


def _sent(peer: InProcess, event: Mapping[str, object]) -> None:
    day = str(event["event_time"])[:10]
    wanted = {"source": event["source"], "event_type": event["event_type"], "day": day}
    if peer.call("POST", "/replay", wanted)["sent"] != PEERS_EVENTS:
        raise RuntimeError("Not all events were sent.")


def _processed(peer: InProcess) -> None:
    if peer.process() != PEERS_EVENTS:
        raise RuntimeError("Not all messages were processed.")
