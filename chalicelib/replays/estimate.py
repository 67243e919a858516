"""Estimates how long a replay takes and what it costs at most, by its destination and at list prices of us-east-1.

To `aggregates` they are those of the dearest case that bench/scale.md counts: batches of ten, each message of another
raw object and of another entity-day that has many. To consumers they are what bench/destination_costs.py counts:
planned and sent, received and deleted in tens, reported in thousands. What consumers run on and read comes on top,
and messages that are sent twice do, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from chalicelib.replays.destinations import DeclaredDestination, DestinationKind


@dataclass(frozen=True, slots=True)
class Takes:
    """What a message takes of AWS: DynamoDB's units, requests, events of a bus, and GB-seconds of functions."""

    write_units: float = 0
    read_units: float = 0
    sqs_requests: float = 0
    fifo_requests: float = 0
    bus_events: float = 0
    gets: float = 0
    api_requests: float = 0
    invocations: float = 0
    gb_seconds: float = 0

    @property
    def usd(self) -> float:
        """Its price on demand; bench/cost.md and bench/scale.md say from which pages, and of when."""
        return (
            self.write_units * 0.625e-6
            + self.read_units * 0.125e-6
            + self.sqs_requests * 0.40e-6
            + self.fifo_requests * 0.50e-6
            + self.bus_events * 1.00e-6
            + self.gets * 0.40e-6
            + self.api_requests * 3.50e-6
            + self.invocations * 0.20e-6
            + self.gb_seconds * 16.6667e-6
        )


AGGREGATED: Final = Takes(
    write_units=6.3, read_units=2.2, sqs_requests=0.3, gets=1, invocations=0.101, gb_seconds=0.013
)
"""Sent to `aggregates` and processed."""

SENT: Final[Mapping[DestinationKind, Takes]] = {
    DestinationKind.QUEUE: Takes(1.096, 0.107, sqs_requests=0.3, invocations=0.0001, gb_seconds=0.00078),
    DestinationKind.FIFO: Takes(1.123, 0.106, fifo_requests=1.2, invocations=0.0005, gb_seconds=0.0129),
    DestinationKind.EVENTBRIDGE: Takes(1.096, 0.107, bus_events=1, invocations=0.0001, gb_seconds=0.00078),
}
"""Sent to a consumer: in order as if all were of one entity. A message is below the 64 KB of a bus's event."""

REPORTED: Final = Takes(3.03, 2.003, api_requests=0.001, invocations=0.001, gb_seconds=0.0016)
"""More for each message of a consumer that reports: a row of what was sent, and the outcome in a transaction."""

LOOKED_UP: Final = Takes(read_units=1.25, gets=0.007, gb_seconds=0.0001)
"""Each key that `only` or an events file looks up, consistently, a hundred in a call of 20 ms. The page of 1,600 that
two slices of 6,400 messages share is looked up twice. The GETs are those of a million ids, which each slice reads."""

READ_PAST: Final = Takes(read_units=0.107)
"""A row that is read and not sent: of the index, or of what another replay sent."""

MESSAGES_A_SECOND_A_PROCESSOR: Final = 80
MESSAGES_A_SECOND_A_PLANNER: Final[Mapping[DestinationKind, int]] = {
    DestinationKind.QUEUE: 640,
    DestinationKind.FIFO: 480,
    DestinationKind.EVENTBRIDGE: 640,
}
AGGREGATED_A_SECOND: Final = 1_000
"""What one planner sends to `aggregates`."""
IN_ORDER_A_SECOND: Final = 39
"""Messages of one entity in a FIFO queue."""
KEPT_A_SECOND: Final = 1_700
"""Rows of what was sent, which a planner writes before it sends. Counted calls, and what bench/scale.md assumes of how
long each of them takes."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Whole seconds from the first message to the last, and dollars, of which reports take a part; all rounded up."""

    seconds: int
    cost_usd: float
    reports_usd: float


@dataclass(frozen=True, slots=True)
class Reads:
    """What planners read beside the rows of messages: keys that they look up, and rows that they do not send."""

    looked_up: int = 0
    read_past: int = 0

    @property
    def usd(self) -> float:
        """Its price."""
        return self.looked_up * LOOKED_UP.usd + self.read_past * READ_PAST.usd


def estimate(
    messages: int, to: DeclaredDestination, rate: float | None, processors: int, *, of_one_entity: bool = False
) -> Estimate:
    """The duration is that of the slowest of the rate, the planner and, to `aggregates`, the processors."""
    fastest = _fastest(to, processors, of_one_entity=of_one_entity)
    a_second = fastest if rate is None else min(fastest, rate)
    reports = REPORTED.usd if to.takes_reports else 0
    return Estimate(ceil(messages / a_second), cost_usd(messages, to), _rounded_up(messages * reports))


def cost_usd(messages: int, to: DeclaredDestination, reads: Reads = Reads()) -> float:
    """Dollars of this many messages at most, rounded up to a hundredth of a cent."""
    if to.is_aggregates:
        return _rounded_up(messages * AGGREGATED.usd + reads.usd)
    return _rounded_up(messages * (SENT[to.kind].usd + (REPORTED.usd if to.takes_reports else 0)) + reads.usd)


def _rounded_up(usd: float) -> float:
    return ceil(usd * 10_000) / 10_000


def _fastest(to: DeclaredDestination, processors: int, *, of_one_entity: bool) -> float:
    """Messages a second."""
    if to.is_aggregates:
        return min(AGGREGATED_A_SECOND, processors * MESSAGES_A_SECOND_A_PROCESSOR)
    in_order = of_one_entity and to.kind is DestinationKind.FIFO
    a_second = IN_ORDER_A_SECOND if in_order else MESSAGES_A_SECOND_A_PLANNER[to.kind]
    return 1 / (1 / a_second + 1 / KEPT_A_SECOND) if to.takes_reports else a_second
