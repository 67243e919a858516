"""Count what a message takes by its destination: planners send to each kind, and a consumer reports outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from functools import lru_cache

from bench.assumptions import ASSUMED
from bench.meter import Cost, together
from bench.metered_aws import BUS, NOW, REPLAYS, MeteredAws, never_wait
from bench.replay_costs import ENTITIES, REPLAY_ID, plan_slice, with_events
from bench.scale_model import INSTALLED, RECEIVED, in_lambda, planning_s
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
    def in_order(self) -> bool:
        """Whether messages of an entity are sent one after the other."""
        return self.kind is DestinationKind.FIFO

    @property
    def batch(self) -> int:
        """How many messages are sent together."""
        return ORDERED_MESSAGES_A_BATCH if self.in_order else MESSAGES_A_BATCH

    @property
    def messages(self) -> int:
        """As many as a quarter of a slice sends."""
        return BATCHES_A_SLICE // 4 * self.batch

    def planned(self) -> tuple[MeteredAws, Cost]:
        """An AWS on which a replay was planned and sent, and what that took."""
        aws = with_events(self.messages, self.entities, DeclaredDestination("theirs", ARNS[self.kind], self.reports))
        queue = replace(aws.destination, ordered=self.in_order, messages_a_batch=self.batch)
        adapter: Destination = aws.bus if self.kind is DestinationKind.EVENTBRIDGE else queue
        return aws, aws.meter.measured(self.messages, lambda: plan_slice(aws, adapter))


@lru_cache
def sent(sending: Sending) -> Cost:
    """What it takes to plan and send a replay."""
    return sending.planned()[1]


@lru_cache
def reported(count: int = MAX_OUTCOMES) -> Cost:
    """What a report of this many outcomes takes."""
    aws, _ = Sending(DestinationKind.QUEUE, reports=True).planned()
    rows = [row for row in aws.tables[REPLAYS].rows.values() if "message" in row][:count]
    report = OutcomesReport(outcomes=tuple(ReportedOutcome(event_id=row["SK"]["S"], outcome="done") for row in rows))
    recorder = RecordInLedger(aws.aggregates, lambda: NOW, never_wait)
    reporting = RecordReportedOutcomes(aws.replays, recorder, Destinations({}))
    return aws.meter.measured(count, lambda: reporting.record(REPLAY_ID, report, None).recorded)


def sending_s(sending: Sending) -> float:
    """How long a planner takes for a message. Calls with messages of one entity come one after the other."""
    return planning_s(sent(sending), sends_at_once=1 if sending.in_order and sending.entities == 1 else None)


def sending_takes(sending: Sending) -> Takes:
    """What one message takes until its consumer has it. Consumers receive and delete in tens."""
    invocations = 1 / (sending.batch * BATCHES_A_SLICE)
    takes = together(sent(sending).takes(), in_lambda(invocations, sending_s(sending), INSTALLED.planner_mb))
    if sending.kind is DestinationKind.EVENTBRIDGE:
        return takes
    takes = together(takes, RECEIVED)
    return replace(takes, sqs_requests=0, fifo_requests=takes.sqs_requests) if sending.in_order else takes


def reporting_takes() -> Takes:
    """What one message takes more if its consumer reports: the planner keeps it, and the API function its outcome."""
    plain, kept = (sending_takes(Sending(DestinationKind.QUEUE, reports)) for reports in (False, True))
    more = Takes(*(after - before for before, after in zip(astuple(plain), astuple(kept), strict=True)))
    seconds = ASSUMED.function_s(reported(), {}, ASSUMED.cpu_ms_processed, API_MB)
    request = Takes(api_requests=1 / MAX_OUTCOMES)
    return together(more, reported().takes(), request, in_lambda(1 / MAX_OUTCOMES, seconds, API_MB))
