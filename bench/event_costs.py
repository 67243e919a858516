"""Count what it takes to take an event in: calls, request units and bytes, of Retrace and of its peers."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache

from bench.meter import Cost
from bench.metered_aws import MeteredAws
from bench.orders import DAY, EVENT_TYPE, SOURCE, orders
from bench.peers.in_process import in_process
from chalicelib.events.arrivals import Status
from chalicelib.ingest.request import parse_request

SIZES = (1, 10, 100, 1_000)
PEERS = ("plain", "powertools")
PEERS_EVENTS = 20
SENT_BY = "arn:aws:sts::123456789012:assumed-role/shop-checkout/i-0123456789abcdef0"


@lru_cache
def taken_in(size: int, padding: int = 0) -> Cost:
    """What Retrace takes for new events, this many a request, with names that are longer by this many bytes.

    Their source and type is known: the first event of each takes a read and a write more.
    """
    aws = MeteredAws()
    take_in(aws, 1, Status.ACCEPTED, first=size)
    return take_in(aws, size, Status.ACCEPTED, padding=padding)


@lru_cache
def taken_in_again(size: int) -> Cost:
    """What Retrace takes for a request whose events it knows."""
    aws = MeteredAws()
    take_in(aws, size, Status.ACCEPTED)
    return take_in(aws, size, Status.DUPLICATE)


def take_in(aws: MeteredAws, size: int, status: Status, *, first: int = 0, padding: int = 0) -> Cost:
    """Take a request in, all events of which end in a status."""
    events = [{**each, "entity_id": f"{each['entity_id']}{'x' * padding}"} for each in orders(EVENT_TYPE, first, size)]
    body = json.dumps(events if size > 1 else events[0]).encode()
    request = parse_request(body, "application/json", None, {})
    request_id = f"00000000-0000-4000-8000-{first:012d}"
    return aws.meter.measured(
        size, lambda: aws.ingest.take_in(request, request_id, SENT_BY).counts()[status.value.lower()]
    )


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
    wanted = {"source": SOURCE, "event_type": EVENT_TYPE, "day": DAY}
    with in_process(name) as peer, redirect_stdout(io.StringIO()):
        new, known = (
            peer.meter.measured(PEERS_EVENTS, lambda: len(peer.call("POST", "/ingest", events)["results"]))
            for _ in range(2)
        )
        sending = peer.meter.measured(PEERS_EVENTS, lambda: int(peer.call("POST", "/replay", wanted)["sent"]))
        processing = peer.meter.measured(PEERS_EVENTS, peer.process)
        return PeerCosts(new, known, sending, processing)
