"""Measure Retrace beside what people would otherwise use, on one embedded AWS, for docs/performance.md.

python -m bench.compare            prints the tables
python -m bench.compare --write    puts them into the page, too
python -m bench.compare --quick    few events, to see whether it works

Contenders take turns in three rounds, another one first in each. Figures are medians of rounds, ratios medians of the
rounds' own ratios. Afterwards rows, identities and raw events of each must be as many as were sent, and aggregates must
have counted each event once. Processes of functions are started before anything is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare_tables import Measured, blocks
from bench.contenders import Contender, deployed, far_away, until
from bench.markdown import DOCS, publish
from bench.orders import bodies
from bench.query_latency import asked
from bench.rounds import require_equal
from bench.throughput import Ingested, Scenario, from_the_queue, in_hundreds, ingested, replayed
from embedded.connection import Stack

FUNCTIONS_AT_ONCE = 5
"""As many as the emulator lets read a queue."""

STARTED_AT_ONCE = 8
WARM_REPLAYS = 7
"""Of so few messages each; together they make a batch for each of the five processes that read a queue at once."""

THOUSAND, DEAR = 1_000, 800
"""Events of a request, and of all requests at once, that not all contenders manage before a function's time is over."""


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
HUNDREDS = (Scenario(100, 1, 3), Scenario(100, 32, 32))
FAR = tuple(Scenario(*of, far=True) for of in ((1, 1, 40), (1, 8, 80), (100, 1, 1), (100, 8, 8)))
FULL = Plan(
    near=(*SINGLES, *TENS, *HUNDREDS, Scenario(1_000, 1, 2)),
    far=FAR,
    replayed=(SINGLES[-1], HUNDREDS[0]),
    replayed_far=FAR[::2],
    partitions=(100, 1_000, 10_000),
)
QUICK = Plan((Scenario(1, 1, 4), Scenario(10, 2, 2)), FAR[::2], (Scenario(1, 1, 4),), FAR[::2], (100,))


def measure(stack: Stack, contenders: Sequence[Contender], plan: Plan) -> Measured:
    """Measure everything. What costs most is done without the slowest."""
    fast = contenders[:2]
    for contender in contenders:
        _warm(contender, plan.clients)
    near = [ingested(scenario, _able(scenario, contenders)) for scenario in plan.near]
    _require_all_stored(contenders, near, plan.clients)
    from_queues = [replayed(scenario, contenders, from_the_queue) for scenario in plan.replayed]
    with far_away(stack):
        far = [ingested(scenario, fast) for scenario in plan.far]
        replayed_far = [replayed(scenario, fast, in_hundreds(1)) for scenario in plan.replayed_far]
    _require_all_stored(fast, [*near, *far], plan.clients)
    return Measured(
        ingested=near,
        ingested_far=far,
        replayed=from_queues,
        replayed_far=replayed_far,
        in_hundreds=[replayed(scenario, fast, in_hundreds(FUNCTIONS_AT_ONCE)) for scenario in plan.replayed],
        asked=[asked(contenders, partition) for partition in plan.partitions],
    )


def _able(scenario: Scenario, contenders: Sequence[Contender]) -> Sequence[Contender]:
    """Those that take part: a loop over a thousand events may outlast a request."""
    if scenario.size >= THOUSAND:
        return contenders[:1]
    return contenders[:2] if scenario.size * scenario.clients >= DEAR else contenders


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


def _require_all_stored(contenders: Sequence[Contender], done: Sequence[Ingested], clients: int) -> None:
    """Each has stored what it was sent, once. It is not known what one has stored that failed half-way."""
    warm = sum(at_once for _, at_once in _started(clients))
    messages = WARM_REPLAYS * min(STARTED_AT_ONCE, clients)  # Powertools keeps their identities among the others
    failed = {name for each in done for name in each.rates.failed}
    for contender in (each for each in contenders if each.name not in failed):
        sent = warm + sum(each.scenario.events for each in done if contender.name in each.rates.of)
        identities = sum(1 for _ in contender.rows(contender.dedupe_table))
        rows = sum(1 for _ in contender.rows(contender.events_table))
        known = identities - (messages if contender.name == "Powertools" else 0)
        require_equal({"sent": sent, "rows": rows, "identities": known, "raw": contender.stored}, contender.name)


if __name__ == "__main__":
    with deployed() as (embedded, all_of_them):
        found = measure(embedded, all_of_them, QUICK if "--quick" in sys.argv[1:] else FULL)
    publish(DOCS / "performance.md", "bench.compare", blocks(found))
