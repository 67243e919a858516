"""Deploy a package onto the emulator with a CloudFormation change set, as one would onto AWS."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from botocore.exceptions import ClientError

from embedded.adaptation import Template, adapted
from embedded.admin import Admin
from embedded.polling import wait_until
from embedded.problem import Problem
from embedded.server import REGION

STACK_NAME = "retrace-dev"
CODE_BUCKET = "retrace-deployment-code"
DEPLOY_SECONDS = 120.0

PARAMETERS = {"Stage": "dev", "RefusePlainHttp": "false"}
"""The emulator is reached over http, and would enforce the refusal."""

FUNCTION_PARAMETERS = {"ProcessorConcurrency": "5"}
"""Each processor at work is a process of this machine."""

_NOTHING_YET = {None, "REVIEW_IN_PROGRESS"}
_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UPDATABLE = _COMPLETE | {"UPDATE_ROLLBACK_COMPLETE"}


def deploy(admin: Admin, package: Path, parameters: Mapping[str, str]) -> dict[str, str]:
    """Deploy a packaged application and return the outputs of the stack."""
    template: Template = json.loads((package / "sam.json").read_text())
    unknown = parameters.keys() - template["Parameters"].keys()
    if unknown:
        known = ", ".join(sorted(template["Parameters"]))
        raise Problem(f"The template has no parameter {', '.join(sorted(unknown))}.", f"It has: {known}")
    code_uri = _upload(admin, package / "deployment.zip")
    chosen = {**PARAMETERS, **FUNCTION_PARAMETERS, **parameters}
    return deploy_template(admin, adapted(template, code_uri, chosen), chosen)


def deploy_template(admin: Admin, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
    """Create the stack, or bring it up to date, and return its outputs."""
    status = _settled_status(admin)
    if status in _UPDATABLE:
        changed = _apply(admin, template, parameters, "UPDATE")
    else:
        if status not in _NOTHING_YET:  # what remains of a deployment that failed can only be deleted
            _delete(admin)
        changed = _apply(admin, template, parameters, "CREATE")
    if changed:
        _require_complete(admin)
    stack = admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _upload(admin: Admin, archive: Path) -> str:
    """Put the code where CloudFormation finds it, in place of what was there before."""
    content = archive.read_bytes()
    key = hashlib.sha256(content).hexdigest() + ".zip"
    if CODE_BUCKET not in {bucket["Name"] for bucket in admin.s3.list_buckets()["Buckets"]}:
        admin.s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for old in admin.s3.list_objects_v2(Bucket=CODE_BUCKET).get("Contents", []):
        admin.s3.delete_object(Bucket=CODE_BUCKET, Key=old["Key"])
    admin.s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=content)
    return f"s3://{CODE_BUCKET}/{key}"


def _status(admin: Admin) -> str | None:
    try:
        return admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]["StackStatus"]
    except ClientError as exc:
        if "does not exist" in str(exc):
            return None
        raise


def _settled_status(admin: Admin) -> str | None:
    """Return the status once nothing is under way, an interrupted deployment included."""
    status = _status(admin)

    def settled() -> bool:
        nonlocal status
        status = _status(admin)
        return status in _NOTHING_YET or not str(status).endswith("IN_PROGRESS")

    wait_until(settled, DEPLOY_SECONDS)
    return status


def _delete(admin: Admin) -> None:
    admin.cloudformation.delete_stack(StackName=STACK_NAME)
    wait_until(lambda: _status(admin) in {None, "DELETE_COMPLETE"}, DEPLOY_SECONDS)


def _apply(admin: Admin, template: Template, parameters: Mapping[str, str], kind: Literal["CREATE", "UPDATE"]) -> bool:
    """Execute a change set; return False if there is nothing to change."""
    name = f"change-{uuid.uuid4()}"
    try:
        admin.cloudformation.create_change_set(
            StackName=STACK_NAME,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except ClientError as exc:
        raise _refused(exc.response["Error"]["Message"]) from exc
    wait_until(lambda: _change_set(admin, name)[0] in {"CREATE_COMPLETE", "FAILED"}, DEPLOY_SECONDS)
    status, reason = _change_set(admin, name)
    if status == "FAILED":
        if "didn't contain changes" in reason:
            return False
        raise _refused(reason)
    admin.cloudformation.execute_change_set(StackName=STACK_NAME, ChangeSetName=name)
    return True


def _refused(reason: str) -> Problem:
    return Problem(f"CloudFormation refused the template or its parameters: {reason}", "Put that right and try again.")


def _change_set(admin: Admin, name: str) -> tuple[str, str]:
    described = admin.cloudformation.describe_change_set(StackName=STACK_NAME, ChangeSetName=name)
    return described["Status"], described.get("StatusReason", "")


def _require_complete(admin: Admin) -> None:
    status = _settled_status(admin)
    if status in _COMPLETE:
        return
    events = admin.cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    failures = [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if event.get("ResourceStatus", "").endswith("FAILED")
    ]
    raise Problem("\n".join([f"The deployment ended as {status}.", *failures]), "Put that right and try again.")
