"""Reads the environment for `chalice deploy`: names of queues, concurrency, and whether the stage is recorded.

It stands apart from the settings, as every function reads it while it is imported, and none needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

PLANNERS = 10
PROCESSORS = 10
DEAD_LETTER_CONCURRENCY = 5
FEWEST_AT_ONCE, MOST_AT_ONCE = 2, 1_000
"""https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html"""


def queue_name(environment: Mapping[str, str], purpose: str) -> str:
    """The name of a stage's queue, by which `chalice deploy` connects a function to it."""
    return f"retrace-{environment.get('STAGE', 'dev')}-{purpose}"


class EventSource(TypedDict):
    """What `chalice deploy` writes into the event source mapping of a queue."""

    queue: str
    batch_size: int
    maximum_concurrency: int


def planner(environment: Mapping[str, str]) -> EventSource:
    """ReplayJobsQueue, a slice of a replay for each function."""
    at_once = _concurrency(environment, "PLANNER_CONCURRENCY", PLANNERS)
    return {"queue": queue_name(environment, "replay-jobs"), "batch_size": 1, "maximum_concurrency": at_once}


def processor(environment: Mapping[str, str]) -> EventSource:
    """ReplayQueue."""
    at_once = _concurrency(environment, "PROCESSOR_CONCURRENCY", PROCESSORS)
    return {"queue": queue_name(environment, "replay"), "batch_size": 10, "maximum_concurrency": at_once}


def dead_letters(environment: Mapping[str, str]) -> EventSource:
    """ReplayFailuresQueue."""
    at_once = DEAD_LETTER_CONCURRENCY
    return {"queue": queue_name(environment, "replay-failures"), "batch_size": 10, "maximum_concurrency": at_once}


def _concurrency(environment: Mapping[str, str], name: str, default: int) -> int:
    chosen = int(environment.get(name, default))
    if not FEWEST_AT_ONCE <= chosen <= MOST_AT_ONCE:
        raise ValueError(f"{name} must be from {FEWEST_AT_ONCE} to {MOST_AT_ONCE:,}.")
    return chosen


def refuse_unrecorded(environment: Mapping[str, str], command: Sequence[str]) -> None:
    """End `chalice deploy` before it makes anything, if its stage has no names in .chalice/config.json.

    Chalice has no hook for it, but imports the application first, in the environment of the stage.
    """
    if environment.get("AWS_CHALICE_CLI_MODE") and "deploy" in command and not environment.get("RAW_BUCKET"):
        raise SystemExit(
            "Nothing was deployed: .chalice/config.json has no tables, queues and rights for this stage.\n"
            "→ Run `make chalice STAGE=dev`, which makes and records them and then deploys;"
            " or `make deploy STAGE=dev`, which needs no recording."
        )
