"""Measure Retrace beside what people would otherwise use, on one embedded AWS, for bench/performance.md.

python -m bench.compare [--write] [--quick]    quick: few events, to see whether it works

Contenders take turns in three rounds, another one first in each. Figures are medians of rounds, ratios medians of the
rounds' own ratios. Afterwards rows, identities and raw events of each must be as many as were sent, and aggregates must
have counted each event once. Processes of functions are started before anything is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.contenders import Contender, deployed, far_away, until
from bench.markdown import PERFORMANCE, publish, table
from bench.orders import bodies
from bench.rounds import Rates, require_equal
from bench.throughput import Replayed, Scenario, asked, from_the_queue, in_hundreds, ingested, replayed
from embedded.connection import Stack

ALL = ("Retrace", "plain", "Powertools")
FAST = ALL[:2]
FUNCTIONS_AT_ONCE = 5
"""As many as the emulator lets read a queue."""

STARTED_AT_ONCE = 8
WARM_REPLAYS = 7
"""Of so few messages each; together they make a batch for each of the five processes that read a queue at once."""


@dataclass(frozen=True)
class Plan:
    """What is taken in with AWS near and far, what of it is replayed, and events of the entities that are asked for."""

    near: Sequence[Scenario]
    far: Sequence[Scenario]
    replayed: Sequence[Scenario]
    replayed_far: Sequence[Scenario]
    partitions: Sequence[int]

    @property
    def clients(self) -> int:
        """How many send at once, at most."""
        return max(scenario.clients for scenario in (*self.near, *self.far))


SINGLES = (Scenario(1, 1, 40), Scenario(1, 32, 160))
TENS = (Scenario(10, 1, 12), Scenario(10, 32, 32))
HUNDREDS = (Scenario(100, 1, 3), Scenario(100, 32, 32, contenders=2))
FAR = tuple(Scenario(*of, contenders=2, far=True) for of in ((1, 1, 40), (1, 8, 80), (100, 1, 1), (100, 8, 8)))
FULL = Plan(
    near=(*SINGLES, *TENS, *HUNDREDS, Scenario(1_000, 1, 2, contenders=1)),
    far=FAR,
    replayed=(SINGLES[-1], HUNDREDS[0]),
    replayed_far=FAR[::2],
    partitions=(100, 1_000, 10_000),
)
QUICK = Plan((Scenario(1, 1, 4), Scenario(10, 2, 2)), FAR[::2], (Scenario(1, 1, 4),), FAR[::2], (100,))


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured."""

    ingested: Mapping[Scenario, Rates]
    ingested_far: Mapping[Scenario, Rates]
    replayed: Sequence[Replayed]
    replayed_far: Sequence[Replayed]
    in_hundreds: Sequence[Replayed]
    asked: Mapping[int, Rates]


def measure(stack: Stack, contenders: Sequence[Contender], plan: Plan) -> Measured:
    """Measure everything. What costs most is done without the slowest."""
    fast, handed_over = contenders[:2], partial(in_hundreds, FUNCTIONS_AT_ONCE)
    for contender in contenders:
        _warm(contender, plan.clients)
    near = {scenario: ingested(scenario, contenders) for scenario in plan.near}
    _require_all_stored(contenders, near, plan.clients)
    from_queues = [replayed(scenario, contenders, from_the_queue) for scenario in plan.replayed]
    with far_away(stack):
        far = {scenario: ingested(scenario, contenders) for scenario in plan.far}
        replayed_far = [replayed(scenario, fast, partial(in_hundreds, 1)) for scenario in plan.replayed_far]
    _require_all_stored(fast, near | far, plan.clients)
    return Measured(
        ingested=near,
        ingested_far=far,
        replayed=from_queues,
        replayed_far=replayed_far,
        in_hundreds=[replayed(scenario, fast, handed_over) for scenario in plan.replayed],
        asked={partition: asked(contenders, partition) for partition in plan.partitions},
    )


def _warm(contender: Contender, clients: int) -> None:
    """Start as many processes as will be needed, a few at once: a cold start is another measurement."""
    for number, at_once in _started(clients):
        contender.take_in(list(bodies(f"order.warm-{number}", 0, 1, at_once)), 1, at_once)
    events = WARM_REPLAYS * min(STARTED_AT_ONCE, clients)
    contender.listen(enabled=False)
    replay_ids = [contender.replay("order.warm-0") for _ in range(WARM_REPLAYS)]
    until(lambda: contender.messages() == events, f"{contender.name} had sent its messages")
    contender.listen(enabled=True)
    until(lambda: contender.messages() == 0, f"{contender.name} was warm")
    counted = {replay_id: contender.counted(replay_id) for replay_id in replay_ids}
    require_equal({"counted": sum(counted.values()), "sent": events}, contender.name)


def _started(clients: int) -> list[tuple[int, int]]:
    return [(number, min(number + STARTED_AT_ONCE, clients)) for number in range(0, clients, STARTED_AT_ONCE)]


def _require_all_stored(contenders: Sequence[Contender], done: Mapping[Scenario, Rates], clients: int) -> None:
    """Each has stored what it was sent, once."""
    warm = sum(at_once for _, at_once in _started(clients))
    messages = WARM_REPLAYS * min(STARTED_AT_ONCE, clients)  # Powertools keeps their identities among the others
    for contender in contenders:
        sent = warm + sum(scenario.events for scenario, rates in done.items() if contender.name in rates.of)
        identities = sum(1 for _ in contender.rows(contender.dedupe_table))
        rows = sum(1 for _ in contender.index_rows())
        known = identities - (messages if contender.name == "Powertools" else 0)
        require_equal({"sent": sent, "rows": rows, "identities": known, "raw": contender.stored}, contender.name)


def workings(measured: Measured) -> Mapping[str, str]:
    """The generated parts of bench/performance.md, by name."""
    near, far, hundreds = measured.replayed, measured.replayed_far, measured.in_hundreds
    return {
        "ingest": _ingest(measured.ingested, ALL),
        "waits": _waits(measured.ingested),
        "sending": _replays([(each.scenario, each.sending) for each in near], ALL),
        "processing": _replays([(each.scenario, each.processing) for each in near], ALL),
        "in-hundreds": _replays([(each.scenario, each.processing) for each in hundreds], FAST),
        "ingest-far": _ingest(measured.ingested_far, FAST),
        "sending-far": _replays([(each.scenario, each.sending) for each in far], FAST),
        "processing-far": _replays([(each.scenario, each.processing) for each in far], FAST),
        "queries": table(
            ("events of the entity", *ALL),
            ((partition, *(rates.wait_ms(name, 50) for name in ALL)) for partition, rates in measured.asked.items()),
        ),
    }


def _ingest(measured: Mapping[Scenario, Rates], names: Sequence[str]) -> str:
    rows = ((each.size, each.clients, *_compared(rates, names)) for each, rates in measured.items())
    return table(("events a request", "clients", *_compared_with(names)), rows)


def _waits(measured: Mapping[Scenario, Rates]) -> str:
    """Of single clients: with more of them than cores, a request waits for the others."""
    columns = [(name, percent) for name in ALL for percent in (50, 99)]
    head = ("events a request", *(f"{name}, p{percent}" for name, percent in columns))
    single = ((each.size, rates) for each, rates in measured.items() if each.clients == 1)
    return table(head, ((size, *(rates.wait_ms(*column) for column in columns)) for size, rates in single))


def _replays(measured: Sequence[tuple[Scenario, Rates]], names: Sequence[str]) -> str:
    by = {1: "requests of one event"}
    rows = (
        (by.get(each.size, f"requests of {each.size} events"), each.events, *_compared(rates, names))
        for each, rates in measured
    )
    return table(("taken in by", "events", *_compared_with(names)), rows)


def _compared_with(names: Sequence[str]) -> tuple[str, ...]:
    return (*names, *(f"times {peer}" for peer in names[1:]))


def _compared(rates: Rates, names: Sequence[str]) -> tuple[object, ...]:
    """What each contender did, and how many times that of each peer Retrace, the first of them."""
    ratios = (rates.ratio(names[0], peer) for peer in names[1:])
    return (*(rates.median(name) for name in names), *ratios)


if __name__ == "__main__":
    with deployed() as (embedded, all_of_them):
        found = measure(embedded, all_of_them, QUICK if "--quick" in sys.argv[1:] else FULL)
    publish(PERFORMANCE, "bench.compare", workings(found))
