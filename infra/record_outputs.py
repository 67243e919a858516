"""For `chalice deploy`: write a stage's names and policies into .chalice/, as its deployed resources have them.

    python -m infra.deploy --resources dev
    python -m infra.record_outputs dev
    chalice deploy --stage dev

It may be run again at any time. `make deploy` needs none of this: there the template refers to its own resources.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.account import aws_errors_in_words, session
from infra.command import Problem, exit_status, parser, say
from infra.deploy import INTERRUPTED, stack_name
from infra.destinations import sending_in
from infra.merge import RESOURCES, ROOT, load
from infra.roles import DEPLOYED_BY_CHALICE, Policy, of_stage
from infra.rollout import deployed_values, kind_of_change
from infra.stack import Stack

CONFIG = ROOT / ".chalice" / "config.json"


def environment_name(output: str) -> str:
    """Return the environment variable for an output: RAW_BUCKET for RawBucket."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output).upper()


def policy_file(stage: str, function: str) -> str:
    """Return the name of the file with a function's policy."""
    return f"policy-{stage}-{function}.json"


def with_stage(config: Mapping[str, Any], stage: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the Chalice configuration with a stage of these outputs; what else was chosen for the stage stays."""
    chosen = config["stages"].get(stage, {})
    variables = {environment_name(name): value for name, value in outputs.items()}
    functions = chosen.get("lambda_functions", {})
    policies = {name: {"iam_policy_file": policy_file(stage, name)} for name in DEPLOYED_BY_CHALICE}
    section = {
        **chosen,
        "environment_variables": {**chosen.get("environment_variables", {}), "STAGE": stage, **variables},
        "lambda_functions": functions | {name: functions.get(name, {}) | policies[name] for name in policies},
    }
    return {**config, "stages": {**config["stages"], stage: section}}


def record(stage: str, stack: Stack, config_file: Path = CONFIG) -> None:
    """Write a stage's section of the configuration, and the policies beside it."""
    described = stack.settled()
    if described is None or kind_of_change(stack, described) == "CREATE":
        raise Problem(
            f"There is no stack {stack.name}.", f"Deploy it first: python -m infra.deploy --resources {stage}"
        )
    declared = load(RESOURCES)["Outputs"]
    outputs = {name: value for name, value in stack.outputs().items() if name in declared}
    config = with_stage(json.loads(config_file.read_text()), stage, outputs)
    sending, parameters = sending_in(outputs["Destinations"]), deployed_values(described)
    policies = of_stage(stage, described["StackId"], stack.resources(), parameters, sending)
    _write(config_file, config)
    for function, policy in policies.items():
        _write(config_file.with_name(policy_file(stage, function)), policy)


def _write(path: Path, document: Policy) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


def main(arguments: Sequence[str]) -> int:
    """Record one stage and return the exit status."""
    line = parser(
        "infra.record_outputs", "Write a stage's names and policies into .chalice/, from its deployed resources."
    )
    line.add_argument("stage", help="the stage, as in: python -m infra.record_outputs dev")
    stage = line.parse_args(arguments).stage

    @aws_errors_in_words()
    def recording() -> None:
        record(stage, Stack(session().client("cloudformation"), stack_name(stage)))
        say(f"Recorded in {CONFIG.parent}. Next: chalice deploy --stage {stage}")

    return exit_status(recording, *INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
