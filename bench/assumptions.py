"""What the models assume: how long calls take and functions compute. It was not measured on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from bench.meter import Cost

MB_A_VCPU = 1_769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is not counted and no quota."""

    query_ms: float = 20
    read_ms: float = 10
    write_ms: float = 10
    transaction_ms: float = 40
    get_ms: float = 30
    put_ms: float = 40
    send_ms: float = 20
    cpu_ms_taken_in: float = 0.3
    cpu_ms_planned: float = 0.1
    cpu_ms_processed: float = 0.3
    cpu_ms_a_call: float = 1.2

    def function_s(self, cost: Cost, at_once: Mapping[str, int], ms_an_event: float, memory_mb: int) -> float:
        """How long a function takes for an event: for its calls, and to compute with the core that its memory brings.

        Of a kind of call it makes so many at once, and all others one after the other.
        """
        calls_ms = sum(ceil(n / at_once.get(name, 1)) * self._of_a_call(name) for name, n in cost.calls.items())
        cpu_ms = cost.events * ms_an_event + self.cpu_ms_a_call * sum(cost.calls.values())
        return cost.each(calls_ms + cpu_ms / min(1.0, memory_mb / MB_A_VCPU)) / 1_000

    def _of_a_call(self, operation: str) -> float:
        return {
            "Query": self.query_ms,
            "BatchGetItem": self.read_ms,
            **dict.fromkeys(("PutItem", "UpdateItem", "BatchWriteItem"), self.write_ms),
            "TransactWriteItems": self.transaction_ms,
            "GetObject": self.get_ms,
            "PutObject": self.put_ms,
            **dict.fromkeys(("SendMessage", "SendMessageBatch", "PutEvents"), self.send_ms),
        }[operation]


ASSUMED = Assumptions()
