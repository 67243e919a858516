"""What functions may do is said once, and comes exactly so into the packaged template and to `chalice deploy`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws import keys
from infra.changes import Resource
from infra.merge import FUNCTIONS, RESOURCES, load
from infra.permissions import EVERYTHING, RIGHTS, SEND_TO_DESTINATIONS
from infra.record_outputs import CONFIG
from infra.roles import DEPLOYED_BY_CHALICE, ROLES, Policy, in_template, of_stage

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/retrace-prod/0a1b"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:1"

_SERVICES = {
    "AWS::S3::Bucket": "s3:::retrace-prod-",
    "AWS::DynamoDB::Table": "dynamodb:eu-west-1:123456789012:table/retrace-prod-",
    "AWS::SQS::Queue": "sqs:eu-west-1:123456789012:retrace-prod-",
    "AWS::KMS::Key": "kms:eu-west-1:123456789012:key/retrace-prod-",
}
ARNS = {
    "KmsKeyArn": KEY,
    "WebhookSecretArn": SECRET,
    "AWS::Region": "eu-west-1",
    "AWS::URLSuffix": "amazonaws.com",
    **{
        name: f"arn:aws:{_SERVICES[each['Type']]}{name}"
        for name, each in load(RESOURCES)["Resources"].items()
        if each["Type"] in _SERVICES
    },
}

SENDING = (replace(SEND_TO_DESTINATIONS, resources=(ARNS["ReplayQueue"],)),)


def derived(parameters: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """The policies of a stage whose resources are called after their names in the template."""
    declared = load(RESOURCES)["Resources"]
    resources = [Resource(name, resource["Type"], f"retrace-prod-{name}") for name, resource in declared.items()]
    return of_stage("prod", STACK_ID, resources, parameters or {}, SENDING)


def rights(policy: Policy) -> set[tuple[str, str]]:
    """Each action of a policy on each of its resources."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_every_function_has_rights_and_a_role_and_is_made_by_chalice() -> None:
    functions = json.loads(CONFIG.read_text())["lambda_functions"]

    assert RIGHTS.keys() == ROLES.keys()
    assert [each for given in DEPLOYED_BY_CHALICE.values() for each in given] == list(RIGHTS)
    assert DEPLOYED_BY_CHALICE.keys() == functions.keys()


def test_no_role_of_a_function_has_its_rights_elsewhere() -> None:
    declared = load(FUNCTIONS)["Resources"]

    assert not [role for role in ROLES.values() if "Policies" in declared.get(role, {}).get("Properties", {})]
    attached = [each["Properties"].get("Roles") for each in declared.values() if "Policy" in each.get("Type", "")]
    assert not any(attached)


def test_every_resource_that_a_right_names_is_in_the_template() -> None:
    template = load(RESOURCES)
    known = template["Resources"].keys() | template["Parameters"].keys() | load(FUNCTIONS)["Parameters"].keys()
    named = {resource.partition("/")[0] for rights in RIGHTS.values() for each in rights for resource in each.resources}

    assert named - {EVERYTHING} <= known


def test_the_template_and_a_stage_say_the_same() -> None:
    exact = derived({"KmsKeyArn": KEY, "WebhookSecretArn": SECRET})
    for function, given in DEPLOYED_BY_CHALICE.items():
        statements = [
            statement["Fn::If"][1] if "Fn::If" in statement else statement
            for each in given
            for statement in in_template()["Resources"][ROLES[each]]["Properties"]["Policies"][0]["PolicyDocument"][
                "Statement"
            ]
        ]
        in_words = {json.dumps(resolved(each)) for each in statements if each["Sid"] != "WriteLogs"}
        assert in_words == {json.dumps(each) for each in exact[function]["Statement"] if each["Sid"] != "WriteLogs"}


def resolved(node: Any) -> Any:
    """A part of the template, with the names of the stage in place of its functions."""
    match node:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return ARNS[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(.+?)}", lambda found: ARNS[found[1].removesuffix(".Arn")], text)
        case {"Ref": str(name)}:
            return ARNS[name]
        case dict():
            return {name: resolved(value) for name, value in node.items()}
        case list():
            return [resolved(each) for each in node]
    return node


def test_a_function_whose_resources_are_not_deployed_may_only_log_and_trace() -> None:
    declared = load(RESOURCES)["Resources"]
    there = [Resource(name, each["Type"], name) for name, each in declared.items() if not name.startswith("Digest")]

    allowed = {action for action, _ in rights(of_stage("prod", STACK_ID, there, {}, SENDING)["digest"])}

    assert {action.partition(":")[0] for action in allowed} == {"logs", "xray"}


def test_a_partition_of_china_has_its_own_names() -> None:
    stack_id = STACK_ID.replace("arn:aws:", "arn:aws-cn:")
    policy = of_stage("prod", stack_id, [], {"KmsKeyArn": KEY}, SENDING)["digest"]

    assert all(resource.startswith("arn:aws-cn:") for _, resource in rights(policy) if resource != "*")


def test_arns_are_those_of_the_deployed_resources() -> None:
    place = "eu-west-1:123456789012"
    found = rights(derived()["processor"])

    assert ("s3:GetObject", "arn:aws:s3:::retrace-prod-RawBucket/raw/*") in found
    assert ("dynamodb:PutItem", f"arn:aws:dynamodb:{place}:table/retrace-prod-AggregatesTable") in found
    assert ("sqs:ReceiveMessage", f"arn:aws:sqs:{place}:retrace-prod-ReplayQueue") in found
    assert ("logs:PutLogEvents", f"arn:aws:logs:{place}:log-group:/aws/lambda/retrace-prod-processor:*") in found


def test_functions_make_their_own_log_groups_and_no_others() -> None:
    groups = {
        function: {resource for action, resource in rights(policy) if action == "logs:CreateLogGroup"}
        for function, policy in derived().items()
    }

    assert {function: {group.rpartition("/")[2] for group in found} for function, found in groups.items()} == {
        "api_handler": {"retrace-prod:*"},
        "planner": {"retrace-prod-planner:*"},
        "processor": {"retrace-prod-processor:*"},
        "dead_letters": {"retrace-prod-dead_letters:*"},
        "digest": {"retrace-prod-digest:*"},
    }


@pytest.mark.parametrize("function", DEPLOYED_BY_CHALICE)
def test_statements_have_names_of_their_own_and_keep_their_conditions(function: str) -> None:
    statements = derived()[function]["Statement"]

    assert len({statement["Sid"] for statement in statements}) == len(statements)
    listing = [statement for statement in statements if "s3:ListBucket" in listed(statement["Action"])]
    wanted = [
        {"StringLike": {"s3:prefix": prefix}} for prefix in ("rejected/*", "raw/*", "digests/*", "events-files/*")
    ]
    assert all(statement["Condition"] in wanted for statement in listing)


def test_the_function_of_digests_reads_all_that_they_list() -> None:
    statements = derived()["digest"]["Statement"]
    read = [each for each in statements if "s3:GetObjectVersion" in listed(each["Action"])]
    looked_at = [each for each in statements if "s3:ListBucketVersions" in listed(each["Action"])]

    assert [[arn.partition("/")[2] for arn in each["Resource"]] for each in read] == [[f"{p}*" for p in keys.LISTED]]
    assert [each["Condition"]["StringLike"]["s3:prefix"] for each in looked_at] == [f"{p}*" for p in keys.LISTED]


def test_functions_may_use_the_kms_key_of_a_stage_that_has_one() -> None:
    sign = "kms:Sign"  # with the key of digests, which is another
    for function, policy in derived({"KmsKeyArn": KEY}).items():
        assert ("kms:Decrypt", KEY) in rights(policy), function
        without = {action for action, _ in rights(derived()[function])}
        assert not [action for action in without - {sign} if action.startswith("kms:")]


@pytest.mark.parametrize("function", DEPLOYED_BY_CHALICE)
def test_no_function_may_do_everything_or_delete_what_is_kept(function: str) -> None:
    actions = {action for action, _ in rights(derived()[function])}

    assert not [action for action in actions if "*" in action]
    assert {action for action in actions if "Delete" in action} <= {"sqs:DeleteMessage"}
    unbounded = {action for action, resource in rights(derived()[function]) if resource == "*"}
    assert unbounded == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
