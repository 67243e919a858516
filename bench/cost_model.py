"""A model of what a million events cost: taken in, kept, sent again and aggregated, by Retrace and by its peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import prices
from bench.assumptions import ASSUMED
from bench.event_costs import of_peer, taken_in, taken_in_again
from bench.meter import Cost, together
from bench.prices import EVENTBRIDGE, S3, SQS, Dollars, dollars
from bench.scale_model import INSTALLED, RECEIVED, in_lambda
from chalicelib.replays.estimate import Takes

MONTHS = 12
MEMORY_MB = 1_024
"""Of Retrace's functions that take events in, and of the peers'."""

PEERS_BATCH = 10
"""Messages that Lambda gives a processor that asks for nothing."""


def by_retrace(size: int, *, known: bool = False) -> Dollars:
    """What Retrace takes for an event in a request of this many."""
    cost = taken_in_again(size) if known else taken_in(size)
    at_once = dict.fromkeys(("TransactWriteItems", "BatchGetItem", "BatchWriteItem"), INSTALLED.at_once)
    return _ingested(cost, 1 / size, at_once, ASSUMED.cpu_ms_taken_in)


def by_peer(name: str, size: int) -> Dollars:
    """What a peer takes for the same: its calls are those of each event."""
    return _ingested(of_peer(name).new, 1 / size)


def _ingested(cost: Cost, requests: float, at_once: Mapping[str, int] | None = None, own_ms: float = 0) -> Dollars:
    """What an event costs that is taken in by so many requests of a function."""
    computing = in_lambda(requests, ASSUMED.function_s(cost, at_once or {}, own_ms, MEMORY_MB), MEMORY_MB)
    charged = dollars(together(cost.takes(), Takes(api_requests=requests), computing))
    return {**charged, S3: cost.each(cost.calls.get("PutObject", 0)) * prices.S3_PUT}


def published() -> Dollars:
    """What EventBridge takes for an event that is published and archived: as long as the plain design writes it."""
    return {EVENTBRIDGE: prices.BUS_EVENT + _gb(of_peer("plain").new.s3_bytes) * prices.ARCHIVED_GB}


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of an event, and what keeping it for a year costs."""

    s3_bytes: float
    table_bytes: float
    index_bytes: float
    dollars: float


def kept_by_retrace(size: int) -> Kept:
    """An event of a request of this many; the tables can be restored to any second of the last 35 days."""
    cost = taken_in(size)
    return _kept(cost, cost.table_bytes, prices.RECOVERY_GB_MONTH)


def kept_by_peer(name: str) -> Kept:
    """An event of a peer; Powertools forgets identities after an hour."""
    cost = of_peer(name).new
    forgotten = cost.each(cost.stored_bytes["DedupeTable"]) if name == "powertools" else 0
    return _kept(cost, cost.table_bytes - forgotten, 0.0)


def kept_by_eventbridge() -> Kept:
    """An event in an archive."""
    return Kept(0, 0, 0, MONTHS * _gb(of_peer("plain").new.s3_bytes) * prices.ARCHIVE_GB_MONTH)


def _kept(cost: Cost, table_bytes: float, recovery: float) -> Kept:
    in_tables = _gb(table_bytes + cost.index_bytes) * prices.STORED_GB_MONTH + _gb(table_bytes) * recovery
    in_s3 = _gb(cost.s3_bytes) * prices.S3_GB_MONTH
    return Kept(cost.s3_bytes, table_bytes, cost.index_bytes, MONTHS * (in_s3 + in_tables))


def sent_by_peer(name: str) -> Dollars:
    """What a message costs to be sent within a request."""
    return _of_message(of_peer(name).sending)


def processed_by_peer(name: str) -> Dollars:
    """What a message costs to be received, processed and deleted, in batches of ten."""
    return _of_message(of_peer(name).processing, RECEIVED, invocations=1 / PEERS_BATCH)


def _of_message(cost: Cost, *more: Takes, invocations: float = 0) -> Dollars:
    """What a message costs in a peer's function, and what it takes more."""
    seconds = ASSUMED.function_s(cost, {}, 0, MEMORY_MB)
    return dollars(together(cost.takes(), *more, in_lambda(invocations, seconds, MEMORY_MB)))


def sent_by_eventbridge() -> Dollars:
    """What a replayed event costs, and its message."""
    return {EVENTBRIDGE: prices.REPLAYED_EVENT, SQS: prices.SQS_REQUEST}


def _gb(size: float) -> float:
    return size / prices.KIB**3
