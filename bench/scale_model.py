"""A model of a replay of any size: request units, throughput, hours and dollars, from what is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bench import prices
from bench.assumptions import ASSUMED
from bench.meter import Cost, together
from bench.metered_aws import AGGREGATES, EVENTS, REPLAYS, SHARDS
from bench.replay_costs import BATCHES, Shape, planned, processed
from chalicelib.replays.commit_batch import MESSAGES_A_BATCH
from chalicelib.replays.estimate import Takes
from chalicelib.replays.in_flight import LOOK_EVERY_S
from chalicelib.replays.planner import BATCHES_A_SLICE
from chalicelib.runtime.event_sources import PLANNERS
from chalicelib.runtime.settings import Settings
from infra.merge import FUNCTIONS, RESOURCES, load

NEW_TABLE = "AggregatesTable while it is new"
RECEIVED = Takes(sqs_requests=2 / prices.SQS_BATCH)
"""Lambda's pollers, and consumers, receive a message and delete it in tens, at best."""

_FUNCTIONS = json.loads((RESOURCES.parents[1] / ".chalice/config.json").read_text())["lambda_functions"]
_PROCESSOR = load(FUNCTIONS)["Resources"]["Processor"]["Properties"]["Events"]["ProcessorSqsEventSource"]["Properties"]


@dataclass(frozen=True)
class Deployment:
    """What is chosen: by default what the packaged deployment has, and one job."""

    says: str = "as installed, one job"
    jobs: int = 1
    planners: int = PLANNERS
    processors: int = Settings().processor_concurrency
    max_in_flight: int = Settings().max_in_flight
    at_once: int = Settings().concurrency
    table_units: float = prices.TABLE_UNITS
    planner_mb: int = _FUNCTIONS["planner"]["lambda_memory_size"]
    processor_mb: int = _FUNCTIONS["processor"]["lambda_memory_size"]
    window_s: float = float(_PROCESSOR["MaximumBatchingWindowInSeconds"])


INSTALLED = Deployment()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many messages a second something allows, and what raises it."""

    name: str
    messages_a_second: float
    to_raise: str


def planning_s(cost: Cost, deployment: Deployment = INSTALLED, sends_at_once: int | None = None) -> float:
    """How long a planner takes for a message. It reads the shards at once, and sends several tens at once."""
    sends = dict.fromkeys(("SendMessageBatch", "PutEvents"), sends_at_once or deployment.at_once)
    return ASSUMED.function_s(cost, {"Query": SHARDS, **sends}, ASSUMED.cpu_ms_planned, deployment.planner_mb)


def in_lambda(invocations: float, seconds: float, memory_mb: int) -> Takes:
    """What Lambda charges for: invocations, and their time by their memory."""
    return Takes(invocations=invocations, gb_seconds=seconds * memory_mb / 1_024)


@dataclass(frozen=True)
class Model:
    """A replay of a shape, processed in batches of a size, on a deployment."""

    shape: Shape
    batch: int = BATCHES[0]
    deployment: Deployment = INSTALLED

    @property
    def processing(self) -> Cost:
        """What a batch takes."""
        return processed(self.shape, self.batch)

    def writes(self, table: str) -> float:
        """Write units of a message in a table."""
        return sum(cost.each(cost.writes.get(table, 0)) for cost in (planned(), self.processing))

    def reads(self, table: str) -> float:
        """Read units of a message in a table."""
        return sum(cost.each(cost.reads.get(table, 0)) for cost in (planned(), self.processing))

    @property
    def planning_s(self) -> float:
        """How long a planner takes for a message."""
        return planning_s(planned(), self.deployment)

    @property
    def batch_s(self) -> float:
        """How long a processor takes for a batch. It gets several objects at once."""
        at_once, memory_mb = {"GetObject": self.deployment.at_once}, self.deployment.processor_mb
        return self.batch * ASSUMED.function_s(self.processing, at_once, ASSUMED.cpu_ms_processed, memory_mb)

    @property
    def sending_takes(self) -> Takes:
        """What a message takes until it is sent."""
        invocations = 1 / (MESSAGES_A_BATCH * BATCHES_A_SLICE)
        return together(planned().takes(), in_lambda(invocations, self.planning_s, self.deployment.planner_mb))

    @property
    def processing_takes(self) -> Takes:
        """What a message takes from then on."""
        computing = in_lambda(1 / self.batch, self.batch_s / self.batch, self.deployment.processor_mb)
        return together(self.processing.takes(), RECEIVED, computing)

    @property
    def takes(self) -> Takes:
        """What a message takes in all."""
        return together(self.sending_takes, self.processing_takes)

    def ceilings(self) -> list[Ceiling]:
        """Everything that bounds throughput, the lowest first."""
        found = [Ceiling(*each) for each in (*self._of_retrace(), *self._of_aws())]
        return sorted(found, key=lambda ceiling: ceiling.messages_a_second)

    def _of_retrace(self) -> Iterator[tuple[str, float, str]]:
        """What a deployment chooses."""
        chosen, jobs = self.deployment, self.deployment.jobs
        window_s = chosen.window_s if self.batch > prices.SQS_BATCH else 0
        dwell_s = window_s + self.batch_s + LOOK_EVERY_S
        in_flight = chosen.max_in_flight - MESSAGES_A_BATCH
        planners = min(jobs, chosen.planners)
        yield "the planner of a job", planners / self.planning_s, "more jobs, or the planner's memory"
        yield "`MaxInFlight` of a job", jobs * in_flight / dwell_s, "`MaxInFlight`, or more jobs"
        yield "`ProcessorConcurrency`", chosen.processors * self.batch / self.batch_s, "`ProcessorConcurrency`"

    def _of_aws(self) -> Iterator[tuple[str, float, str]]:
        """Quotas. What is of one job, or of the days that it reads, comes as often as there are jobs."""
        chosen, jobs = self.deployment, self.deployment.jobs
        units, writes, reads = chosen.table_units, prices.PARTITION_WRITES, prices.PARTITION_READS
        yield NEW_TABLE, prices.NEW_TABLE_WRITES / self.writes(AGGREGATES), "warm throughput, or time"
        yield "writes of AggregatesTable", units / self.writes(AGGREGATES), "DynamoDB's table quota"
        yield "reads of AggregatesTable", units / self.reads(AGGREGATES), "DynamoDB's table quota"
        yield "counters of a job, one partition", jobs * writes / self.writes(REPLAYS), "more jobs"
        yield "state of a job, one partition", jobs * reads / self.reads(REPLAYS), "more jobs"
        other_days, of_batches = "more jobs, of other days", self.batch / self.batch_s
        yield "index of a day, a partition a shard", jobs * SHARDS * reads / self.reads(EVENTS), other_days
        yield "raw objects of a source and day", jobs * prices.S3_PREFIX_GETS / self.takes.gets, other_days
        yield "functions at once", prices.ACCOUNT_CONCURRENCY * of_batches, "Lambda's account quota"
        yield "messages received and not deleted", prices.SQS_IN_FLIGHT / self.batch_s, "SQS's quota"

    def binding(self) -> Ceiling:
        """What binds first, once AggregatesTable has had such traffic before."""
        return next(each for each in self.ceilings() if each.name != NEW_TABLE)
