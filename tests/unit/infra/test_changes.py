"""What a change set says reaches the reader in words, and a loss of data is told from a change."""

from __future__ import annotations

from typing import Any

import pytest

from infra.changes import Change, lines
from infra.command import Problem
from infra.deploy import require_no_loss
from infra.stack import PROTECTION


def told(action: str, replacement: str = "", resource_type: str = "AWS::DynamoDB::Table") -> Change:
    """A change as CloudFormation describes it."""
    change: Any = {
        "Action": action,
        "LogicalResourceId": "EventsTable",
        "ResourceType": resource_type,
        "Details": [
            {"Target": {"Attribute": "Properties", "Name": "KeySchema", "RequiresRecreation": "Always"}},
            {"Target": {"Attribute": "Tags"}},
            {},
        ],
    }
    return Change.of(change | ({"Replacement": replacement} if replacement else {}))


@pytest.mark.parametrize(
    ("action", "replacement", "how"),
    [
        ("Add", "", "added"),
        ("Import", "", "added"),
        ("Remove", "", "removed"),
        ("Modify", "", "changed"),
        ("Modify", "False", "changed"),
        ("Modify", "Conditional", "may be replaced"),
        ("Modify", "True", "replaced"),
        ("Dynamic", "", "may be replaced"),
    ],
)
def test_every_action_has_its_word(action: str, replacement: str, how: str) -> None:
    assert told(action, replacement).how == how


def test_changes_are_listed_with_their_properties_the_gravest_last_and_counted() -> None:
    changes = [
        Change("Table", "AWS::DynamoDB::Table", "removed"),
        Change("LongerName", "AWS::SQS::Queue", "changed", ["KmsMasterKeyId"]),
        Change("B", "AWS::Logs::LogGroup", "added"),
        Change("A", "AWS::Logs::LogGroup", "added"),
    ]

    assert list(lines(changes)) == [
        "  + A           AWS::Logs::LogGroup",
        "  + B           AWS::Logs::LogGroup",
        "  ~ LongerName  AWS::SQS::Queue (KmsMasterKeyId)",
        "  - Table       AWS::DynamoDB::Table",
        "2 added, 1 changed, 1 removed",
    ]


def test_a_change_of_outputs_alone_is_said_to_be_that() -> None:
    assert list(lines([])) == ["only outputs"]


@pytest.mark.parametrize("resource_type", ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"])
@pytest.mark.parametrize(("action", "replacement"), [("Remove", ""), ("Modify", "True")])
def test_what_is_protected_is_neither_replaced_nor_removed(resource_type: str, action: str, replacement: str) -> None:
    with pytest.raises(Problem, match="EventsTable"):
        require_no_loss([told("Add"), told(action, replacement, resource_type)])


def test_cloudformation_itself_is_told_to_refuse_the_same() -> None:
    [_, denied] = PROTECTION["Statement"]

    assert denied == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["Update:Replace", "Update:Delete"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"ResourceType": ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"]}
        },
    }


def test_anything_else_may_be() -> None:
    harmless = [
        told("Modify", "Conditional"),  # the stack policy sees to that
        told("Modify", "False"),
        told("Remove", resource_type="AWS::Lambda::Function"),
        told("Modify", "True", "AWS::ApiGateway::Deployment"),
    ]

    assert [change.how for change in harmless] == ["may be replaced", "changed", "removed", "replaced"]
    assert not [change for change in harmless if change.loses]
    require_no_loss(harmless)
