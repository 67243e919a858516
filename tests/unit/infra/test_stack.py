"""When a deployment or a removal is over, what of its events is read, and what a refused change set leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from infra.changes import History
from infra.command import Problem
from infra.rollout import roll_out
from infra.stack import ChangeSet, Stack
from tests.unit.infra.scripted import Scripted

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/retrace-prod/0a1b"
CHANGE = ChangeSet("change", STACK_ID, ())


def event(number: int, status: str, physical_id: str = STACK_ID) -> dict[str, Any]:
    return {"EventId": str(number), "PhysicalResourceId": physical_id, "ResourceStatus": status}


def page(*events: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """Events, the newest first, as CloudFormation tells them."""
    return {"StackEvents": list(events)} | ({"NextToken": "more"} if more else {})


def described(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackName": "retrace-prod", "StackId": STACK_ID, "StackStatus": status}]}


LAST_TIME = (event(2, "UPDATE_COMPLETE"), event(1, "UPDATE_IN_PROGRESS"))
QUEUE = "https://queue"


def lagging(verb: str) -> dict[str, list[dict[str, Any]]]:
    """CloudFormation, which at first knows nothing yet of what it was just told to do."""
    begun = (event(3, f"{verb}_IN_PROGRESS"), *LAST_TIME)
    going_on = (event(4, f"{verb}_COMPLETE", QUEUE), *begun)
    over = (event(5, f"{verb}_COMPLETE"), *going_on)
    return {
        "DescribeStackEvents": [page(*events) for events in (LAST_TIME, LAST_TIME, begun, going_on, over)],
        "DescribeStacks": [described("UPDATE_COMPLETE")],
    }


def test_a_deployment_is_not_over_because_the_last_one_is() -> None:
    stack = Stack(Scripted(lagging("UPDATE")).client, "retrace-prod", every=0)

    told = [(each.status, each.resource.physical_id) for each in stack.execute(CHANGE)]

    assert told == [("UPDATE_IN_PROGRESS", STACK_ID), ("UPDATE_COMPLETE", QUEUE), ("UPDATE_COMPLETE", STACK_ID)]


def test_neither_is_a_removal() -> None:
    stack = Stack(Scripted(lagging("DELETE")).client, "retrace-prod", every=0)

    assert [each.status for each in stack.delete()] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_COMPLETE"]


def test_a_deployment_that_is_taken_back_is_over_with_that() -> None:
    failed = (event(3, "UPDATE_FAILED", QUEUE), *LAST_TIME)
    back = (event(5, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), event(4, "UPDATE_ROLLBACK_IN_PROGRESS"), *failed)
    over = (event(6, "UPDATE_ROLLBACK_COMPLETE"), *back)
    change_set = {"StackId": STACK_ID, "Id": "change", "Status": "CREATE_COMPLETE", "Changes": []}
    cloudformation = Scripted(
        {
            "CreateChangeSet": [change_set],
            "DescribeChangeSet": [change_set],
            "DescribeStackEvents": [page(*events) for events in (LAST_TIME, failed, back, over)],
            "DescribeStacks": [described("UPDATE_COMPLETE")],
        }
    )

    with pytest.raises(Problem, match="The deployment ended as UPDATE_ROLLBACK_COMPLETE"):
        roll_out(Stack(cloudformation.client, "retrace-prod", every=0), "UPDATE", "https://template", {})


def test_events_are_read_as_far_back_as_they_are_new() -> None:
    new = [event(number, "UPDATE_IN_PROGRESS", QUEUE) for number in (6, 5, 4, 3)]
    cloudformation = Scripted(
        {
            "DescribeStackEvents": [
                page(LAST_TIME[0], more=True),
                page(LAST_TIME[1]),
                page(*new[:2], more=True),
                page(*new[2:], LAST_TIME[0], more=True),
            ]
        }
    )
    history = History(cloudformation.client, STACK_ID)

    assert len(history.news()) == len(new)
    assert history.news() == []
    assert len(cloudformation.called("DescribeStackEvents")) == 5  # two at first, two with news, one without


REFUSED = {"Status": "FAILED", "StatusReason": "Template error"}


@pytest.mark.parametrize(("status", "deleted"), [("REVIEW_IN_PROGRESS", 1), ("UPDATE_COMPLETE", 0)])
def test_a_change_set_that_is_refused_leaves_no_empty_stack(status: str, deleted: int) -> None:
    cloudformation = Scripted(
        {
            "CreateChangeSet": [{"StackId": STACK_ID, "Id": "change"}],
            "DescribeChangeSet": [REFUSED],
            "DescribeStacks": [described(status)],
        }
    )
    stack = Stack(cloudformation.client, "retrace-prod", every=0)

    with pytest.raises(Problem, match="Template error"):
        stack.propose("CREATE", "https://template", {})

    assert len(cloudformation.called("DeleteChangeSet")) == 1
    assert len(cloudformation.called("DeleteStack")) == deleted
