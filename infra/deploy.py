"""Deploy Retrace into an AWS account: one stack for each stage, with everything in it.

    python -m infra.deploy STAGE [Name=value ...]

The credentials, the region and the account are those that the AWS CLI would use.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.account import Account, Artifacts, aws_errors_in_words, session
from infra.changes import Change, Resource, lines
from infra.command import Problem, Tell, exit_status, parser, say
from infra.destination_file import Declarations, declared_in, file_of, require_reporters
from infra.destination_removal import require_unused
from infra.destinations import policies_to_attach, with_destinations
from infra.merge import RESOURCES, load, merged
from infra.package import Application
from infra.rollout import (
    kept,
    kind_of_change,
    parsed,
    require_declared,
    require_readers_first,
    require_stage,
    roll_out,
    value_of,
)
from infra.stack import Stack

INTERRUPTED: Final = ("Interrupted. CloudFormation continues what it has begun.", 130)
"""Message and exit status if a command on a stack is interrupted."""

THE_APPLICATION: Final = Application()

EPILOG: Final = """\
A parameter that is not given keeps the value it was deployed with; at first it has its default. They are described in
docs/operations.md. No stage is changed without a change set: a table or bucket is never replaced or removed.

examples:
  make deploy STAGE=prod PARAMETERS="RawRetentionDays=365 AlarmTopic=arn:aws:sns:eu-west-1:123456789012:on-call"
  make deploy STAGE=prod                         the same again, with the code as it is now
  python -m infra.deploy prod --dry-run          uploads, shows what would change, changes nothing of the stage
  python -m infra.deploy prod --resources        bucket, tables and queues only, for `chalice deploy`
"""


def stack_name(stage: str) -> str:
    """Return what the stack of a stage is called."""
    return f"retrace-{stage}"


def main(arguments: Sequence[str], say: Tell = say, application: Application = THE_APPLICATION) -> int:
    """Deploy one stage and return the exit status."""
    line = parser("infra.deploy", "Deploy Retrace into the AWS account that the AWS CLI would use.", EPILOG)
    line.add_argument("stage", help="a name for this deployment, such as dev or prod; the stack is retrace-STAGE")
    line.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters of the template")
    line.add_argument(
        "--destinations", type=Path, metavar="FILE", help="instead of destinations.STAGE.yaml or destinations.yaml"
    )
    line.add_argument("--resources", action="store_true", help="deploy bucket, tables and queues only")
    line.add_argument(
        "--dry-run", action="store_true", help="upload and show what would change, but change nothing of the stage"
    )
    chosen = line.parse_intermixed_args(arguments)
    return exit_status(lambda: _deploy(chosen, say, application), *INTERRUPTED)


@aws_errors_in_words()
def _deploy(chosen: argparse.Namespace, say: Tell, application: Application) -> None:
    stage, given, resources_only = chosen.stage, parsed(chosen.parameters), chosen.resources
    declared = load(RESOURCES)["Parameters"] if resources_only else json.loads(merged())["Parameters"]
    require_stage(declared, stage, given)
    require_declared(declared, given)
    account = Account.of(session())
    say(str(account))
    destinations = declared_in(chosen.destinations or file_of(stage), account.region, stage)
    require_reporters(destinations)
    stack = Stack(account.cloudformation, stack_name(stage))
    described = stack.settled(say)
    kind = kind_of_change(stack, described)
    before = described if kind == "UPDATE" else None
    if before is not None:
        require_unused(stack.outputs(), destinations, stage, account.sqs, account.dynamodb)
    require_readers_first(declared, given, before)
    artifacts = Artifacts(account.s3, account.number, account.region)
    for line in warnings(stage, value_of("RawRetentionDays", declared, given, before)):
        say(line)
    if resources_only:
        _require_no_functions(stack, new=kind == "CREATE")
        template = with_destinations(load(RESOURCES), destinations)
        artifacts.prepare()
    else:
        template = application.uploaded(artifacts, account.region, stage, given, say, destinations=destinations)
    url, parameters = artifacts.keep_template(template), {"Stage": stage, **given}
    agree = _review(stack.name, dry_run=chosen.dry_run, say=say)
    changed = roll_out(stack, kind, url, parameters, kept=kept(declared, parameters, before), agree=agree, tell=say)
    if chosen.dry_run:
        say(f"Nothing was changed in {stack.name}; what was uploaded stays in {artifacts.bucket}.")
        return
    say(f"\n{stack.name} is {'deployed' if changed else 'up to date: there was nothing to change'}.\n")
    for line in _next_steps(stage, account, stack, destinations, resources_only=resources_only):
        say(line)


def warnings(stage: str, retention_days: str) -> Iterator[str]:
    """Yield what you should know before you deploy a stage whose events can be deleted."""
    if int(retention_days) == 0:
        yield "\nWARNING: RawRetentionDays is 0. Object Lock keeps nothing. Only the bucket's policy prevents deletion."
        yield f"→ To keep events for a year: make deploy STAGE={stage} PARAMETERS='RawRetentionDays=365'"


def _review(name: str, *, dry_run: bool, say: Tell) -> Callable[[Sequence[Change]], bool]:
    """Return what shows the changes, and agrees to them unless data would be lost."""

    def reviewed(changes: Sequence[Change]) -> bool:
        say(f"\nWhat changes in {name}:")
        for line in lines(changes):
            say(line)
        require_no_loss(changes)
        if not dry_run:
            say("\nDeploying …")
        return not dry_run

    return reviewed


def require_no_loss(changes: Sequence[Change]) -> None:
    """Raise Problem if what is protected would be replaced or removed."""
    lost = [change for change in changes if change.loses]
    if lost:
        names = ", ".join(f"{change.logical_id} ({change.how})" for change in lost)
        raise Problem(
            f"Data or its protection would be lost with {names}. Nothing was changed.",
            "Take that change of the template back, or move the data first: docs/deploying.md says how.",
        )


def _require_no_functions(stack: Stack, *, new: bool) -> None:
    if not new and any(resource.type == "AWS::ApiGateway::RestApi" for resource in stack.resources()):
        raise Problem(
            f"{stack.name} already has its functions and API. With --resources they would be removed.",
            "Deploy it without --resources, or choose another stage.",
        )


def role_of_planners(resources: Iterable[Resource], stage: str, deployer: str) -> str:
    """Return the ARN of the role that planners send with, in the partition and account of the deployer's ARN.

    `chalice deploy` names it after the stage.
    """
    made = {each.logical_id: each.physical_id for each in resources}
    _, partition, _, _, account, _ = deployer.split(":", 5)
    return f"arn:{partition}:iam::{account}:role/{made.get('PlannerRole', f'retrace-{stage}-planner')}"


def _next_steps(
    stage: str, account: Account, stack: Stack, destinations: Declarations, *, resources_only: bool
) -> Iterator[str]:
    outputs = stack.outputs()
    width = max(map(len, outputs), default=0)
    for name, value in sorted(outputs.items()):
        yield f"  {name:{width}}  {value}"
    yield "\nNext:"
    if resources_only:
        yield f"  {Path(sys.executable).parent}/python -m infra.record_outputs {stage}"
        yield f"  chalice deploy --stage {stage}"
    else:
        yield from _uses(stage, account.region, outputs)
    role = role_of_planners(stack.resources(), stage, account.caller)
    for arn, policy in policies_to_attach(destinations, account.number, role):
        yield f"\n# attach this policy to {arn}, or no replay reaches it\n  {policy}"


def _uses(stage: str, region: str, outputs: Mapping[str, str]) -> Iterator[str]:
    yield "\n# attach these policies to principals that send events or investigate"
    for policy in ("ProducerPolicyArn", "InvestigatorPolicyArn"):
        yield f"  aws iam attach-role-policy --role-name <role> --policy-arn {outputs[policy]}"
    yield "\n# add this to ~/.config/retrace/config.toml"
    yield f'  [{stage}]\n  url = "{outputs["ApiUrl"]}"\n  region = "{region}"\n  stack = "{stack_name(stage)}"'
    yield f"\n# then\n  retrace --profile {stage} doctor"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
