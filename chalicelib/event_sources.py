"""What `chalice deploy` reads of the environment: names of queues, how many processors run, whether it may run at all.

It stands apart from the settings, as every function reads it while it is imported, and none needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
