"""Count what a message of a replay costs: the code that is deployed plans and processes events of several shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.emulated import (
    AGGREGATES,
    BUCKET,
    EVENTS,
    NEVER_LATE,
    NOW,
    REPLAYS,
    SHARDS,
    Cloud,
    emulated,
    never_wait,
    one_by_one,
)
from bench.meter import item_size
from bench.shapes import BATCHES, SHAPES, Shape
from chalicelib.aws import keys
from chalicelib.aws.aggregate_rows import entry_row, version_row
from chalicelib.aws.batches import ITEMS_A_WRITE, put_items
from chalicelib.aws.event_rows import index_row
from chalicelib.aws.items import Item
from chalicelib.domain.aggregation import SAMPLE_SIZE, Input, Version, aggregate_of
from chalicelib.domain.chunks import chunked
from chalicelib.domain.event import Event, parse_native
from chalicelib.domain.json_text import parse
from chalicelib.domain.ledger import NewRevision, settlement_of
from chalicelib.domain.messages import Delivery, message_of
from chalicelib.domain.outcomes import Outcome
from chalicelib.domain.raw_line import StoredEvent, name_of, stored_events
from chalicelib.domain.replay_job import ReplayJob
from chalicelib.domain.replay_request import ReplayRequest
from chalicelib.domain.replay_task import ReplayTask
from chalicelib.domain.timestamps import Day, shifted, start_of
from chalicelib.examine import Examine
from chalicelib.plan import PlanReplay
from chalicelib.process import Process
from chalicelib.recording import RecordInLedger

DAY = Day("2026-11-21")
REPLAY_ID = "019a0000-0000-7000-8000-000000000001"
EVENTS_PLANNED = 4_000
ENTITIES = 97


@dataclass(frozen=True, slots=True)
class Counted:
    """What some messages took: calls by operation, DynamoDB's units by table, and requests that SQS charges for."""

    messages: int
    calls: Mapping[str, int]
    writes: Mapping[str, int]
    reads: Mapping[str, float]
    sqs_requests: int

    @property
    def calls_a_message(self) -> float:
        """AWS calls that the code makes."""
        return sum(self.calls.values()) / self.messages


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the rows and of a message."""

    index_row: int
    entry: int
    new_version: int
    full_version: int
    message: int


@dataclass(frozen=True, slots=True)
class Count:
    """All that is counted."""

    planning: Counted
    processing: Mapping[tuple[Shape, int], Counted]
    sizes: Sizes


@lru_cache(maxsize=1)
def count() -> Count:
    """Count everything once."""
    processing = {(shape, batch): processed(shape, batch) for shape in SHAPES for batch in BATCHES}
    return Count(planned(), processing, _sizes())


def processed(shape: Shape, batch: int) -> Counted:
    """What one batch takes in the middle of a replay."""
    with emulated() as cloud:
        cloud.keep_in_memory(REPLAYS, AGGREGATES)
        keep_job(cloud)
        process = Process(
            Examine(cloud.raw, one_by_one),
            cloud.states,
            RecordInLedger(cloud.aggregates, lambda: NOW, never_wait),
        )
        stored = _stored(cloud, shape, batch)
        _keep_versions(cloud, {shape.entity_of(number) for number in range(batch)}, shape.before)
        deliveries = _deliveries(stored)
        return _metered(cloud, batch, lambda: process(deliveries).failures == {})


def _keep_versions(cloud: Cloud, entities: Iterable[int], inputs: int) -> None:
    """Versions that so many messages went into before."""
    rows = [_version_row(entity, inputs) for entity in entities if inputs]
    for some in chunked(rows, ITEMS_A_WRITE):
        put_items(cloud.dynamodb, AGGREGATES, some, never_wait)


def _version_row(entity: int, inputs: int) -> Item:
    events = [_event(entity, -number) for number in range(1, inputs + 1)]
    aggregate = aggregate_of(
        Input(start_of(DAY), each.event_id, each.event_type, each.content_sha256) for each in events
    )
    version = Version(events[0].entity_id, DAY, REPLAY_ID)
    return version_row(NewRevision(version, aggregate, 0), NOW)


def planned() -> Counted:
    """What planning takes of a replay by type that one slice plans."""
    with emulated() as cloud:
        keep_job(cloud)
        events = [_event(number % ENTITIES, number) for number in range(EVENTS_PLANNED)]
        index = cloud.keep_in_memory(EVENTS)[EVENTS]
        for stored in stored_events(events, NOW, BUCKET, _key(events)):
            index.put(index_row(stored, SHARDS, NEVER_LATE))
        return _metered(cloud, EVENTS_PLANNED, lambda: plan_slice(cloud) == EVENTS_PLANNED)


def plan_slice(cloud: Cloud) -> int:
    """Let a planner send what it can of the kept job within the time of one invocation; how many messages it sent."""
    plan = PlanReplay(
        cloud.replays,
        cloud.index,
        cloud.queues,
        lambda: NOW,
        never_wait,
        lambda: REPLAY_ID,
        one_by_one,
        max_in_flight=None,
        index_lag_s=0,
    )
    return plan(ReplayTask(REPLAY_ID), lambda: 45_000)


def _metered(cloud: Cloud, messages: int, work: Callable[[], bool]) -> Counted:
    meter = cloud.measure()
    if not work():
        raise RuntimeError("What was to be counted has failed.")
    return Counted(messages, dict(meter.calls), dict(meter.writes), dict(meter.reads), meter.sqs_requests)


def keep_job(cloud: Cloud) -> None:
    """Keep a job that replays the events of a day."""
    request = ReplayRequest.model_validate({"source": "shop/checkout", "event_type": "order.paid", "day": DAY})
    cloud.replays.create(ReplayJob(REPLAY_ID, request, "investigator", NOW, NOW, SHARDS), None, "")


def _event(entity: int, number: int) -> Event:
    native = {
        "source": "shop/checkout",
        "event_type": "order.paid",
        "entity_id": f"order-{entity:08d}",
        "event_time": shifted(start_of(DAY), number * 1_000_000),
        "payload": {"amount": "19.99", "currency": "EUR", "customer": f"customer-{number:08d}", "lines": [1, 2, 3]},
        "idempotency_key": f"payment-{number:012d}",
    }
    return parse_native(parse(json.dumps(native)))


def _stored(cloud: Cloud, shape: Shape, batch: int) -> list[StoredEvent]:
    """A batch's events, kept in raw objects; those of one entity-day share one."""
    objects: dict[int, list[Event]] = {}
    for number in range(batch):
        entity = shape.entity_of(number)
        objects.setdefault(entity, []).append(_event(entity, number))
    return [stored for events in objects.values() for stored in cloud.raw.put_once(events, NOW)]


def _deliveries(stored: Sequence[StoredEvent]) -> list[Delivery]:
    bodies = (message_of(REPLAY_ID, event).model_dump_json(exclude_none=True) for event in stored)
    return [Delivery(str(number), "", body) for number, body in enumerate(bodies)]


def _key(events: Sequence[Event]) -> str:
    """The raw object that holds events of one source and day."""
    return keys.raw_object(events[0].source, DAY, DAY, name_of(events))


def _sizes() -> Sizes:
    """Rows as the adapters make them, and a message as it is sent."""
    event = _event(1, 1)
    [stored] = stored_events([event], NOW, BUCKET, _key([event]))
    message = message_of(REPLAY_ID, stored)
    return Sizes(
        index_row=item_size(index_row(stored, SHARDS, NEVER_LATE)),
        entry=item_size(entry_row(settlement_of(message, Outcome.INPUT))),
        new_version=item_size(_version_row(1, 1)),
        full_version=item_size(_version_row(1, SAMPLE_SIZE)),
        message=len(message.model_dump_json(exclude_none=True).encode()),
    )
