"""The policy files of `chalice deploy` allow what the roles of the packaged deployment allow."""

import json
from typing import Any

import pytest

from infra.merge import FUNCTIONS, load

POLICY_FILES = FUNCTIONS.parents[1] / ".chalice"
ROLES = {
    "api": "ApiHandlerRole",
    "planner": "PlannerRole",
    "processor": "ProcessorRole",
    "dead-letters": "DeadLettersRole",
}

NAMES_IN_STAGE_DEV = {
    "RawBucket": "arn:aws:s3:::retrace-dev-rawbucket-*",
    "EventsTable": "arn:aws:dynamodb:*:*:table/retrace-dev-EventsTable-*",
    "DedupeTable": "arn:aws:dynamodb:*:*:table/retrace-dev-DedupeTable-*",
    "ReplaysTable": "arn:aws:dynamodb:*:*:table/retrace-dev-ReplaysTable-*",
    "AggregatesTable": "arn:aws:dynamodb:*:*:table/retrace-dev-AggregatesTable-*",
    "ReplayQueue": "arn:aws:sqs:*:*:retrace-dev-replay",
    "OrderedReplayQueue": "arn:aws:sqs:*:*:retrace-dev-replay-ordered.fifo",
    "ReplayJobsQueue": "arn:aws:sqs:*:*:retrace-dev-replay-jobs",
    "ReplayFailuresQueue": "arn:aws:sqs:*:*:retrace-dev-replay-failures",
    "DeadLetterQueue": "arn:aws:sqs:*:*:retrace-dev-replay-dead-letters",
    "ApiLogs": "arn:aws:logs:*:*:log-group:/aws/lambda/retrace-dev:*",
    "PlannerLogs": "arn:aws:logs:*:*:log-group:/aws/lambda/retrace-dev-planner:*",
    "ProcessorLogs": "arn:aws:logs:*:*:log-group:/aws/lambda/retrace-dev-processor:*",
    "DeadLettersLogs": "arn:aws:logs:*:*:log-group:/aws/lambda/retrace-dev-dead_letters:*",
}
"""What a stack called retrace-dev names its resources; under `chalice deploy`, functions make their log groups."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(resource: dict[str, Any]) -> str:
    match resource:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return NAMES_IN_STAGE_DEV[name]
        case {"Fn::Sub": str(text)}:
            name, _, rest = text.removeprefix("${").partition(".Arn}")
            return NAMES_IN_STAGE_DEV[name] + rest
    raise AssertionError(resource)


Statements = dict[str, tuple[set[str], set[str], Any]]


def role_statements(role: str) -> Statements:
    policies = load(FUNCTIONS)["Resources"][role]["Properties"]["Policies"]
    return {
        statement["Sid"]: (
            set(listed(statement["Action"])),
            {named(each) for each in listed(statement["Resource"])},
            statement.get("Condition"),
        )
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
    }


def file_statements(function: str) -> Statements:
    policy = json.loads((POLICY_FILES / f"policy-{function}.json").read_text())
    return {
        each["Sid"]: (set(each["Action"]), set(each["Resource"]), each.get("Condition")) for each in policy["Statement"]
    }


@pytest.mark.parametrize("function", ROLES)
def test_both_ways_of_deploying_give_a_function_the_same_rights(function: str) -> None:
    packaged = role_statements(ROLES[function])
    packaged["WriteLogs"][0].add("logs:CreateLogGroup")

    assert file_statements(function) == packaged


@pytest.mark.parametrize("function", ROLES)
def test_no_function_may_do_everything_or_delete_what_is_kept(function: str) -> None:
    actions = {action for allowed, *_ in file_statements(function).values() for action in allowed}

    assert not [action for action in actions if "*" in action]
    assert {action for action in actions if "Delete" in action} <= {"sqs:DeleteMessage"}
