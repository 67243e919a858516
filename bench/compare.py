"""Measure Retrace beside what people would otherwise use, on one embedded AWS; print the tables and write the page.

python -m bench.compare            takes less than ten minutes and writes docs/performance.md
python -m bench.compare --quick    one round of few events, and writes nothing
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.clients import sent
from bench.compare_tables import Measured, blocks
from bench.markdown import filled
from bench.measured import Ingested, Replayed, Scenario, ingested, replayed, replayed_by_eventbridge
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

SINGLE = (Scenario(1, 1, 40), Scenario(1, 8, 120), Scenario(1, 32, 256))
TENS = (Scenario(10, 1, 12), Scenario(10, 8, 32), Scenario(10, 32, 64))
HUNDREDS = (Scenario(100, 1, 4), Scenario(100, 8, 8), Scenario(100, 32, 32))
THOUSANDS = (Scenario(1_000, 1, 1),)
CLIENTS = 32
QUICK_CLIENTS = 2

R = TypeVar("R", Ingested, Replayed)


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
        admin = Admin(stack.aws_endpoint_url)
        plain = peer("plain", stack, admin, deployment.plain(admin))
        powertools = peer("Powertools", stack, admin, deployment.powertools(admin))
        yield Field(admin, retrace(stack, admin), plain, powertools, archived(stack.aws_endpoint_url))


def measure(field: Field, *, quick: bool) -> Measured:
    """Measure everything."""
    warm(field, QUICK_CLIENTS if quick else CLIENTS)
    scenarios = [Scenario(each.size, QUICK_CLIENTS, 2) for each in (SINGLE[0], TENS[0])] if quick else None
    all_ingested = list(_ingested(field, scenarios))
    _require_all_stored(field, all_ingested, QUICK_CLIENTS if quick else CLIENTS)
    replayable = (SINGLE[2], HUNDREDS[0]) if scenarios is None else (scenarios[0],)
    all_replayed = [_told(replayed(scenario, _able(field, scenario))) for scenario in replayable]
    return Measured(
        ingested=all_ingested,
        replayed=all_replayed,
        replayed_by_eventbridge=replayed_by_eventbridge(field.eventbridge, field.admin, datetime.fromtimestamp(0, UTC)),
        asked=[asked(field.sides, partition) for partition in (PARTITIONS if scenarios is None else PARTITIONS[:1])],
        memory_mb={
            (side.name, function): most_mb(f"{side.functions}{function}")
            for side in field.sides
            for function in ("IngestHandler", "Planner", "ApiFunction", "Processor")
        },
    )


def warm(field: Field, clients: int) -> None:
    """Let each side start as many processes as it will need: a cold start is another measurement."""
    for side in field.sides:
        sent(side.api, list(bodies("order.warm", 0, 1, clients)), 1, clients)
        replay_id = side.replay("order.warm")
        until(partial(_has_counted, side, replay_id, clients), f"{side.name} was warm")


def _has_counted(side: Side, replay_id: str, events: int) -> bool:
    return side.counted(replay_id) == events


def _ingested(field: Field, scenarios: Sequence[Scenario] | None) -> Iterator[Ingested]:
    """What came of each scenario."""
    for scenario in scenarios or (*SINGLE, *TENS, *HUNDREDS, *THOUSANDS):
        yield _told(
            ingested(scenario, _able(field, scenario), field.eventbridge if scenario.size == TENS[0].size else None)
        )


def _able(field: Field, scenario: Scenario) -> Sequence[Side]:
    """Whoever takes part: the dearest scenarios are without the slowest side."""
    dear = scenario.size * scenario.clients >= HUNDREDS[1].size * HUNDREDS[1].clients
    return field.sides[:2] if dear else field.sides


def _require_all_stored(field: Field, done: Sequence[Ingested], warm: int) -> None:
    """Each side has stored what it was sent, once."""
    for side in field.sides:
        taken = sum(each.scenario.events * ROUNDS for each in done if side.name in each.rates.of) + warm
        identities = side.identities - (warm if side.name == field.powertools.name else 0)  # those of its messages
        counts = {"sent": taken, "rows": side.rows, "identities": identities, "raw": side.stored}
        require_equal(counts, side.name)
    in_tens = sum(each.scenario.events * ROUNDS for each in done if each.scenario.size == TENS[0].size)
    require_equal({"sent": in_tens, "archived": field.eventbridge.stored}, "EventBridge")


def _told(result: R) -> R:
    print(result.told, flush=True)
    return result


def main() -> None:
    """Measure, print the tables, and write them into the page."""
    quick = "--quick" in sys.argv[1:]
    with field() as ready:
        generated = blocks(measure(ready, quick=quick))
    for name, text in generated.items():
        print(f"\n{name}\n\n{text}")
    if not quick:
        PAGE.write_text(filled(PAGE.read_text(), generated, "bench.compare"))


if __name__ == "__main__":
    main()
