"""What the model of a replay assumes: how long calls take and functions compute. It was not measured on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

MB_A_VCPU = 1_769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is not counted and no quota: nothing here was measured on AWS."""

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

    def latency_s(self, calls: Mapping[str, int], at_once: Mapping[str, int]) -> float:
        """How long calls take, of which so many of a kind are made at once, and all others one after the other."""
        of_a_call = {
            "Query": self.query_ms,
            "BatchGetItem": self.read_ms,
            "PutItem": self.write_ms,
            "UpdateItem": self.write_ms,
            "BatchWriteItem": self.write_ms,
            "TransactWriteItems": self.transaction_ms,
            "GetObject": self.get_ms,
            "PutObject": self.put_ms,
            "SendMessage": self.send_ms,
            "SendMessageBatch": self.send_ms,
        }
        return sum(ceil(n / at_once.get(name, 1)) * of_a_call[name] for name, n in calls.items()) / 1_000

    def cpu_s(self, messages: int, calls: int, ms_a_message: float, memory_mb: int) -> float:
        """How long a function computes with the share of a processor that its memory comes with."""
        ms = messages * ms_a_message + self.cpu_ms_a_call * calls
        return ms / 1_000 / min(1.0, memory_mb / MB_A_VCPU)
