"""The tables of what was measured beside the peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.markdown import table
from bench.measured import EVENTBRIDGE, Ingested, Replayed, Scenario
from bench.questions import Asked
from bench.rounds import ROUNDS, Rates

RETRACE, PLAIN, POWERTOOLS = SIDES = ("Retrace", "plain", "Powertools")


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured."""

    ingested: Sequence[Ingested]
    replayed: Sequence[Replayed]
    in_hundreds: Sequence[tuple[Scenario, Rates]]
    replayed_by_eventbridge: float
    asked: Sequence[Asked]
    memory_mb: Mapping[tuple[str, str], float]


def blocks(measured: Measured) -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {
        "ingest": _ingest(measured.ingested),
        "waits": _waits(measured.ingested),
        "processor": _processor(measured.ingested),
        "put-events": _put_events(measured.ingested),
        "sending": _replays([(each.scenario, each.sending) for each in measured.replayed]),
        "sent-by-eventbridge": table(("EventBridge, events a second sent",), [[measured.replayed_by_eventbridge]]),
        "processing": _replays([(each.scenario, each.processing) for each in measured.replayed]),
        "in-hundreds": _replays(measured.in_hundreds),
        "queries": _queries(measured.asked),
        "peaks": table(("side", "function that", "MB"), [(*who, mb) for who, mb in measured.memory_mb.items() if mb]),
    }


def _ingest(measured: Sequence[Ingested]) -> str:
    head = ("events a request", "clients", *SIDES, "times plain", "times Powertools")
    rows = ((each.scenario.size, each.scenario.clients, *_compared(each.rates)) for each in measured)
    return table(head, rows)


def _waits(measured: Sequence[Ingested]) -> str:
    head = ("events a request", "clients", *(f"{side}, p{percent}" for side in SIDES for percent in (50, 99)))
    rows = (
        (
            each.scenario.size,
            each.scenario.clients,
            *(_shown(each.wait_ms(side, percent)) for side in SIDES for percent in (50, 99)),
        )
        for each in measured
    )
    return table(head, rows)


def _processor(measured: Sequence[Ingested]) -> str:
    head = ("events a request", "clients", *(f"{side}, {what}" for what in ("function", "emulator") for side in SIDES))
    rows = []
    for each in measured:
        used = [each.cpu_ms(side) for side in SIDES]
        functions = ("" if ms is None else ms.function_s for ms in used)
        emulator = ("" if ms is None else ms.emulator_s for ms in used)
        rows.append((each.scenario.size, each.scenario.clients, *functions, *emulator))
    return table(head, rows)


def _put_events(measured: Sequence[Ingested]) -> str:
    head = ("clients", RETRACE, EVENTBRIDGE, "ratio")
    rows = (
        (
            each.scenario.clients,
            _shown(each.rates.median(RETRACE)),
            _shown(each.rates.median(EVENTBRIDGE)),
            _shown(each.rates.ratio(RETRACE, EVENTBRIDGE)),
        )
        for each in measured
        if EVENTBRIDGE in each.rates.of
    )
    return table(head, rows)


def _replays(measured: Sequence[tuple[Scenario, Rates]]) -> str:
    head = ("taken in by", "events", *SIDES, "times plain", "times Powertools")
    rows = ((_taken_in(scenario.size), scenario.events * ROUNDS, *_compared(rates)) for scenario, rates in measured)
    return table(head, rows)


def _taken_in(size: int) -> str:
    return "requests of one event" if size == 1 else f"requests of {size} events"


def _queries(measured: Sequence[Asked]) -> str:
    head = ("events of the entity", *SIDES)
    return table(head, ((each.partition, *(each.p50[side] for side in SIDES)) for each in measured))


def _compared(rates: Rates) -> tuple[object, ...]:
    medians = ("failed" if side in rates.failed else _shown(rates.median(side)) for side in SIDES)
    return (*medians, *(_shown(rates.ratio(RETRACE, peer)) for peer in (PLAIN, POWERTOOLS)))


def _shown(value: float | None) -> object:
    return "" if value is None else value
