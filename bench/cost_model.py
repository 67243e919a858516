"""A model of what a million events cost: taken in, kept, sent again and aggregated, by Retrace and by its peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import prices
from bench.assumptions import Assumptions
from bench.counted import Counted, count
from bench.event_costs import Cost, PeerCosts, of_peer, taken_in, taken_in_again
from bench.scale_model import Deployment, Model
from bench.shapes import Shape

API = "API Gateway"
WRITES = "DynamoDB writes"
READS = "DynamoDB reads"
S3 = "S3"
SQS = "SQS"
LAMBDA = "Lambda"
EVENTBRIDGE = "EventBridge"
MONTHS = 12
MEMORY_MB = 1_024
"""Of Retrace's functions that take events in, and of the peers'."""

MESSAGES_A_BATCH = 10
"""As Lambda gives a function that asks for nothing else."""

Dollars = Mapping[str, float]
"""Of one event, by service."""


def ingested(cost: Cost, requests: float, *, at_once: Mapping[str, int] | None = None, own_ms: float = 0.0) -> Dollars:
    """What an event costs that is taken in by so many requests of a function."""
    events, calls = cost.events, sum(cost.calls.values())
    assumed = Assumptions()
    seconds = assumed.latency_s(cost.calls, at_once or {}) + assumed.cpu_s(events, calls, own_ms, MEMORY_MB)
    return {
        API: requests * prices.API_REQUEST.value,
        WRITES: cost.each(cost.writes + cost.projections) * prices.WRITE_UNIT.value,
        READS: cost.each(cost.reads) * prices.READ_UNIT.value,
        S3: cost.each(cost.calls.get("PutObject", 0)) * prices.S3_PUT.value,
        LAMBDA: _in_lambda(requests, cost.each(seconds)),
    }


def by_retrace(size: int, *, known: bool = False) -> Dollars:
    """What Retrace takes for an event in a request of so many."""
    cost = taken_in_again(size) if known else taken_in(size)
    at_once = dict.fromkeys(("TransactWriteItems", "BatchGetItem", "BatchWriteItem"), Deployment().at_once)
    return ingested(cost, 1 / size, at_once=at_once, own_ms=Assumptions().cpu_ms_taken_in)


def by_peer(name: str, size: int) -> Dollars:
    """What a peer takes for the same: its calls are those of each event."""
    return ingested(of_peer(name).new, 1 / size)


def published(cost: Cost) -> Dollars:
    """What EventBridge takes for an event that is published and archived."""
    archiving = _gb(_event_bytes(cost)) * prices.ARCHIVED_GB.value
    return {EVENTBRIDGE: prices.BUS_EVENT.value + archiving}


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of an event, and what keeping it for a year costs."""

    s3_bytes: float
    table_bytes: float
    index_bytes: float
    dollars: float


def kept_by_retrace(size: int) -> Kept:
    """An event of a request of so many; the tables can be restored to any second of the last 35 days."""
    cost = taken_in(size)
    return _kept(cost, cost.table_bytes, prices.RECOVERY_GB_MONTH.value)


def kept_by_peer(name: str) -> Kept:
    """An event of a peer; Powertools forgets identities after an hour."""
    cost = of_peer(name).new
    forgotten = cost.each(cost.stored_bytes["DedupeTable"]) if name == "powertools" else 0
    return _kept(cost, cost.table_bytes - forgotten, 0.0)


def kept_by_eventbridge() -> Kept:
    """An event in an archive."""
    size = _event_bytes(of_peer("plain").new)
    return Kept(0, 0, 0, MONTHS * _gb(size) * prices.ARCHIVE_GB_MONTH.value)


def _kept(cost: Cost, table_bytes: float, recovery: float) -> Kept:
    in_tables = _gb(table_bytes + cost.index_bytes) * prices.STORED_GB_MONTH.value + _gb(table_bytes) * recovery
    in_s3 = _gb(cost.s3_bytes) * prices.S3_GB_MONTH.value
    return Kept(cost.s3_bytes, table_bytes, cost.index_bytes, MONTHS * (in_s3 + in_tables))


def sent_by_retrace() -> Dollars:
    """What a message costs to be planned and sent."""
    model = Model(count(), next(iter(count().processing))[0], 100, Deployment())
    planning = count().planning
    return _of_message(planning, model.planning_s * Deployment().planner_mb / 1_024, 0.0)


def processed_by_retrace(shape: Shape) -> Dollars:
    """What a message costs to be received, processed and deleted, in batches of a hundred."""
    model = Model(count(), shape, 100, Deployment())
    return _of_message(
        model.processing, model.batch_s / 100 * Deployment().processor_mb / 1_024, 1 / 100, received=True
    )


def _of_message(counted: Counted, gb_seconds: float, invocations: float, *, received: bool = False) -> Dollars:
    messages = counted.messages
    sqs = counted.sqs_requests / messages + (2 / prices.SQS_BATCH.value if received else 0)
    in_lambda = invocations * prices.LAMBDA_REQUEST.value + gb_seconds * prices.LAMBDA_GB_SECOND.value
    return {
        WRITES: sum(counted.writes.values()) / messages * prices.WRITE_UNIT.value,
        READS: sum(counted.reads.values()) / messages * prices.READ_UNIT.value,
        S3: counted.calls.get("GetObject", 0) / messages * prices.S3_GET.value,
        SQS: sqs * prices.SQS_REQUEST.value,
        LAMBDA: in_lambda,
    }


def sent_by_peer(name: str) -> Dollars:
    """What a message costs to be sent within a request."""
    return _of_peer(of_peer(name).sending, 0.0)


def processed_by_peer(name: str) -> Dollars:
    """What a message costs to be received, processed and deleted, in batches of ten."""
    costs: PeerCosts = of_peer(name)
    return _of_peer(costs.processing, 1 / MESSAGES_A_BATCH, received=True)


def _of_peer(cost: Cost, invocations: float, *, received: bool = False) -> Dollars:
    counted = Counted(cost.events, cost.calls, {"": cost.writes}, {"": cost.reads}, cost.sqs_requests)
    assumed, calls = Assumptions(), sum(cost.calls.values())
    seconds = assumed.latency_s(cost.calls, {}) + assumed.cpu_s(cost.events, calls, 0.0, MEMORY_MB)
    return _of_message(counted, cost.each(seconds) * MEMORY_MB / 1_024, invocations, received=received)


def sent_by_eventbridge() -> Dollars:
    """What a replayed event costs, and its message."""
    return {EVENTBRIDGE: prices.REPLAYED_EVENT.value, SQS: prices.SQS_REQUEST.value}


def _in_lambda(requests: float, seconds: float) -> float:
    gb_seconds = seconds * MEMORY_MB / 1_024
    return requests * prices.LAMBDA_REQUEST.value + gb_seconds * prices.LAMBDA_GB_SECOND.value


def _event_bytes(cost: Cost) -> float:
    """An event as it is published: as the plain design writes it to S3."""
    return cost.s3_bytes


def _gb(size: float) -> float:
    return size / prices.KIB**3
