"""What a stack's status means for deploying, and which of its events are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from infra.changes import Event, Resource, failures
from infra.command import Problem
from infra.rollout import kind_of_change
from infra.stack import Stack

CLOUDFORMATION = boto3.client("cloudformation")


@pytest.fixture
def cloudformation() -> Iterator[Stubber]:
    with Stubber(CLOUDFORMATION) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


@pytest.fixture
def stack(cloudformation: Stubber) -> Stack:
    return Stack(CLOUDFORMATION, "retrace-prod", every=0)


def in_status(status: str) -> Any:
    return {"StackName": "retrace-prod", "CreationTime": "2026-11-21T00:00:00Z", "StackStatus": status}


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS"])
def test_what_is_not_there_is_created(stack: Stack, status: str | None) -> None:
    assert kind_of_change(stack, in_status(status) if status else None) == "CREATE"


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_what_is_there_is_updated(stack: Stack, status: str) -> None:
    assert kind_of_change(stack, in_status(status)) == "UPDATE"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "make destroy STAGE=prod"),
        ("ROLLBACK_FAILED", "make destroy STAGE=prod"),
        ("CREATE_FAILED", "make destroy STAGE=prod"),
        ("DELETE_FAILED", "make destroy STAGE=prod"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name retrace-prod"),
    ],
)
def test_what_cloudformation_cannot_change_any_more_says_what_to_do(stack: Stack, status: str, remedy: str) -> None:
    with pytest.raises(Problem, match=status) as caught:
        kind_of_change(stack, in_status(status))

    assert remedy in caught.value.remedy


def test_what_is_under_way_is_waited_for_and_said_to_be(cloudformation: Stubber, stack: Stack) -> None:
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"):
        cloudformation.add_response("describe_stacks", {"Stacks": [in_status(status)]})
    said: list[str] = []

    stack.settled(said.append)

    assert said == ["Waiting for the operation in progress on retrace-prod …"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_nothing_is_waited_for_where_nothing_is_under_way(cloudformation: Stubber, stack: Stack, status: str) -> None:
    cloudformation.add_response("describe_stacks", {"Stacks": [in_status(status)]})

    said: list[str] = []
    stack.settled(said.append)

    assert said == []
    cloudformation.assert_no_pending_responses()


def test_what_was_only_cancelled_is_no_reason() -> None:
    def event(name: str, status: str, reason: str = "") -> Event:
        return Event(Resource(name, "AWS::SQS::Queue", ""), status, reason)

    assert list(
        failures(
            [
                event("A", "CREATE_COMPLETE"),
                event("B", "CREATE_FAILED", "it exists already"),
                event("C", "CREATE_FAILED", "Resource creation cancelled"),
                event("D", "CREATE_FAILED"),
            ]
        )
    ) == ["  B (AWS::SQS::Queue): it exists already", "  D (AWS::SQS::Queue): no reason was given"]
