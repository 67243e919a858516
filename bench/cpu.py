"""Processor time of our own code for each event, beside that of boto3 and of the framework.

python -m bench.cpu             prints it
python -m bench.cpu --counts    prints the calls of functions alone, as JSON
python -m bench.cpu --write     puts it into docs/performance.md

All of it runs in one thread, from the event that Lambda hands over to the answer; requests to AWS are serialised and
signed, and answers parsed, but in place of the network stands bench/canned.py. Time is charged to whoever is at work by
the borders that are crossed (bench/seams.py):

- boto3: from the call of a client's method to its return, without the network.
- framework: Chalice around our views and consumers, and the logger and metrics of Powertools that they call.
- ours: all the rest, with pydantic, json and hashlib in it.

Times are medians of rounds in which all workloads take turns, and tell something only beside each other. How many
functions are called does not vary.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import invocations
from bench.invocations import Context
from bench.markdown import filled, table
from bench.owners import BOTO3, OURS, OWNERS, look_ns
from bench.seams import ENVIRONMENT, Measured, measured

PAGE = Path(__file__).parents[1] / "docs/performance.md"
BATCHES = (10, 100, 1_000)
ROUNDS = 7
PLANNED = 1_000


@dataclass(frozen=True)
class Workload:
    """Something to do again and again: so many events each time."""

    name: str
    events: int
    function: Callable[[Any, Any], Any]
    invocations: Sequence[Any]
    before: Callable[[], None]

    @property
    def times(self) -> int:
        """How often in a round, so that rounds are about as long."""
        return max(3, 60 // self.events)


@dataclass(frozen=True)
class Cost:
    """What one event of a workload costs: by owner calls of functions, and microseconds of processor time."""

    workload: str
    events: int
    calls: dict[str, float]
    microseconds: dict[str, float]


def rows(rounds: int = ROUNDS) -> list[Cost]:
    """Every workload, measured in turns."""
    application = measured()
    workloads = _workloads(application)
    look = look_ns()
    for workload in workloads:
        _run(application, workload, 3)  # what is made once is made
    counted = {workload.name: _counted(application, workload) for workload in workloads}
    times: dict[str, list[dict[str, float]]] = {workload.name: [] for workload in workloads}
    for _ in range(rounds):
        for workload in workloads:
            times[workload.name].append(_timed(application, workload, look))
    return [
        Cost(
            each.name,
            each.events,
            counted[each.name],
            {owner: median(found[owner] for found in times[each.name]) for owner in OWNERS},
        )
        for each in workloads
    ]


def _timed(application: Measured, workload: Workload, look: float) -> dict[str, float]:
    gc.collect()
    application.clock.reset()
    _run(application, workload, workload.times)
    events = workload.events * workload.times
    return {owner: application.clock.net(owner, look) / 1_000 / events for owner in OWNERS}


def _counted(application: Measured, workload: Workload) -> dict[str, float]:
    application.clock.reset()
    workload.before()
    with application.clock.counting():
        _quietly(workload.function, workload.invocations[0])
    return {owner: application.clock.calls[owner] / workload.events for owner in OWNERS}


def _run(application: Measured, workload: Workload, times: int) -> None:
    for number in range(times):
        workload.before()
        _quietly(workload.function, workload.invocations[number % len(workload.invocations)])
        application.aws.calls.clear()


def _quietly(function: Callable[[Any, Any], Any], invocation: Any) -> None:
    """Metrics go to where nobody reads them."""
    with contextlib.redirect_stdout(io.StringIO()):
        function(invocation, Context())


def _workloads(application: Measured) -> list[Workload]:
    aws, handle = application.aws, application.function()
    forget = lambda: aws.forget(ENVIRONMENT["DEDUPE_TABLE"], ENVIRONMENT["EVENTS_TABLE"])  # noqa: E731
    singles = [invocations.one(number) for number in range(20)]
    ingest = [Workload("POST /ingest, one event", 1, handle, singles, forget)]
    for size in BATCHES:
        batches = [invocations.batch(number * size, size) for number in range(3)]
        ingest.append(Workload(f"POST /ingest, {size:,} events", size, handle, batches, forget))
    return [*ingest, *_replay(application)]


def _replay(application: Measured) -> list[Workload]:
    """A replay of one entity's day: planned, and processed in batches as `chalice deploy` and the package have them."""
    aws, handle = application.aws, application.function()
    _quietly(handle, invocations.batch(0, PLANNED))
    _quietly(handle, invocations.request("POST", "/replay", json.dumps(invocations.WHOLE_DAY)))
    stored = copy.deepcopy({name: aws.tables[ENVIRONMENT[name]] for name in ("EVENTS_TABLE", "REPLAYS_TABLE")})
    _, task = aws.sent  # the first is for the case that the second is never sent

    def restore() -> None:
        aws.sent.clear()
        aws.forget(ENVIRONMENT["AGGREGATES_TABLE"])
        for name, kept in stored.items():
            aws.tables[ENVIRONMENT[name]] = copy.deepcopy(kept) if name == "REPLAYS_TABLE" else kept

    restore()
    plan, process = application.function("planner"), application.function("processor")
    _quietly(plan, invocations.messages([task]))
    bodies = list(aws.sent)
    planning = Workload("replay, 1,000 planned", PLANNED, plan, [invocations.messages([task])], restore)
    return [planning, *(_processing(process, bodies, size, restore) for size in (10, 100))]


def _processing(
    process: Callable[[Any, Any], Any], bodies: Sequence[str], size: int, restore: Callable[[], None]
) -> Workload:
    batches = [invocations.messages(bodies[start : start + size]) for start in range(0, 3 * size, size)]
    return Workload(f"replay, {size} processed", size, process, batches, restore)


def counts() -> dict[str, dict[str, float]]:
    """How many functions are called for an event, by workload and owner."""
    application = measured()
    found = {}
    for workload in _workloads(application):
        _run(application, workload, 2)  # what is made once is made
        found[workload.name] = _counted(application, workload)
    return found


def table_of(costs: Sequence[Cost]) -> str:
    """As Markdown."""
    head = ["for each event of", *(f"calls: {owner}" for owner in OWNERS), *(f"µs: {owner}" for owner in OWNERS)]
    return table(
        [*head, "ours / boto3"],
        (
            [
                cost.workload,
                *(cost.calls[owner] for owner in OWNERS),
                *(cost.microseconds[owner] for owner in OWNERS),
                f"{cost.microseconds[OURS] / cost.microseconds[BOTO3]:.2f}",
            ]
            for cost in costs
        ),
    )


def main() -> None:
    """Print the table, or put it into the page."""
    if "--counts" in sys.argv[1:]:
        print(json.dumps(counts()))
        return
    generated = {"cpu": table_of(rows())}
    if "--write" in sys.argv[1:]:
        PAGE.write_text(filled(PAGE.read_text(), generated, "bench.cpu"))
    else:
        print(generated["cpu"])


if __name__ == "__main__":
    main()
