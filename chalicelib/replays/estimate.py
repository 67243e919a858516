"""What a replay will take at most: its time and its cost, from counted calls and list prices.

It is the dearest case that docs/scale.md counts: batches of ten, each message of another raw object and of another
entity-day that has many. A test holds these figures against the model there. What has to be done twice comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

MESSAGES_A_SECOND_A_PROCESSOR = 80
MESSAGES_A_SECOND_A_PLANNER = 1_000
"""Counted calls, and what docs/scale.md assumes of how long each of them takes."""

# Prices on demand in us-east-1; docs/scale.md says from which pages, and of when.
_WRITE_UNIT = 0.625e-6
_READ_UNIT = 0.125e-6
_SQS_REQUEST = 0.40e-6
_S3_GET = 0.40e-6
_LAMBDA_REQUEST = 0.20e-6
_LAMBDA_GB_SECOND = 16.6667e-6

DOLLARS_A_MESSAGE = (
    8.3 * _WRITE_UNIT
    + 2.2 * _READ_UNIT
    + 0.3 * _SQS_REQUEST
    + _S3_GET
    + 0.101 * _LAMBDA_REQUEST
    + 0.013 * _LAMBDA_GB_SECOND
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Whole seconds from the first message to the last, and dollars, both rounded up."""

    seconds: int
    cost_usd: float


def estimate(messages: int, rate: float | None, processors: int) -> Estimate:
    """What so many messages take: as fast as the slowest of the rate, the planner and the processors."""
    fastest = min(MESSAGES_A_SECOND_A_PLANNER, processors * MESSAGES_A_SECOND_A_PROCESSOR)
    a_second = fastest if rate is None else min(fastest, rate)
    return Estimate(seconds=ceil(messages / a_second), cost_usd=ceil(messages * DOLLARS_A_MESSAGE * 10_000) / 10_000)
