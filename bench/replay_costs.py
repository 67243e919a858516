"""Count what a message of a replay takes: the deployed planner and processor work on events of several shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from bench import orders
from bench.event_costs import SENT_BY
from bench.meter import Cost, item_size
from bench.metered_aws import (
    AGGREGATES,
    BUCKET,
    EVENTS,
    NEVER_LATE,
    NOW,
    REPLAYS,
    SHARDS,
    MeteredAws,
    never_wait,
    one_by_one,
)
from bench.orders import EVENT_TYPE, SOURCE, order
from chalicelib.aggregates.aggregate import SAMPLE_SIZE, Version, aggregate_of, definitions_in
from chalicelib.aggregates.dynamodb_rows import outcome_row, version_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import NewRevision, Outcome, record_of
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import Item
from chalicelib.core.lossless_json import parse
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import CALENDAR, Day, shifted, start_of
from chalicelib.events.dynamodb_rows import index_row
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import Receipt, StoredEvent, name_of, stored_events
from chalicelib.metrics.contribution import contributions, measured
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.dynamodb_definitions import DynamoDefinitions
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import ProcessBatch
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES, DeclaredDestination
from chalicelib.replays.job import PinnedMetric, ReplayJob
from chalicelib.replays.messages import message_of
from chalicelib.replays.named_events import NamedEvents
from chalicelib.replays.origins import Origins
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.ports import Destination
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.s3 import S3EventsFiles
from chalicelib.replays.tasks import ReplayTask

DAY = Day(orders.DAY)
REPLAY_ID = "019a0000-0000-7000-8000-000000000001"
EVENTS_PLANNED = 4_000
ENTITIES = 97
BATCHES = (100, 10)
AGGREGATING = DeclaredDestination(TO_AGGREGATES, "")
RECEIPT = Receipt(NOW, "00000000-0000-4000-8000-000000000000", SENT_BY)


@dataclass(frozen=True, slots=True)
class Shape:
    """How the messages of a batch belong together, as bench/scale.md says in words.

    `together` of them are of one entity-day and come in one raw object, as far as the batch goes. Each entity-day has
    had `before` messages in earlier batches.
    """

    name: str
    together: float
    before: int = 0

    def entity_of(self, number: int) -> int:
        """Which entity the n-th message of a batch belongs to."""
        return int(number / self.together)


TOGETHER = Shape("together", 1_000, before=SAMPLE_SIZE)
THREES = Shape("threes", 10 / 3)
ALONE = Shape("alone", 1)
SCATTERED = Shape("scattered", 1, before=SAMPLE_SIZE)
SHAPES = (TOGETHER, THREES, ALONE, SCATTERED)


@lru_cache
def processed(shape: Shape, batch: int, metrics: tuple[Definition, ...] = ()) -> Cost:
    """What one batch takes in the middle of a replay that pins these metrics, whose definitions are remembered."""
    aws = MeteredAws()
    keep_job(aws, metrics)
    recorder = RecordInLedger(aws.aggregates, lambda: NOW, never_wait)
    remembered = DynamoDefinitions(aws.dynamodb, REPLAYS, never_wait, {each.sha256: each for each in metrics})
    processor = ProcessBatch(FetchAndVerify(aws.raw, one_by_one), aws.replays, recorder, remembered)
    deliveries = _deliveries(_stored(aws, shape, batch))
    for entity in {shape.entity_of(number) for number in range(batch)} if shape.before else ():
        aws.dynamodb.put_item(TableName=AGGREGATES, Item=_version_row(entity, shape.before, metrics))
    return aws.meter.measured(batch, lambda: batch - len(processor.process(deliveries).failures))


def _version_row(entity: int, inputs: int, metrics: Sequence[Definition] = ()) -> Item:
    """A version that so many messages went into before."""
    events = [an_event(entity, -number) for number in range(1, inputs + 1)]
    aggregate = aggregate_of((_input(each, metrics) for each in events), definitions_in(CALENDAR, metrics))
    return version_row(NewRevision(Version(events[0].entity_id, DAY, REPLAY_ID), aggregate, 0), NOW)


def _input(event: Event, metrics: Sequence[Definition]) -> Input:
    contributed = contributions(metrics, measured(event.event_id, event.event_type, parse(event.text).value))
    return Input(start_of(DAY), event.event_id, event.event_type, event.content_sha256, contributed)


def with_events(count: int, entities: int = ENTITIES, to: DeclaredDestination = AGGREGATING) -> MeteredAws:
    """An AWS with so many events of a day, of some entities in turn, and a job that sends them to a destination."""
    aws = MeteredAws()
    keep_job(aws, to=to)
    events = [an_event(number % entities, number) for number in range(count)]
    for stored in stored_events(events, RECEIPT, BUCKET, key_of(events)):
        aws.tables[EVENTS].put(index_row(stored, SHARDS, NEVER_LATE))
    return aws


@lru_cache(maxsize=1)
def planned() -> Cost:
    """What planning takes of a replay by type that one slice plans."""
    aws = with_events(EVENTS_PLANNED)
    return aws.meter.measured(EVENTS_PLANNED, lambda: plan_slice(aws))


def plan_slice(aws: MeteredAws, destination: Destination | None = None) -> int:
    """Let a planner send what it can of the kept job within one invocation; returns how many messages it sent."""
    named = NamedEvents(S3EventsFiles(aws.raw.objects.s3, BUCKET), aws.ingest.identities, lambda: NOW)
    origins, to = Origins(aws.index, aws.replays, aws.aggregates, named), destination or aws.destination
    clock = (lambda: NOW, never_wait, lambda: REPLAY_ID)
    planner = PlanReplay(aws.replays, origins, aws.queues, lambda _: to, *clock, one_by_one, index_lag_s=0)
    return planner.plan_slice(ReplayTask(REPLAY_ID), lambda: 45_000)


def keep_job(aws: MeteredAws, metrics: Sequence[Definition] = (), to: DeclaredDestination = AGGREGATING) -> None:
    """Keep a job that replays the events of a day to a destination, and pins metrics."""
    selection = {"source": SOURCE, "event_type": EVENT_TYPE, "day": DAY}
    request = ReplayRequest.model_validate(selection | {"destination": to.name})
    pinned = tuple(PinnedMetric(each.name, each.sha256) for each in metrics)
    job = ReplayJob(REPLAY_ID, request, "investigator", NOW, NOW, SHARDS, metrics=pinned)
    aws.replays.create(replace(job, destination_arn=to.arn, takes_reports=to.takes_reports), None, "")


def an_event(entity: int, number: int) -> Event:
    """An event of an entity."""
    return parse_native(parse(json.dumps(order(number, entity, shifted(start_of(DAY), number * 1_000_000)))))


def _stored(aws: MeteredAws, shape: Shape, batch: int) -> list[StoredEvent]:
    """A batch's events, kept in raw objects; those of one entity-day share one."""
    objects = (list(numbers) for _, numbers in groupby(range(batch), shape.entity_of))
    written = ([an_event(shape.entity_of(number), number) for number in numbers] for numbers in objects)
    return [stored for events in written for stored in aws.raw.put_once(events, RECEIPT)]


def _deliveries(stored: Sequence[StoredEvent]) -> list[Delivery]:
    bodies = (message_of(REPLAY_ID, TO_AGGREGATES, event).model_dump_json(exclude_none=True) for event in stored)
    return [Delivery(str(number), "", body) for number, body in enumerate(bodies)]


def key_of(events: Sequence[Event]) -> str:
    """The raw object that holds events of one source and day."""
    return keys.raw_object(events[0].source, DAY, DAY, name_of(events))


@lru_cache(maxsize=1)
def sizes() -> Mapping[str, int]:
    """Bytes of rows as the adapters make them, and of a message as it is sent."""
    event = an_event(1, 1)
    [stored] = stored_events([event], RECEIPT, BUCKET, key_of([event]))
    message = message_of(REPLAY_ID, TO_AGGREGATES, stored)
    return {
        "index row": item_size(index_row(stored, SHARDS, NEVER_LATE)),
        "outcome": item_size(outcome_row(record_of(message, Outcome.INPUT))),
        "new version": item_size(_version_row(1, 1)),
        "full version": item_size(_version_row(1, SAMPLE_SIZE)),
        "message": len(message.model_dump_json(exclude_none=True).encode()),
    }
