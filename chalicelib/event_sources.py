"""What `chalice deploy` reads of the environment: the names of queues, and how many processors run at once.

It stands apart from the settings, as every function reads it while it is imported, and none needs it.
"""

from __future__ import annotations

from collections.abc import Mapping

PROCESSORS = 10
FEWEST_PROCESSORS, MOST_PROCESSORS = 2, 1_000
"""https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html"""


def queue_name(environment: Mapping[str, str], purpose: str) -> str:
    """The name of a stage's queue, by which `chalice deploy` connects a function to it."""
    return f"retrace-{environment.get('STAGE', 'dev')}-{purpose}"


def processor_concurrency(environment: Mapping[str, str]) -> int:
    """How many processors may run at once, which `chalice deploy` writes into the event source mapping."""
    processors = int(environment.get("PROCESSOR_CONCURRENCY", PROCESSORS))
    if not FEWEST_PROCESSORS <= processors <= MOST_PROCESSORS:
        raise ValueError(f"PROCESSOR_CONCURRENCY must be from {FEWEST_PROCESSORS} to {MOST_PROCESSORS:,}.")
    return processors
