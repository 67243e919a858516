"""Processor time of our own code for each event, beside that of boto3 and of the framework, and what metrics add.

python -m bench.cpu [--write] [--counts]    counts: the calls of functions alone, as JSON

All of it runs in one thread, from the event that Lambda hands over to the answer. Requests to AWS are serialised and
signed, and answers parsed, but in place of the network stands bench/stub_transport.py. Time is charged by the borders
that are crossed (bench/instrumentation.py):

- boto3: from the call of a client's method to its return, without the network.
- framework: Chalice around our views and consumers, and the logger and metrics of Powertools that they call.
- ours: all the rest, with pydantic, json and hashlib in it.
"""

from __future__ import annotations

import copy
import gc
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import lambda_events
from bench.instrumentation import BOTO3, ENVIRONMENT, OURS, OWNERS, Application, instrumented
from bench.markdown import DOCS, PERFORMANCE, publish, table

BATCHES = (10, 100, 1_000)
ROUNDS = 7
PLANNED = 1_000

METRICS = (
    {"name": "by_currency", "aggregate": "sum", "value": "/amount", "group_by": ["/currency"]},
    {"name": "average", "aggregate": "avg", "value": "/amount"},
    {"name": "smallest", "aggregate": "min", "value": "/amount"},
    {"name": "largest", "aggregate": "max", "value": "/amount"},
    {"name": "in_euro", "aggregate": "count", "where": [{"path": "/currency", "equals": "EUR"}]},
)
COMPUTED = (0, 1, 5)
"""How many of the metrics replays compute."""
PROCESSED = (10, 100)

ByOwner = dict[str, float]
"""For one event."""


@dataclass(frozen=True)
class Workload:
    """Something to do again and again: so many events each time."""

    name: str
    events: int
    function: Callable[[Any], Any]
    invocations: Sequence[Any]
    before: Callable[[], None]

    def run(self, times: int) -> None:
        """Do it this many times; raises RuntimeError if anything of it failed, and so took another way."""
        for number in range(times):
            self.before()
            said = self.function(self.invocations[number % len(self.invocations)]) or {}
            if said.get("batchItemFailures") or said.get("statusCode", 200) >= 300:
                raise RuntimeError(f"{self.name} failed: {said}")


def counts(application: Application, workloads: Sequence[Workload]) -> dict[str, ByOwner]:
    """How many functions are called for an event, by workload and owner."""
    found = {}
    for workload in workloads:
        workload.run(3)  # what is made once is made
        workload.before()
        application.clock.reset()
        with application.clock.counting():
            workload.function(workload.invocations[0])
        found[workload.name] = {owner: application.clock.calls[owner] / workload.events for owner in OWNERS}
    return found


def rounds(application: Application, workloads: Sequence[Workload]) -> dict[str, list[ByOwner]]:
    """Microseconds of an event, by workload and owner, in each of the rounds in which the workloads take turns."""
    found: dict[str, list[ByOwner]] = {workload.name: [] for workload in workloads}
    clock = application.clock
    for workload in [*workloads] * ROUNDS:
        often = max(3, 60 // workload.events)  # so that rounds are about as long
        gc.collect()
        clock.reset()
        workload.run(often)
        found[workload.name].append({each: clock.microseconds(each) / workload.events / often for each in OWNERS})
    return found


def workloads_of(application: Application) -> list[Workload]:
    """Requests of several sizes, and a replay of one entity's day."""
    ingest, singles = application.function("app"), [lambda_events.one(number) for number in range(20)]

    def forget() -> None:
        application.forget("DEDUPE_TABLE", "EVENTS_TABLE")

    found = [Workload("POST /ingest, one event", 1, ingest, singles, forget)]
    for size in BATCHES:
        batches = [lambda_events.batch(number * size, size) for number in range(3)]
        found.append(Workload(f"POST /ingest, {size:,} events", size, ingest, batches, forget))
    return [*found, *_replay(application)]


def _replay(application: Application) -> list[Workload]:
    """Planned, and processed in batches as `chalice deploy` and the package have them, with metrics and without."""
    aws, handle = application.aws, application.function("app")
    handle(lambda_events.batch(0, PLANNED))
    tasks = {count: lambda_events.messages([_task(application, count)]) for count in COMPUTED}
    stored = {name: aws.tables[ENVIRONMENT[name]] for name in ("EVENTS_TABLE", "REPLAYS_TABLE")}
    stored["REPLAYS_TABLE"] = copy.deepcopy(stored["REPLAYS_TABLE"])

    def restore() -> None:
        aws.sent.clear()
        application.forget("AGGREGATES_TABLE")
        for name, kept in stored.items():
            aws.tables[ENVIRONMENT[name]] = copy.deepcopy(kept) if name == "REPLAYS_TABLE" else kept

    plan, process = application.function("planner"), application.function("processor")
    found = [Workload("replay, 1,000 planned", PLANNED, plan, [tasks[0]], restore)]
    for count, task in tasks.items():
        restore()
        plan(task)
        bodies = list(aws.sent)
        for size in PROCESSED:
            batches = [lambda_events.messages(bodies[start : start + size]) for start in range(0, 3 * size, size)]
            found.append(Workload(_processed(size, count), size, process, batches, restore))
    return found


def _task(application: Application, count: int) -> str:
    """The planner's task for a replay that computes so many metrics."""
    asked = {**lambda_events.WHOLE_DAY, "metrics": METRICS[:count]}
    application.function("app")(lambda_events.request("POST", "/replay", json.dumps(asked)))
    return application.aws.sent[-1]  # the one before is for the case that this one is never sent


def _processed(size: int, metrics: int) -> str:
    return f"replay, {size} processed" + (f", {metrics} metric{'s' * (metrics > 1)}" if metrics else "")


def table_of(calls: dict[str, ByOwner], found: dict[str, list[ByOwner]]) -> str:
    """Medians as Markdown, without what metrics add."""
    head = ["for each event of", *(f"calls: {owner}" for owner in OWNERS), *(f"µs: {owner}" for owner in OWNERS)]
    rows = []
    for name, each in found.items():
        if "metric" not in name:
            spent = {owner: median(of_round[owner] for of_round in each) for owner in OWNERS}
            ratio = f"{spent[OURS] / spent[BOTO3]:.2f}"
            rows.append((name, *calls[name].values(), *spent.values(), ratio))
    return table([*head, "ours / boto3"], rows)


def metrics_line(found: dict[str, list[ByOwner]]) -> str:
    """What a message takes beside one of a replay without metrics: medians of the rounds' own ratios, as a sentence."""
    one, five = (
        median(
            sum(each.values()) / sum(without.values())
            for each, without in zip(found[_processed(100, count)], found[_processed(100, 0)], strict=True)
        )
        for count in COMPUTED[1:]
    )
    return (
        f"With a [metric](metrics.md) a message takes {one:.1f} times the processor time, with five {five:.1f} times, "
        "in batches of a\nhundred (`python -m bench.cpu`)."
    )


if __name__ == "__main__":
    measured = instrumented()
    loads = workloads_of(measured)
    called = counts(measured, loads)
    if "--counts" in sys.argv[1:]:
        print(json.dumps(called))
    else:
        took = rounds(measured, loads)
        publish(PERFORMANCE, "bench.cpu", {"cpu": table_of(called, took)})
        publish(DOCS / "performance.md", "bench.cpu", {"metrics": metrics_line(took)})
