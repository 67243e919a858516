"""A model of a replay of any size: request units, throughput, hours and dollars, from what is counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench import prices
from bench.assumptions import Assumptions
from bench.meter import Cost
from bench.metered_aws import AGGREGATES, EVENTS, REPLAYS, SHARDS
from bench.replay_costs import Count, Shape
from chalicelib.replays.commit_batch import MESSAGES_A_BATCH
from chalicelib.replays.in_flight import LOOK_EVERY_S
from chalicelib.replays.planner import BATCHES_A_SLICE
from chalicelib.runtime.event_sources import PLANNERS
from chalicelib.runtime.settings import Settings
from infra.merge import FUNCTIONS, RESOURCES, load

TABLES = (AGGREGATES, REPLAYS, EVENTS)
NEW_TABLE = "AggregatesTable while it is new"
SERVICES = ("DynamoDB writes", "DynamoDB reads", "SQS", "S3", "Lambda")


def _memory_mb(function: str) -> int:
    config = json.loads((RESOURCES.parents[1] / ".chalice/config.json").read_text())
    memory: int = config["lambda_functions"][function]["lambda_memory_size"]
    return memory


def _window_s() -> float:
    event_source = load(FUNCTIONS)["Resources"]["Processor"]["Properties"]["Events"]["ProcessorSqsEventSource"]
    return float(event_source["Properties"]["MaximumBatchingWindowInSeconds"])


@dataclass(frozen=True)
class Deployment:
    """What is chosen: by default what the packaged deployment has, and one job."""

    says: str = "as installed, one job"
    jobs: int = 1
    planners: int = PLANNERS
    processors: int = Settings().processor_concurrency
    max_in_flight: int = Settings().max_in_flight
    at_once: int = Settings().concurrency
    table_units: float = prices.TABLE_UNITS.value
    planner_mb: int = field(default_factory=lambda: _memory_mb("planner"))
    processor_mb: int = field(default_factory=lambda: _memory_mb("processor"))
    window_s: float = field(default_factory=_window_s)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many messages a second something allows, and what raises it."""

    name: str
    messages_a_second: float
    to_raise: str


@dataclass(frozen=True)
class Model:
    """A replay of a shape, processed in batches of a size, on a deployment."""

    count: Count
    shape: Shape
    batch: int
    deployment: Deployment
    assumed: Assumptions = field(default_factory=Assumptions)

    @property
    def processing(self) -> Cost:
        """What a batch takes."""
        return self.count.processing[self.shape, self.batch]

    def a_message(self, of: Callable[[Cost], float]) -> float:
        """What one message takes, planned and processed."""
        return sum(cost.each(of(cost)) for cost in (self.count.planning, self.processing))

    def writes(self, table: str) -> float:
        """Write units of a message in a table."""
        return self.a_message(lambda cost: cost.writes.get(table, 0))

    def reads(self, table: str) -> float:
        """Read units of a message in a table."""
        return self.a_message(lambda cost: cost.reads.get(table, 0))

    @property
    def sqs_requests(self) -> float:
        """SQS requests of a message. Lambda's pollers receive and delete in tens, at best."""
        return self.a_message(lambda cost: cost.sqs_requests) + 2 / prices.SQS_BATCH.value

    @property
    def gets(self) -> float:
        """S3 GETs of a message."""
        return self.a_message(lambda cost: cost.calls.get("GetObject", 0))

    @property
    def invocations(self) -> float:
        """Invocations of both functions for a message."""
        return 1 / self.batch + 1 / (MESSAGES_A_BATCH * BATCHES_A_SLICE)

    @property
    def batch_s(self) -> float:
        """How long a processor takes for a batch. It gets several objects at once."""
        chosen, at_once = self.deployment, {"GetObject": self.deployment.at_once}
        return self.assumed.function_s(self.processing, at_once, self.assumed.cpu_ms_processed, chosen.processor_mb)

    @property
    def planning_s(self) -> float:
        """How long a planner takes for a message. It reads the shards at once, and sends several tens at once."""
        chosen, planning = self.deployment, self.count.planning
        at_once = {"Query": SHARDS, "SendMessageBatch": chosen.at_once}
        seconds = self.assumed.function_s(planning, at_once, self.assumed.cpu_ms_planned, chosen.planner_mb)
        return planning.each(seconds)

    @property
    def gb_seconds(self) -> float:
        """Lambda's GB-seconds of a message."""
        processor = self.batch_s / self.batch * self.deployment.processor_mb
        return (processor + self.planning_s * self.deployment.planner_mb) / 1_024

    @property
    def dollars(self) -> dict[str, float]:
        """Dollars of a message by service."""
        in_lambda = self.invocations * prices.LAMBDA_REQUEST.value + self.gb_seconds * prices.LAMBDA_GB_SECOND.value
        charges = (
            sum(map(self.writes, TABLES)) * prices.WRITE_UNIT.value,
            sum(map(self.reads, TABLES)) * prices.READ_UNIT.value,
            self.sqs_requests * prices.SQS_REQUEST.value,
            self.gets * prices.S3_GET.value,
            in_lambda,
        )
        return dict(zip(SERVICES, charges, strict=True))

    def ceilings(self) -> list[Ceiling]:
        """Everything that bounds throughput, the lowest first."""
        found = [Ceiling(*each) for each in (*self._of_retrace(), *self._of_aws())]
        return sorted(found, key=lambda ceiling: ceiling.messages_a_second)

    def _of_retrace(self) -> Iterator[tuple[str, float, str]]:
        """What a deployment chooses."""
        chosen, jobs = self.deployment, self.deployment.jobs
        window_s = chosen.window_s if self.batch > prices.SQS_BATCH.value else 0
        dwell_s = window_s + self.batch_s + LOOK_EVERY_S
        in_flight = chosen.max_in_flight - MESSAGES_A_BATCH
        planners = min(jobs, chosen.planners)
        yield "the planner of a job", planners / self.planning_s, "more jobs, or the planner's memory"
        yield "`MaxInFlight` of a job", jobs * in_flight / dwell_s, "`MaxInFlight`, or more jobs"
        yield "`ProcessorConcurrency`", chosen.processors * self.batch / self.batch_s, "`ProcessorConcurrency`"

    def _of_aws(self) -> Iterator[tuple[str, float, str]]:
        """Quotas. What is of one job, or of the days that it reads, comes as often as there are jobs."""
        chosen, jobs = self.deployment, self.deployment.jobs
        units, writes, reads = chosen.table_units, prices.PARTITION_WRITES.value, prices.PARTITION_READS.value
        yield NEW_TABLE, prices.NEW_TABLE_WRITES.value / self.writes(AGGREGATES), "warm throughput, or time"
        yield "writes of AggregatesTable", units / self.writes(AGGREGATES), "DynamoDB's table quota"
        yield "reads of AggregatesTable", units / self.reads(AGGREGATES), "DynamoDB's table quota"
        yield "counters of a job, one partition", jobs * writes / self.writes(REPLAYS), "more jobs"
        yield "state of a job, one partition", jobs * reads / self.reads(REPLAYS), "more jobs"
        other_days, of_batches = "more jobs, of other days", self.batch / self.batch_s
        yield "index of a day, a partition a shard", jobs * SHARDS * reads / self.reads(EVENTS), other_days
        yield "raw objects of a source and day", jobs * prices.S3_PREFIX_GETS.value / self.gets, other_days
        yield "functions at once", prices.ACCOUNT_CONCURRENCY.value * of_batches, "Lambda's account quota"
        yield "messages received and not deleted", prices.SQS_IN_FLIGHT.value / self.batch_s, "SQS's quota"

    def binding(self) -> Ceiling:
        """What binds first, once AggregatesTable has had such traffic before."""
        return next(each for each in self.ceilings() if each.name != NEW_TABLE)
