"""The tables of what was measured beside the peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.markdown import table
from bench.query_latency import Asked
from bench.rounds import Rates
from bench.throughput import Ingested, Replayed, Scenario

ALL = ("Retrace", "plain", "Powertools")
FAST = ALL[:2]


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured."""

    ingested: Sequence[Ingested]
    ingested_far: Sequence[Ingested]
    replayed: Sequence[Replayed]
    replayed_far: Sequence[Replayed]
    in_hundreds: Sequence[Replayed]
    asked: Sequence[Asked]


def blocks(measured: Measured) -> Mapping[str, str]:
    """The generated parts of the page, by name."""
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
            ("events of the entity", *ALL), ((each.partition, *map(each.p50.get, ALL)) for each in measured.asked)
        ),
    }


def _ingest(measured: Sequence[Ingested], names: Sequence[str]) -> str:
    rows = ((each.scenario.size, each.scenario.clients, *_compared(each.rates, names)) for each in measured)
    return table(("events a request", "clients", *_compared_with(names)), rows)


def _waits(measured: Sequence[Ingested]) -> str:
    """Of single clients: with more of them than cores, a request waits for the others."""
    columns = [(name, percent) for name in ALL for percent in (50, 99)]
    head = ("events a request", *(f"{name}, p{percent}" for name, percent in columns))
    single = (each for each in measured if each.scenario.clients == 1)
    return table(head, ((each.scenario.size, *(_shown(each.wait_ms(*column)) for column in columns)) for each in single))


def _replays(measured: Sequence[tuple[Scenario, Rates]], names: Sequence[str]) -> str:
    rows = ((_taken_in(scenario.size), scenario.events, *_compared(rates, names)) for scenario, rates in measured)
    return table(("taken in by", "events", *_compared_with(names)), rows)


def _taken_in(size: int) -> str:
    return "requests of one event" if size == 1 else f"requests of {size} events"


def _compared_with(names: Sequence[str]) -> tuple[str, ...]:
    return (*names, *(f"times {peer}" for peer in names[1:]))


def _compared(rates: Rates, names: Sequence[str]) -> tuple[object, ...]:
    """What each contender did, and how many times that of each peer Retrace, the first of them."""
    medians = ("failed" if name in rates.failed else _shown(rates.median(name)) for name in names)
    return (*medians, *(_shown(rates.ratio(names[0], peer)) for peer in names[1:]))


def _shown(value: float | None) -> object:
    return "" if value is None else value
