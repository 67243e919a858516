"""What stays after a removal, and what a stack holds before one."""

from __future__ import annotations

import boto3
import pytest

from infra.account import Account
from infra.changes import Event, Resource, removal, retained
from infra.destroy import stored_data
from infra.merge import FUNCTIONS, RESOURCES, load


def kept_by_policy() -> list[tuple[str, str]]:
    """The resources of the templates that stay when their stack goes, and their types."""
    resources = load(RESOURCES)["Resources"] | load(FUNCTIONS)["Resources"]
    return [(name, each["Type"]) for name, each in resources.items() if each.get("DeletionPolicy") == "Retain"]


@pytest.mark.parametrize(("name", "resource_type"), kept_by_policy())
def test_whatever_stays_has_a_command_or_a_word_why_it_has_none(name: str, resource_type: str) -> None:
    first, *more = removal([Resource(name, resource_type, "in-aws")])

    assert first == f"  {name}  {resource_type}  in-aws"
    assert more


def test_what_belongs_to_the_whole_account_is_said_to_and_has_no_command() -> None:
    for name, resource_type in (("ApiLogRole", "AWS::IAM::Role"), ("ApiLogAccount", "AWS::ApiGateway::Account")):
        [_, remark] = removal([Resource(name, resource_type, "in-aws")])
        assert remark == "      Leave it: all APIs of this account and region write their logs with it."


def test_only_what_was_passed_over_stays() -> None:
    table = Resource("EventsTable", "AWS::DynamoDB::Table", "events")

    assert retained([Event(table, "DELETE_SKIPPED", ""), Event(table, "DELETE_COMPLETE", "")]) == [table]


@pytest.mark.parametrize("resource_type", ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue"])
def test_what_was_never_made_holds_nothing(resource_type: str) -> None:
    session = boto3.Session()
    account = Account(
        "123456789012",
        "somebody",
        "eu-west-1",
        session.client("cloudformation"),
        session.client("dynamodb"),
        session.client("s3"),
        session.client("sqs"),
    )

    assert list(stored_data(account, [Resource("Failed", resource_type, "")])) == []
