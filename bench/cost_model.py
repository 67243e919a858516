"""A model of what a million events cost: taken in, kept, sent again and aggregated, by Retrace and by its peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import prices
from bench.assumptions import Assumptions
from bench.event_costs import of_peer, taken_in, taken_in_again
from bench.meter import Cost
from bench.replay_costs import TOGETHER, Shape, count
from bench.scale_model import SERVICES, Deployment, Model

API = "API Gateway"
EVENTBRIDGE = "EventBridge"
WRITES, READS, SQS, S3, LAMBDA = SERVICES
MONTHS = 12
MEMORY_MB = 1_024
"""Of Retrace's functions that take events in, and of the peers'."""

BATCH, PEERS_BATCH = 100, 10
"""Messages that a processor is given: as the package asks for, and as Lambda gives a function that asks for nothing."""

Dollars = Mapping[str, float]
"""Of one event, by service."""


def by_retrace(size: int, *, known: bool = False) -> Dollars:
    """What Retrace takes for an event in a request of this many."""
    cost = taken_in_again(size) if known else taken_in(size)
    at_once = dict.fromkeys(("TransactWriteItems", "BatchGetItem", "BatchWriteItem"), Deployment().at_once)
    return _ingested(cost, 1 / size, at_once, Assumptions().cpu_ms_taken_in)


def by_peer(name: str, size: int) -> Dollars:
    """What a peer takes for the same: its calls are those of each event."""
    return _ingested(of_peer(name).new, 1 / size, {}, 0.0)


def _ingested(cost: Cost, requests: float, at_once: Mapping[str, int], own_ms: float) -> Dollars:
    """What an event costs that is taken in by so many requests of a function."""
    gb_seconds = _gb_seconds(cost, at_once, own_ms)
    writes, projections, reads = cost.units
    return {
        API: requests * prices.API_REQUEST.value,
        WRITES: (writes + projections) * prices.WRITE_UNIT.value,
        READS: reads * prices.READ_UNIT.value,
        S3: cost.each(cost.calls.get("PutObject", 0)) * prices.S3_PUT.value,
        LAMBDA: requests * prices.LAMBDA_REQUEST.value + gb_seconds * prices.LAMBDA_GB_SECOND.value,
    }


def _gb_seconds(cost: Cost, at_once: Mapping[str, int], own_ms: float) -> float:
    """Of one event."""
    return cost.each(Assumptions().function_s(cost, at_once, own_ms, MEMORY_MB)) * MEMORY_MB / 1_024


def published() -> Dollars:
    """What EventBridge takes for an event that is published and archived: as long as the plain design writes it."""
    archiving = _gb(of_peer("plain").new.s3_bytes) * prices.ARCHIVED_GB.value
    return {EVENTBRIDGE: prices.BUS_EVENT.value + archiving}


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
    return _kept(cost, cost.table_bytes, prices.RECOVERY_GB_MONTH.value)


def kept_by_peer(name: str) -> Kept:
    """An event of a peer; Powertools forgets identities after an hour."""
    cost = of_peer(name).new
    forgotten = cost.each(cost.stored_bytes["DedupeTable"]) if name == "powertools" else 0
    return _kept(cost, cost.table_bytes - forgotten, 0.0)


def kept_by_eventbridge() -> Kept:
    """An event in an archive."""
    in_archive = _gb(of_peer("plain").new.s3_bytes) * prices.ARCHIVE_GB_MONTH.value
    return Kept(0, 0, 0, MONTHS * in_archive)


def _kept(cost: Cost, table_bytes: float, recovery: float) -> Kept:
    in_tables = _gb(table_bytes + cost.index_bytes) * prices.STORED_GB_MONTH.value + _gb(table_bytes) * recovery
    in_s3 = _gb(cost.s3_bytes) * prices.S3_GB_MONTH.value
    return Kept(cost.s3_bytes, table_bytes, cost.index_bytes, MONTHS * (in_s3 + in_tables))


def sent_by_retrace() -> Dollars:
    """What a message costs to be planned and sent."""
    planning_s = Model(count(), TOGETHER, BATCH, Deployment()).planning_s
    return _of_message(count().planning, planning_s * Deployment().planner_mb / 1_024)


def processed_by_retrace(shape: Shape) -> Dollars:
    """What a message costs to be received, processed and deleted, in batches of a hundred."""
    model = Model(count(), shape, BATCH, Deployment())
    gb_seconds = model.batch_s / BATCH * Deployment().processor_mb / 1_024
    return _of_message(model.processing, gb_seconds, received_in=BATCH)


def sent_by_peer(name: str) -> Dollars:
    """What a message costs to be sent within a request."""
    cost = of_peer(name).sending
    return _of_message(cost, _gb_seconds(cost, {}, 0.0))


def processed_by_peer(name: str) -> Dollars:
    """What a message costs to be received, processed and deleted, in batches of ten."""
    cost = of_peer(name).processing
    return _of_message(cost, _gb_seconds(cost, {}, 0.0), received_in=PEERS_BATCH)


def sent_by_eventbridge() -> Dollars:
    """What a replayed event costs, and its message."""
    return {EVENTBRIDGE: prices.REPLAYED_EVENT.value, SQS: prices.SQS_REQUEST.value}


def _of_message(cost: Cost, gb_seconds: float, received_in: int | None = None) -> Dollars:
    """What a message costs; one that is received is received and deleted in tens, and is a part of an invocation."""
    sqs = cost.each(cost.sqs_requests) + (2 / prices.SQS_BATCH.value if received_in else 0)
    invocations = 1 / received_in if received_in else 0.0
    return {
        WRITES: cost.each(cost.writes) * prices.WRITE_UNIT.value,
        READS: cost.each(cost.reads) * prices.READ_UNIT.value,
        S3: cost.each(cost.calls.get("GetObject", 0)) * prices.S3_GET.value,
        SQS: sqs * prices.SQS_REQUEST.value,
        LAMBDA: invocations * prices.LAMBDA_REQUEST.value + gb_seconds * prices.LAMBDA_GB_SECOND.value,
    }


def _gb(size: float) -> float:
    return size / prices.KIB**3
