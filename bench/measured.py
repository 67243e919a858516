"""Measure the sides at the same work in turns: taking events in, sending replays, and processing them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from bench.clients import Load, percentile, sent, timed
from bench.orders import bodies, orders
from bench.peers.eventbridge import ENTRIES_A_CALL, Archived
from bench.processes import NOTHING, Used, used
from bench.rounds import ROUNDS, Rates, alternating, require_equal
from bench.sides import Side, messages_on, until
from embedded.admin import Admin

EVENTBRIDGE = "EventBridge"


@dataclass(frozen=True, slots=True)
class Scenario:
    """So many requests of so many events each, from so many clients at once, in each round."""

    size: int
    clients: int
    requests: int
    far: bool = False
    """Whether AWS is far away meanwhile."""

    @property
    def event_type(self) -> str:
        """The type of its events, by which they are found again."""
        return f"order.of-{self.size}-by-{self.clients}{'-far' * self.far}"

    @property
    def events(self) -> int:
        """How many events a round has."""
        return self.size * self.requests


@dataclass
class Ingested:
    """What a scenario took."""

    scenario: Scenario
    rates: Rates
    loads: dict[str, list[Load]] = field(default_factory=lambda: defaultdict(list))
    used: dict[str, Used] = field(default_factory=dict)

    def cpu_ms(self, side: str) -> Used | None:
        """Milliseconds of a processor for each event, over all rounds."""
        if side not in self.used or side not in self.rates.of:
            return None
        events, used = sum(load.events for load in self.loads[side]) / 1_000, self.used[side]
        return Used(used.function_s / events, used.emulator_s / events)

    def wait_ms(self, side: str, percent: int) -> float | None:
        """How long a request waited."""
        return percentile(self.loads[side], percent) if side in self.rates.of else None

    @property
    def told(self) -> str:
        """One line of what was measured, to be read meanwhile."""
        return f"{self.scenario.event_type}: {_rounded(self.rates)} events a second"


def ingested(scenario: Scenario, sides: Sequence[Side], archived: Archived | None) -> Ingested:
    """Let all sides take the events of a scenario in."""
    loads: dict[str, list[Load]] = defaultdict(list)
    cpu: dict[str, Used] = {}

    def take_in_metered(side: Side, number: int) -> float:
        before = used(side.takes_in)
        rate = take_in(side.name, partial(_through_api, side, scenario), number)
        cpu[side.name] = cpu.get(side.name, NOTHING) + used(side.takes_in).since(before)
        return rate

    def take_in(name: str, send: Callable[[int], Load], number: int) -> float:
        loads[name].append(send(number * scenario.events))
        return loads[name][-1].a_second

    measures = {side.name: partial(take_in_metered, side) for side in sides}
    if archived is not None:
        measures[EVENTBRIDGE] = partial(take_in, EVENTBRIDGE, partial(_published, archived, scenario))
    return Ingested(scenario, alternating(measures), loads, cpu)


def _through_api(side: Side, scenario: Scenario, first: int) -> Load:
    requests = list(bodies(scenario.event_type, first, scenario.size, scenario.requests))
    return sent(side.api, requests, scenario.size, scenario.clients)


def _published(archived: Archived, scenario: Scenario, first: int) -> Load:
    """The same events, published in tens, as EventBridge takes no more at once."""
    events = orders(scenario.event_type, first, scenario.events)
    size = min(scenario.size, ENTRIES_A_CALL)
    calls = [events[start : start + size] for start in range(0, len(events), size)]
    return timed(archived.put, calls, size, scenario.clients)


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events a second were sent and processed."""

    scenario: Scenario
    sending: Rates
    processing: Rates

    @property
    def told(self) -> str:
        """One line of what was measured, to be read meanwhile."""
        sent, processed = _rounded(self.sending), _rounded(self.processing)
        return f"{self.scenario.event_type}: sent {sent}, processed {processed} events a second"


def replayed(scenario: Scenario, sides: Sequence[Side]) -> Replayed:
    """Let all sides replay what they took in, first all of it sent, then all of it processed."""
    events = scenario.events * ROUNDS
    processing = Rates()

    def replay(side: Side, _: int) -> float:
        side.listen(enabled=False)
        replay_id, seconds = sent_to_the_last(side, scenario.event_type, events)
        processing.of[side.name].append(events / _processed(side, replay_id, events))
        return events / seconds

    sending = alternating({side.name: partial(replay, side) for side in sides})
    return Replayed(scenario, sending, processing)


def sent_to_the_last(side: Side, event_type: str, events: int) -> tuple[str, float]:
    """A new replay to a queue that nobody reads, and how long it took until all messages were there."""
    begun = time.perf_counter()
    replay_id = side.replay(event_type)
    until(lambda: side.waiting >= events, f"{side.name} had sent its messages")
    seconds = time.perf_counter() - begun
    require_equal({"sent": side.waiting, "taken in": events}, side.name)
    return replay_id, seconds


def _processed(side: Side, replay_id: str, events: int) -> float:
    """How long all messages take, and that each was counted once.

    The clock starts with the first of them: the emulator looks at a queue that it is to listen to up to a second later.
    """
    before = side.counted(replay_id)
    side.listen(enabled=True)
    until(lambda: side.taken > 0 or side.waiting == 0, f"{side.name} had begun")
    seconds = until(lambda: side.waiting == 0, f"{side.name} had processed its messages")
    until(lambda: side.counted(replay_id) - before >= events, f"{side.name} had counted its messages")
    require_equal({"counted": side.counted(replay_id) - before, "taken in": events}, side.name)
    return seconds


def replayed_by_eventbridge(archived: Archived, admin: Admin, since: datetime) -> float:
    """How many events a second a replay of the whole archive sends to a queue."""
    events, begun = archived.stored, time.perf_counter()
    archived.replay("everything", since)
    until(lambda: messages_on(admin.sqs, archived.queue_url) >= events, "EventBridge had sent its messages")
    return events / (time.perf_counter() - begun)


def _rounded(rates: Rates) -> dict[str, list[int] | str]:
    return {**{name: [round(each) for each in rounds] for name, rounds in rates.of.items()}, **rates.failed}
