"""For `chalice deploy`: write the outputs of the deployed resources into .chalice/config.json.

    aws cloudformation deploy --stack-name retrace-dev --template-file infra/resources.yaml
    python -m infra.record_outputs retrace-dev
    chalice deploy --stage dev

`chalice package` needs none of this: there the template refers to its own resources.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

CONFIG = Path(__file__).resolve().parents[1] / ".chalice" / "config.json"


def environment_name(output: str) -> str:
    """Return the environment variable for an output: RAW_BUCKET for RawBucket."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output).upper()


def with_outputs(config: Mapping[str, Any], stage: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the Chalice configuration with the outputs among the environment variables of a stage."""
    chosen = config["stages"][stage]
    variables = chosen["environment_variables"] | {environment_name(key): value for key, value in outputs.items()}
    return {**config, "stages": {**config["stages"], stage: {**chosen, "environment_variables": variables}}}


def main(stack_name: str, stage: str = "dev") -> None:
    """Read the outputs of a stack and record them for a stage."""
    stack = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    config = with_outputs(json.loads(CONFIG.read_text()), stage, outputs)
    CONFIG.write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
