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
    ingested_far: Sequence[Ingested]
    replayed_far: Sequence[Replayed]
    in_hundreds: Sequence[Replayed]
    replayed_by_eventbridge: float
    asked: Sequence[Asked]
    memory_mb: Mapping[tuple[str, str], float]


def blocks(measured: Measured) -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {
        "ingest": _ingest(measured.ingested, SIDES),
        "ingest-far": _ingest(measured.ingested_far, SIDES[:2]),
        "waits": _waits(measured.ingested),
        "processor": _processor(measured.ingested),
        "put-events": _put_events(measured.ingested),
        "sending": _sending(measured.replayed, SIDES),
        "sending-far": _sending(measured.replayed_far, SIDES[:2]),
        "sent-by-eventbridge": table(("EventBridge, events a second sent",), [[measured.replayed_by_eventbridge]]),
        "processing": _processing(measured.replayed, SIDES),
        "processing-far": _processing(measured.replayed_far, SIDES[:2]),
        "in-hundreds": _processing(measured.in_hundreds, SIDES[:2]),
        "queries": _queries(measured.asked),
        "peaks": table(("side", "function that", "MB"), [(*who, mb) for who, mb in measured.memory_mb.items() if mb]),
    }


def _ingest(measured: Sequence[Ingested], sides: Sequence[str]) -> str:
    head = ("events a request", "clients", *_compared_with(sides))
    rows = ((each.scenario.size, each.scenario.clients, *_compared(each.rates, sides)) for each in measured)
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


def _sending(measured: Sequence[Replayed], sides: Sequence[str]) -> str:
    return _replays([(each.scenario, each.sending) for each in measured], sides)


def _processing(measured: Sequence[Replayed], sides: Sequence[str]) -> str:
    return _replays([(each.scenario, each.processing) for each in measured], sides)


def _replays(measured: Sequence[tuple[Scenario, Rates]], sides: Sequence[str]) -> str:
    head = ("taken in by", "events", *_compared_with(sides))
    rows = (
        (_taken_in(scenario.size), scenario.events * ROUNDS, *_compared(rates, sides)) for scenario, rates in measured
    )
    return table(head, rows)


def _taken_in(size: int) -> str:
    return "requests of one event" if size == 1 else f"requests of {size} events"


def _queries(measured: Sequence[Asked]) -> str:
    head = ("events of the entity", *SIDES)
    return table(head, ((each.partition, *(each.p50[side] for side in SIDES)) for each in measured))


def _compared_with(sides: Sequence[str]) -> tuple[str, ...]:
    return (*sides, *(f"times {peer}" for peer in sides[1:]))


def _compared(rates: Rates, sides: Sequence[str]) -> tuple[object, ...]:
    """What each side did, and how many times that of each peer Retrace, the first of them."""
    medians = ("failed" if side in rates.failed else _shown(rates.median(side)) for side in sides)
    return (*medians, *(_shown(rates.ratio(sides[0], peer)) for peer in sides[1:]))


def _shown(value: float | None) -> object:
    return "" if value is None else value
