"""`chalice deploy`, from a copy of the checkout onto the embedded AWS: resources, recorded values, functions, API."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.admin import ACCOUNT, REGION
from embedded.gateway import gateway
from embedded.layout import ROOT
from infra.merge import SOURCES
from infra.record_outputs import policy_file
from infra.roles import DEPLOYED_BY_CHALICE, ROLES
from tests.e2e.deployed import Deployed
from tests.e2e.stages import ON_HTTP, Emulated, emulated

STAGE = "bare"
DAY = "2026-11-21"

INVOKE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"arn:aws:execute-api:{REGION}:*:*"}],
}
"""`chalice deploy` makes no policies for callers."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with emulated(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with its environment."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in (*SOURCES, "infra", "Makefile"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "deployed"))
        elif source.exists():
            shutil.copy2(source, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def run(aws: Emulated, checkout: Path, *command: str) -> str:
    """Run a command in the copy, as `python -m embedded.gateway` does, and return what it said."""
    with gateway(aws.admin, aws.endpoint_url) as found:
        finished = subprocess.run(  # noqa: S603  # make, and Chalice of our own environment
            command,
            cwd=checkout,
            env={**aws.environment, **found},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def rest_api(checkout: Path) -> str:
    """The id of the API that Chalice has made."""
    deployed = json.loads((checkout / ".chalice" / "deployed" / f"{STAGE}.json").read_text())
    [api] = [resource for resource in deployed["resources"] if resource["resource_type"] == "rest_api"]
    return str(api["rest_api_id"])


@pytest.fixture(scope="module")
def chalice(aws: Emulated, checkout: Path) -> Deployed:
    """The application, deployed by Chalice: resources, recording and functions."""
    # The environment is as it is, whatever make thinks of its age.
    run(aws, checkout, "make", "-o", ".venv/installed", "chalice", f"STAGE={STAGE}", f"PARAMETERS={ON_HTTP}")
    key = aws.user("caller")
    aws.admin.iam.put_user_policy(UserName="caller", PolicyName="invoke", PolicyDocument=json.dumps(INVOKE))
    return aws.reached(aws.cloudformation(STAGE).outputs(), rest_api(checkout), key)


def policy(checkout: Path, function: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((checkout / ".chalice" / policy_file(STAGE, function)).read_text())
    return read


def test_every_arn_is_exact_and_of_this_stage(aws: Emulated, checkout: Path, chalice: Deployed) -> None:
    resources = {
        resource
        for function in DEPLOYED_BY_CHALICE
        for each in policy(checkout, function)["Statement"]
        for resource in listed(each)
    }
    stack = chalice.stack

    assert f"arn:aws:s3:::{stack.raw_bucket}/raw/*" in resources
    assert f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{stack.dedupe_table}" in resources
    assert f"arn:aws:sqs:{REGION}:{ACCOUNT}:retrace-{STAGE}-replay" in resources
    assert {resource for resource in resources if "*" in resource} == {
        "*",  # X-Ray's, which knows no resources
        f"arn:aws:s3:::{stack.raw_bucket}/raw/*",
        f"arn:aws:s3:::{stack.raw_bucket}/rejected/*",
        f"arn:aws:s3:::{stack.raw_bucket}/superseded/*",
        f"arn:aws:s3:::{stack.raw_bucket}/metrics/*",
        f"arn:aws:s3:::{stack.raw_bucket}/digests/*",
        f"arn:aws:s3:::{stack.raw_bucket}/events-files/*",
        *(
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/retrace-{STAGE}{name}:*"
            for name in ("", "-planner", "-processor", "-dead_letters", "-digest")
        ),
    }


def listed(statement: dict[str, Any]) -> list[str]:
    """The resources of a statement."""
    named: list[str] | str = statement["Resource"]
    return [named] if isinstance(named, str) else named


def test_the_way_of_an_event_from_ingest_to_its_aggregate(chalice: Deployed) -> None:
    events = [
        {
            "source": "e2e/chalice",
            "event_type": "thing.happened",
            "entity_id": "bare",
            "event_time": f"{DAY}T12:00:{second:02}Z",
            "payload": second,
        }
        for second in range(12)
    ]

    answer = chalice.post("/ingest", events)
    assert answer.status == 200, answer.data
    job = chalice.replayed(entity_id="bare", start_time=f"{DAY}T00:00:00Z", end_time="2026-11-22T00:00:00Z")
    versions = chalice.get("/aggregates", entity_id="bare", day=DAY)["versions"]

    assert (job["sent"], job["processed"], job["failed"]) == (12, 12, 0)
    assert [(version["replay_id"], version["event_count"]) for version in versions] == [(job["replay_id"], 12)]


def an_event(entity_id: str) -> dict[str, Any]:
    """An event of an entity."""
    return {
        "source": "e2e/chalice",
        "event_type": "thing.happened",
        "entity_id": entity_id,
        "event_time": f"{DAY}T12:00:00Z",
        "payload": 1,
    }


def test_roles_allow_what_those_of_a_packaged_stage_allow(aws: Emulated, chalice: Deployed) -> None:
    aws.deploy("packaged", ON_HTTP)
    roles = {r.logical_id: r.physical_id for r in aws.cloudformation("packaged").resources() if r.type.endswith("Role")}

    for function, given in DEPLOYED_BY_CHALICE.items():
        allowed = rights(aws, f"retrace-{STAGE}-{function}", STAGE)
        wanted = set().union(*(rights(aws, roles[ROLES[each]], "packaged") for each in given))
        assert {right for right in allowed if right[0] != "logs:CreateLogGroup"} == wanted


def rights(aws: Emulated, role: str, stage: str) -> set[tuple[str, str, str]]:
    """What a role allows: each action, on what, and under which condition, in names that all stages share."""
    iam = aws.admin.iam
    names = {
        resource.physical_id.rpartition("/")[2]: resource.logical_id
        for resource in aws.cloudformation(stage).resources()
        if resource.type in {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::KMS::Key"}
    }
    found = set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in listed(statement):
                    found.add((action, _shared(resource, names), json.dumps(statement.get("Condition"))))
    return found


def _shared(resource: str, names: dict[str, str]) -> str:
    """An ARN with the name in the template in place of the one in AWS; of logs only that they are logs."""
    if ":logs:" in resource:
        return "logs"
    place, _, name = resource.rpartition(":")
    parts = name.split("/")
    return "/".join([place, *(names.get(part, part) for part in parts)])


def test_recording_again_changes_nothing(aws: Emulated, checkout: Path, chalice: Deployed) -> None:
    config = (checkout / ".chalice/config.json").read_text()

    assert aws.run("infra.record_outputs", STAGE, directory=checkout).returncode == 0

    assert (checkout / ".chalice/config.json").read_text() == config
    section = json.loads(config)["stages"][STAGE]
    assert section["environment_variables"]["POWERTOOLS_SERVICE_NAME"] == f"retrace-{STAGE}"
    assert section["environment_variables"]["STAGE"] == STAGE


def test_a_stage_that_is_not_deployed_cannot_be_recorded(aws: Emulated, checkout: Path) -> None:
    finished = aws.run("infra.record_outputs", "nowhere", directory=checkout)

    assert finished.returncode == 1
    assert "→ Deploy it first: python -m infra.deploy --resources nowhere" in finished.stderr


def test_an_update_changes_functions_and_routes_and_keeps_address_and_events(
    aws: Emulated, checkout: Path, chalice: Deployed
) -> None:
    accepted = chalice.post("/ingest", an_event("update")).json()
    before = rest_api(checkout)
    routes = checkout / "app.py"
    routes.write_text(
        routes.read_text()
        + """

@app.route("/new", authorizer=signed)
def new() -> dict[str, str]:
    return {"stage": os.environ["STAGE"]}
"""
    )

    run(aws, checkout, str(checkout / ".venv/bin/chalice"), "deploy", "--stage", STAGE)

    assert rest_api(checkout) == before
    assert chalice.get("/new") == {"stage": STAGE}
    known = chalice.post("/ingest", an_event("update")).json()
    assert (known["status"], known["event_id"]) == ("DUPLICATE", accepted["event_id"])


def test_going_over_to_one_stack_keeps_all_that_is_stored(aws: Emulated, chalice: Deployed) -> None:
    event = an_event("over")
    accepted = chalice.post("/ingest", event).json()

    aws.deploy(STAGE)

    outputs = aws.cloudformation(STAGE).outputs()
    stage = aws.reached(outputs, outputs["RestAPIId"], (chalice.stack.access_key_id, chalice.stack.secret_access_key))
    known = stage.post("/ingest", event).json()
    assert (known["status"], known["event_id"]) == ("DUPLICATE", accepted["event_id"])
    assert stage.stack.raw_bucket == chalice.stack.raw_bucket


def test_delete_removes_what_chalice_made_and_keeps_all_that_is_stored(
    aws: Emulated, checkout: Path, chalice: Deployed
) -> None:
    objects = aws.admin.s3.list_objects_v2(Bucket=chalice.stack.raw_bucket)["KeyCount"]

    run(aws, checkout, str(checkout / ".venv/bin/chalice"), "delete", "--stage", STAGE)

    names = [each["FunctionName"] for each in aws.admin.functions.list_functions()["Functions"]]
    assert not [name for name in names if name in {f"retrace-{STAGE}", *(f"retrace-{STAGE}-{each}" for each in ROLES)}]
    assert chalice.api.call("GET", "/health").status != 200
    roles = {each["RoleName"] for each in aws.admin.iam.list_roles()["Roles"]}
    assert not roles & {f"retrace-{STAGE}-{function}" for function in DEPLOYED_BY_CHALICE}
    assert aws.admin.s3.list_objects_v2(Bucket=chalice.stack.raw_bucket)["KeyCount"] == objects > 0
