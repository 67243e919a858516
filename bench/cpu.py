"""Processor time of our own code for each event, beside that of boto3 and of the framework, for bench/performance.md.

python -m bench.cpu             prints it
python -m bench.cpu --counts    prints the calls of functions alone, as JSON
python -m bench.cpu --write     puts it into the page

All of it runs in one thread, from the event that Lambda hands over to the answer. Requests to AWS are serialised and
signed, and answers parsed, but in place of the network stands bench/stub_transport.py. Time is charged by the borders
that are crossed (bench/instrumentation.py):

- boto3: from the call of a client's method to its return, without the network.
- framework: Chalice around our views and consumers, and the logger and metrics of Powertools that they call.
- ours: all the rest, with pydantic, json and hashlib in it.

Times are medians of rounds in which all workloads take turns, and mean something only beside each other. How many
functions are called does not vary. Other work on the machine may double every time.
"""

from __future__ import annotations

import copy
import gc
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import lambda_events
from bench.cpu_profiler import BOTO3, OURS, OWNERS
from bench.instrumentation import ENVIRONMENT, Application, instrumented
from bench.markdown import publish, table

BATCHES = (10, 100, 1_000)
ROUNDS = 7
PLANNED = 1_000

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
        """Do it this many times."""
        for number in range(times):
            self.before()
            self.function(self.invocations[number % len(self.invocations)])


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


def times(application: Application, workloads: Sequence[Workload]) -> dict[str, ByOwner]:
    """Microseconds of an event, by workload and owner: medians of rounds in which the workloads take turns."""
    rounds: dict[str, list[ByOwner]] = {workload.name: [] for workload in workloads}
    for workload in [*workloads] * ROUNDS:
        rounds[workload.name].append(_timed(application, workload))
    return {name: {owner: median(each[owner] for each in found) for owner in OWNERS} for name, found in rounds.items()}


def _timed(application: Application, workload: Workload) -> ByOwner:
    often = max(3, 60 // workload.events)  # so that rounds are about as long
    gc.collect()
    application.clock.reset()
    workload.run(often)
    return {owner: application.clock.microseconds(owner) / workload.events / often for owner in OWNERS}


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
    """Planned, and processed in batches as `chalice deploy` and the package have them."""
    aws, handle = application.aws, application.function("app")
    handle(lambda_events.batch(0, PLANNED))
    handle(lambda_events.request("POST", "/replay", json.dumps(lambda_events.WHOLE_DAY)))
    stored = {name: aws.tables[ENVIRONMENT[name]] for name in ("EVENTS_TABLE", "REPLAYS_TABLE")}
    stored["REPLAYS_TABLE"] = copy.deepcopy(stored["REPLAYS_TABLE"])
    _, task = aws.sent  # the first is for the case that the second is never sent

    def restore() -> None:
        aws.sent.clear()
        application.forget("AGGREGATES_TABLE")
        for name, kept in stored.items():
            aws.tables[ENVIRONMENT[name]] = copy.deepcopy(kept) if name == "REPLAYS_TABLE" else kept

    restore()
    plan, process = application.function("planner"), application.function("processor")
    plan(lambda_events.messages([task]))
    bodies = list(aws.sent)
    found = [Workload("replay, 1,000 planned", PLANNED, plan, [lambda_events.messages([task])], restore)]
    for size in (10, 100):
        batches = [lambda_events.messages(bodies[start : start + size]) for start in range(0, 3 * size, size)]
        found.append(Workload(f"replay, {size} processed", size, process, batches, restore))
    return found


def table_of(calls: dict[str, ByOwner], microseconds: dict[str, ByOwner]) -> str:
    """As Markdown."""
    head = ["for each event of", *(f"calls: {owner}" for owner in OWNERS), *(f"µs: {owner}" for owner in OWNERS)]
    rows = (
        (name, *calls[name].values(), *spent.values(), f"{spent[OURS] / spent[BOTO3]:.2f}")
        for name, spent in microseconds.items()
    )
    return table([*head, "ours / boto3"], rows)


def main() -> None:
    """Print the table, or put it into the page."""
    application = instrumented()
    workloads = workloads_of(application)
    calls = counts(application, workloads)
    if "--counts" in sys.argv[1:]:
        print(json.dumps(calls))
    else:
        publish(
            Path(__file__).with_name("performance.md"),
            "bench.cpu",
            {"cpu": table_of(calls, times(application, workloads))},
        )


if __name__ == "__main__":
    main()
