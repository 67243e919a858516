"""Deploy a package onto the emulator as infra/ deploys onto AWS: only the template is adapted.

    python -m embedded.deployment STAGE [Name=value ...]

does it with `python -m infra.deploy`, for an emulator at AWS_ENDPOINT_URL. It does not
package again what is packaged. The tag that names Chalice's stage is dev for all stages.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from embedded.adaptation import adapted
from embedded.admin import ACCOUNT, REGION, Admin
from embedded.bundle import packaged
from infra import deploy as onto_aws
from infra.account import Artifacts
from infra.command import silent
from infra.destination_file import DEFAULT, Declarations, declared_in
from infra.destination_removal import require_unused
from infra.destinations import with_destinations
from infra.merge import Template
from infra.package import BUNDLE, TEMPLATE, Application
from infra.rollout import require_declared, roll_out
from infra.stack import ABSENT, UPDATABLE, Stack

STACK_NAME = "retrace-dev"
CODE_BUCKET = "retrace-deployment-code"
LOOK_SECONDS = 0.05

PARAMETERS = {"Stage": "dev", "RefusePlainHttp": "false", "RawRetentionDays": "0"}
"""The emulator is reached over http, and would enforce the denial. What lies on it may be cleared away."""

FUNCTION_PARAMETERS = {"ProcessorConcurrency": "5", "IndexLagSeconds": "0"}
"""Each running processor is a process of this machine. The emulator's indexes do not lag."""


def declarations_of(destinations: Path | None) -> Declarations:
    """Return what a file declares for the stage of the emulator; raises Problem with every fault."""
    return declared_in(destinations, REGION, PARAMETERS["Stage"])


def deploy(
    admin: Admin, package: Path, parameters: Mapping[str, str], destinations: Declarations = DEFAULT
) -> dict[str, str]:
    """Deploy a packaged application with its destinations, and return the outputs of the stack."""
    template: Template = json.loads((package / TEMPLATE).read_text())
    require_declared(template["Parameters"], parameters)
    chosen = {**PARAMETERS, **FUNCTION_PARAMETERS, **parameters}
    require_unused(Stack(admin.cloudformation, STACK_NAME).outputs(), destinations, "dev", admin.sqs, admin.dynamodb)
    artifacts = artifacts_of(admin)
    artifacts.forget()  # every upload would stay for as long as the state does
    template = adapted(
        with_destinations(template, destinations), artifacts.keep_code((package / BUNDLE).read_bytes()), chosen
    )
    return _deployed(admin, artifacts, template, chosen, STACK_NAME)


def deploy_template(
    admin: Admin, template: Template, parameters: Mapping[str, str], *, name: str = STACK_NAME
) -> dict[str, str]:
    """Create the stack, or bring it up to date, and return its outputs."""
    return _deployed(admin, artifacts_of(admin), template, parameters, name)


def artifacts_of(admin: Admin) -> Artifacts:
    """Return the bucket that code and templates are deployed from."""
    artifacts = Artifacts(admin.s3, ACCOUNT, REGION, CODE_BUCKET)
    artifacts.prepare()
    return artifacts


def _deployed(
    admin: Admin, artifacts: Artifacts, template: Template, parameters: Mapping[str, str], name: str
) -> dict[str, str]:
    stack = Stack(admin.cloudformation, name, every=LOOK_SECONDS)
    described = stack.settled()
    status = described["StackStatus"] if described is not None else None
    if status not in ABSENT | UPDATABLE:  # what remains of a deployment that failed can only be deleted
        list(stack.delete())
    roll_out(stack, "UPDATE" if status in UPDATABLE else "CREATE", artifacts.keep_template(template), parameters)
    return stack.outputs()


def cached(target: Path, _region: str, _stage: str) -> None:
    """Package the checkout as it is now, once for all stages."""
    shutil.copytree(packaged(silent), target, dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(onto_aws.main(sys.argv[1:], application=Application(cached, adapted)))
