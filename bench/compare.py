"""Measure Retrace beside what people would otherwise use, on one embedded AWS.

python -m bench.compare                prints the tables
python -m bench.compare --write        puts them into docs/performance.md, too
python -m bench.compare --clients 8    leaves out what more clients do: each of them needs a process
python -m bench.compare --quick        few events, to see whether it works
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bench.clients import sent
from bench.compare_tables import Measured, blocks
from bench.distance import far_away
from bench.handing_over import AT_ONCE, handed_over
from bench.markdown import filled
from bench.measured import EVENTBRIDGE, Ingested, Replayed, Scenario, ingested, replayed, replayed_by_eventbridge
from bench.orders import bodies
from bench.peers import deployment
from bench.peers.eventbridge import Archived, archived
from bench.processes import most_mb
from bench.questions import PARTITIONS, asked
from bench.rounds import ROUNDS, require_equal
from bench.sides import Side, peer, retrace, until
from embedded.admin import Admin
from embedded.stack import started

PAGE = Path(__file__).parents[1] / "docs/performance.md"

SINGLE = (Scenario(1, 1, 40), Scenario(1, 8, 120), Scenario(1, 32, 160))
TENS = (Scenario(10, 1, 12), Scenario(10, 8, 32), Scenario(10, 32, 32))
HUNDREDS = (Scenario(100, 1, 3), Scenario(100, 8, 8), Scenario(100, 32, 32))
THOUSANDS = (Scenario(1_000, 1, 2),)
FAR = tuple(Scenario(*of, far=True) for of in ((1, 1, 40), (1, 8, 80), (100, 1, 1), (100, 8, 8)))
CLIENTS = 32
STARTED_AT_ONCE = 8
WARM_REPLAYS = 7
"""Of so few messages each; together they make a batch for each of the five processes that read a queue at once."""

R = TypeVar("R", Ingested, Replayed)


@dataclass(frozen=True)
class Plan:
    """What is measured: scenarios of no more clients than so many."""

    clients: int
    scenarios: Sequence[Scenario] = (*SINGLE, *TENS, *HUNDREDS, *THOUSANDS)
    far: Sequence[Scenario] = FAR
    partitions: Sequence[int] = PARTITIONS

    @property
    def ingested(self) -> list[Scenario]:
        """What is taken in."""
        return [scenario for scenario in self.scenarios if scenario.clients <= self.clients]

    @property
    def ingested_far(self) -> list[Scenario]:
        """What is taken in while AWS is far away."""
        return [scenario for scenario in self.far if scenario.clients <= self.clients]

    @property
    def replayed(self) -> list[Scenario]:
        """What of it is replayed: some that came one by one, and some that came in batches."""
        return [self._singles(self.ingested)[-1], *self._hundreds(self.ingested)[:1]]

    @property
    def replayed_far(self) -> list[Scenario]:
        """What of it is replayed while AWS is far away: fewer, as it takes long."""
        return [self._singles(self.ingested_far)[0], *self._hundreds(self.ingested_far)[:1]]

    def _singles(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        return [scenario for scenario in scenarios if scenario.size == 1]

    def _hundreds(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        return [scenario for scenario in scenarios if scenario.size == HUNDREDS[0].size]


QUICK = Plan(2, (Scenario(1, 2, 2), Scenario(10, 2, 2)), FAR[::2], PARTITIONS[:1])


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that is measured, deployed on one emulator."""

    admin: Admin
    retrace: Side
    plain: Side
    powertools: Side
    eventbridge: Archived

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """Those with an API."""
        return self.retrace, self.plain, self.powertools


@contextmanager
def field() -> Iterator[Field]:
    """Yield all sides, deployed."""
    with started() as stack:
        admin = Admin.of(stack)
        plain = peer("plain", stack, admin, deployment.plain(admin))
        powertools = peer("Powertools", stack, admin, deployment.powertools(admin))
        yield Field(admin, retrace(stack, admin), plain, powertools, archived(stack.aws_endpoint_url, admin))


def measure(field: Field, plan: Plan) -> Measured:
    """Measure everything."""
    warm(field, plan.clients)
    near = [_told(_ingested(field, scenario)) for scenario in plan.ingested]
    _require_all_stored(field, field.sides, near, plan.clients)
    all_replayed = [_told(replayed(scenario, _able(field, scenario))) for scenario in plan.replayed]
    with far_away(field.retrace.stack):
        far = [_told(_ingested(field, scenario)) for scenario in plan.ingested_far]
        replayed_far = [_told(handed_over(scenario, field.sides[:2], 1)) for scenario in plan.replayed_far]
    _require_all_stored(field, field.sides[:2], [*near, *far], plan.clients)
    return Measured(
        ingested=near,
        ingested_far=far,
        replayed_far=replayed_far,
        in_hundreds=[_told(handed_over(scenario, field.sides[:2], AT_ONCE)) for scenario in plan.replayed],
        replayed=all_replayed,
        replayed_by_eventbridge=replayed_by_eventbridge(field.eventbridge, field.admin, datetime.fromtimestamp(0, UTC)),
        asked=[asked(field.sides, partition) for partition in plan.partitions],
        memory_mb={
            (side.name, function): most_mb(f"{side.functions}{function}")
            for side in field.sides
            for function in ("IngestHandler", "Planner", "ApiFunction", "Processor")
        },
    )


def warm(field: Field, clients: int) -> None:
    """Let each side start as many processes as it will need, a few at once: a cold start is another measurement."""
    for side in field.sides:
        for number in range(0, clients, STARTED_AT_ONCE):
            at_once = min(number + STARTED_AT_ONCE, clients)
            sent(side.api, list(bodies(f"order.warm-{number}", 0, 1, at_once)), 1, at_once)
        _warm_processors(side, min(STARTED_AT_ONCE, clients))


def _warm_processors(side: Side, events: int) -> None:
    side.listen(enabled=False)
    replay_ids = [side.replay("order.warm-0") for _ in range(WARM_REPLAYS)]
    until(lambda: side.waiting == WARM_REPLAYS * events, f"{side.name} had sent its messages")
    side.listen(enabled=True)
    until(lambda: side.waiting == 0, f"{side.name} was warm")
    counts = {replay_id: side.counted(replay_id) for replay_id in replay_ids}
    require_equal({"counted": sum(counts.values()), "sent": WARM_REPLAYS * events}, side.name)


def _warmed(clients: int) -> int:
    """How many events that takes."""
    return sum(min(number + STARTED_AT_ONCE, clients) for number in range(0, clients, STARTED_AT_ONCE))


def _ingested(field: Field, scenario: Scenario) -> Ingested:
    """EventBridge takes part where requests are as large as its own."""
    eventbridge = field.eventbridge if scenario.size == TENS[0].size else None
    return ingested(scenario, _able(field, scenario), eventbridge)


def _able(field: Field, scenario: Scenario) -> Sequence[Side]:
    """Whoever takes part. A loop over a thousand events may outlast a request; the dearest are without the slowest."""
    if scenario.size == THOUSANDS[0].size:
        return field.sides[:1]
    dear = scenario.far or scenario.size * scenario.clients >= HUNDREDS[1].size * HUNDREDS[1].clients
    return field.sides[:2] if dear else field.sides


def _require_all_stored(field: Field, sides: Sequence[Side], done: Sequence[Ingested], clients: int) -> None:
    """Each side has stored what it was sent, once. What a side has stored that failed half-way, nobody can say."""
    messages = WARM_REPLAYS * min(STARTED_AT_ONCE, clients)  # Powertools keeps their identities among the others
    failed = {name for each in done for name in each.rates.failed}
    for side in (side for side in sides if side.name not in failed):
        taken = sum(each.scenario.events * ROUNDS for each in done if side.name in each.rates.of) + _warmed(clients)
        identities = side.identities - (messages if side.name == field.powertools.name else 0)
        counts = {"sent": taken, "rows": side.rows, "identities": identities, "raw": side.stored}
        require_equal(counts, side.name)
    in_tens = sum(each.scenario.events * ROUNDS for each in done if EVENTBRIDGE in each.rates.of)
    require_equal({"sent": in_tens, "archived": field.eventbridge.stored}, "EventBridge")


def _told(result: R) -> R:
    print(result.told, flush=True)
    return result


def main() -> None:
    """Measure and print the tables; write them into the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else Plan(chosen.clients)
    with field() as ready:
        generated = blocks(measure(ready, plan))
    for name, text in generated.items():
        print(f"\n{name}\n\n{text}")
    if chosen.write:
        PAGE.write_text(filled(PAGE.read_text(), generated, "bench.compare"))


if __name__ == "__main__":
    main()
