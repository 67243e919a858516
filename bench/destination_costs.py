"""Count what a message takes by its destination: planners send to each kind, and a consumer reports outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from functools import lru_cache

from bench import prices
from bench.assumptions import Assumptions
from bench.meter import Cost
from bench.metered_aws import (
    BUCKET,
    BUS,
    EVENTS,
    NEVER_LATE,
    NOW,
    REPLAYS,
    SHARDS,
    MeteredAws,
    metered_aws,
    never_wait,
)
from bench.replay_costs import ENTITIES, RECEIPT, REPLAY_ID, an_event, keep_job, key_of, plan_slice
from bench.scale_model import Deployment
from chalicelib.events.dynamodb_rows import index_row
from chalicelib.events.raw_objects import stored_events
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.processing.reported import MAX_OUTCOMES, OutcomesReport, RecordReportedOutcomes, ReportedOutcome
from chalicelib.replays.commit_batch import MESSAGES_A_BATCH, ORDERED_MESSAGES_A_BATCH
from chalicelib.replays.destinations import DeclaredDestination, DestinationKind, Destinations
from chalicelib.replays.estimate import Takes
from chalicelib.replays.planner import BATCHES_A_SLICE
from chalicelib.replays.ports import Destination

_QUEUE = "arn:aws:sqs:us-east-1:123456789012:retrace-dev-to-theirs"
ARNS: Mapping[DestinationKind, str] = {
    DestinationKind.QUEUE: _QUEUE,
    DestinationKind.FIFO: f"{_QUEUE}.fifo",
    DestinationKind.EVENTBRIDGE: BUS,
}
API_MB = 1_024


@dataclass(frozen=True, slots=True)
class Sending:
    """A kind of destination, whether it reports, and of how many entities the events are."""

    kind: DestinationKind
    reports: bool = False
    entities: int = ENTITIES

    @property
    def to(self) -> DeclaredDestination:
        """As a stage declares it."""
        return DeclaredDestination("theirs", ARNS[self.kind], self.reports)

    @property
    def batch(self) -> int:
        """How many messages are sent together."""
        return ORDERED_MESSAGES_A_BATCH if self.kind is DestinationKind.FIFO else MESSAGES_A_BATCH

    @property
    def messages(self) -> int:
        """As many as a quarter of a slice sends."""
        return BATCHES_A_SLICE // 4 * self.batch

    def adapter(self, aws: MeteredAws) -> Destination:
        """What sends to it."""
        if self.kind is DestinationKind.EVENTBRIDGE:
            return aws.bus
        return replace(aws.destination, ordered=self.kind is DestinationKind.FIFO, messages_a_batch=self.batch)


@lru_cache
def sent(sending: Sending) -> Cost:
    """What it takes to plan and send a replay."""
    aws = _with_events(sending)
    return aws.meter.measured(sending.messages, lambda: plan_slice(aws, sending.adapter(aws)))


@lru_cache
def reported(count: int = MAX_OUTCOMES) -> Cost:
    """What a report of this many outcomes takes."""
    sending = Sending(DestinationKind.QUEUE, reports=True)
    aws = _with_events(sending)
    plan_slice(aws, sending.adapter(aws))
    rows = [row for row in aws.tables[REPLAYS].rows.values() if "message" in row][:count]
    outcomes = tuple(ReportedOutcome(event_id=row["SK"]["S"], outcome="done") for row in rows)
    recorder = RecordInLedger(aws.aggregates, lambda: NOW, never_wait)
    reporting = RecordReportedOutcomes(aws.replays, recorder, Destinations({}))
    return aws.meter.measured(
        count, lambda: reporting.record(REPLAY_ID, OutcomesReport(outcomes=outcomes), None).recorded
    )


def _with_events(sending: Sending) -> MeteredAws:
    aws = metered_aws()
    keep_job(aws, to=sending.to)
    events = [an_event(number % sending.entities, number) for number in range(sending.messages)]
    for stored in stored_events(events, RECEIPT, BUCKET, key_of(events)):
        aws.tables[EVENTS].put(index_row(stored, SHARDS, NEVER_LATE))
    return aws


def planning_s(sending: Sending) -> float:
    """How long a planner takes for a message. Calls with messages of one entity come one after the other."""
    chosen, cost, assumed = Deployment(), sent(sending), Assumptions()
    at_once = {"Query": SHARDS, "SendMessageBatch": chosen.at_once, "PutEvents": chosen.at_once}
    if sending.entities == 1 and sending.kind is DestinationKind.FIFO:
        at_once["SendMessageBatch"] = 1
    return cost.each(assumed.function_s(cost, at_once, assumed.cpu_ms_planned, chosen.planner_mb))


def sending_takes(sending: Sending) -> Takes:
    """What one message takes until its consumer has it. Consumers receive and delete in tens."""
    cost, in_order = sent(sending), sending.kind is DestinationKind.FIFO
    on_a_bus = sending.kind is DestinationKind.EVENTBRIDGE
    requests = 0 if on_a_bus else cost.each(cost.sqs_requests) + 2 / prices.SQS_BATCH.value
    return Takes(
        write_units=cost.each(cost.writes),
        read_units=cost.each(cost.reads),
        sqs_requests=0 if in_order else requests,
        fifo_requests=requests if in_order else 0,
        bus_events=cost.each(cost.bus_events),
        invocations=1 / (sending.batch * BATCHES_A_SLICE),
        gb_seconds=planning_s(sending) * Deployment().planner_mb / 1_024,
    )


def reporting_takes() -> Takes:
    """What one message takes more if its consumer reports: the planner keeps it, and the API function its outcome."""
    cost, assumed = reported(), Assumptions()
    plain, kept = (sending_takes(Sending(DestinationKind.QUEUE, reports)) for reports in (False, True))
    of_report = cost.each(assumed.function_s(cost, {}, assumed.cpu_ms_processed, API_MB)) * API_MB / 1_024
    more = Takes(*(after - before for before, after in zip(astuple(plain), astuple(kept), strict=True)))
    return replace(
        more,
        write_units=more.write_units + cost.each(cost.writes),
        read_units=more.read_units + cost.each(cost.reads),
        api_requests=1 / MAX_OUTCOMES,
        invocations=1 / MAX_OUTCOMES,
        gb_seconds=more.gb_seconds + of_report,
    )
