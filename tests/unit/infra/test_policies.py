"""The policies of `chalice deploy`, derived from the roles of the packaged deployment, are exact and no wider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from infra.history import Resource
from infra.merge import FUNCTIONS, RESOURCES, load
from infra.policies import ROLES, Policy, function_policies

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/retrace-prod/0a1b"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"


def derived(parameters: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """The policies of a stage whose resources are called after their names in the template."""
    declared = load(RESOURCES)["Resources"]
    resources = [Resource(name, resource["Type"], f"retrace-prod-{name}") for name, resource in declared.items()]
    return function_policies("prod", STACK_ID, resources, parameters or {})


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


def roles() -> set[str]:
    """The roles of functions.yaml that a function assumes."""
    return {name for name, each in load(FUNCTIONS)["Resources"].items() if "Policies" in each.get("Properties", {})}


def test_every_role_of_a_function_is_some_function_s() -> None:
    assert {role for assumed in ROLES.values() for role in assumed} == roles()


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


@pytest.mark.parametrize("function", ROLES)
def test_statements_have_names_of_their_own_and_keep_their_conditions(function: str) -> None:
    statements = derived()[function]["Statement"]

    assert len({statement["Sid"] for statement in statements}) == len(statements)
    listing = [statement for statement in statements if "s3:ListBucket" in listed(statement["Action"])]
    wanted = [{"StringLike": {"s3:prefix": prefix}} for prefix in ("rejected/*", "raw/*", "digests/*")]
    assert all(statement["Condition"] in wanted for statement in listing)


def test_a_key_of_one_s_own_may_be_used_where_there_is_one() -> None:
    sign = "kms:Sign"  # with the key of digests, which is another
    for function, policy in derived({"KmsKeyArn": KEY}).items():
        assert ("kms:Decrypt", KEY) in rights(policy), function
        without = {action for action, _ in rights(derived()[function])}
        assert not [action for action in without - {sign} if action.startswith("kms:")]


@pytest.mark.parametrize("function", ROLES)
def test_no_function_may_do_everything_or_delete_what_is_kept(function: str) -> None:
    actions = {action for action, _ in rights(derived()[function])}

    assert not [action for action in actions if "*" in action]
    assert {action for action in actions if "Delete" in action} <= {"sqs:DeleteMessage"}
    unbounded = {action for action, resource in rights(derived()[function]) if resource == "*"}
    assert unbounded == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
