"""A destination that is in use is not removed: no replay sends to it, and nothing waits in queues that would go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.replays.dynamodb_rows import job_row, request_row
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.request import ReplayRequest
from infra.command import Problem
from infra.destination_file import DEFAULT, Declarations, Declared
from infra.destination_removal import removed, require_unused
from tests.unit.examples import INGESTED

PLACE = "eu-west-1:123456789012"
OWN = f"arn:aws:sqs:{PLACE}:retrace-dev-to-billing"
THEIRS = f"arn:aws:sqs:{PLACE}:theirs"
BUS = f"arn:aws:events:{PLACE}:event-bus/retrace-dev-to-news"
TOLD = json.dumps(
    {
        "aggregates": {"arn": f"arn:aws:sqs:{PLACE}:retrace-dev-replay"},
        "billing": {"arn": OWN},
        "theirs": {"arn": THEIRS},
        "news": {"arn": BUS},
    }
)
ALL = (*DEFAULT, Declared("billing"), Declared("theirs", "queue", THEIRS), Declared("news", "eventbridge"))


@pytest.mark.parametrize(
    ("declared", "gone"),
    [
        (ALL, []),
        ((*ALL, Declared("more")), []),
        (ALL[1:], ["aggregates"]),
        ((ALL[0],), ["billing", "theirs", "news"]),
        ((ALL[0], Declared("billing", "fifo"), *ALL[2:]), ["billing"]),
        ((ALL[0], Declared("billing", "queue", THEIRS), *ALL[2:]), ["billing"]),
        ((*ALL[:2], Declared("theirs"), ALL[3]), ["theirs"]),
        ((*ALL[:2], Declared("theirs", "queue", f"{THEIRS}-2"), ALL[3]), ["theirs"]),
    ],
)
def test_what_is_no_longer_declared_or_moves_is_removed(declared: Declarations, gone: list[str]) -> None:
    assert [each.name for each in removed(TOLD, declared, "dev")] == gone


@dataclass
class Stage:
    """A stage with its table of replays and its queues."""

    sqs: Any
    dynamodb: Any

    def keep(self, state: JobState, arn: str, outbox: str | None = None) -> None:
        request = ReplayRequest.model_validate(
            {"source": "shop", "event_type": "paid", "day": "2026-11-21", "destination": "billing"}
        )
        job = ReplayJob(
            "replay-1", request, "me", INGESTED, INGESTED, 4, state=state, outbox=outbox, destination_arn=arn
        )
        for item in (request_row(job), job_row(job)):
            self.dynamodb.put_item(TableName="replays", Item=item)

    def refusal(self, declared: Declarations) -> str:
        """Why declarations may not take the place of what is deployed; empty if they may."""
        try:
            require_unused({"Destinations": TOLD, "ReplaysTable": "replays"}, declared, "dev", self.sqs, self.dynamodb)
        except Problem as problem:
            return str(problem)
        return ""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with mock_aws():
        stage = Stage(boto3.client("sqs", "eu-west-1"), boto3.client("dynamodb", "eu-west-1"))
        stage.dynamodb.create_table(
            TableName="replays",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        )
        stage.sqs.create_queue(QueueName="theirs")
        for name in ("replay", "to-billing"):
            dead = f"retrace-dev-dead-letters-of-{name}"
            stage.sqs.create_queue(QueueName=dead)
            policy = {"deadLetterTargetArn": f"arn:aws:sqs:{PLACE}:{dead}", "maxReceiveCount": 5}
            stage.sqs.create_queue(QueueName=f"retrace-dev-{name}", Attributes={"RedrivePolicy": json.dumps(policy)})
        yield stage


def test_a_destination_that_nothing_uses_can_be_removed(stage: Stage) -> None:
    stage.keep(JobState.SENT, OWN)

    assert stage.refusal((ALL[3],)) == ""


@pytest.mark.parametrize(
    ("state", "outbox"), [(JobState.PLANNING, None), (JobState.SENDING, None), (JobState.SENT, "commit-1")]
)
@pytest.mark.parametrize("arn", [OWN, THEIRS, BUS])
def test_a_destination_that_a_replay_sends_to_is_not_removed(
    stage: Stage, state: JobState, outbox: str | None, arn: str
) -> None:
    stage.keep(state, arn, outbox)

    assert "would be removed, but a replay still sends to it: replay-1" in stage.refusal(DEFAULT)
    assert stage.refusal(ALL) == ""


@pytest.mark.parametrize("state", [JobState.SENT, JobState.FAILED, JobState.CANCELLED])
def test_a_replay_that_is_over_keeps_no_destination(stage: Stage, state: JobState) -> None:
    stage.keep(state, OWN)

    assert stage.refusal(DEFAULT) == ""


@pytest.mark.parametrize("queue", ["retrace-dev-to-billing", "retrace-dev-dead-letters-of-to-billing"])
def test_a_queue_of_the_stage_in_which_messages_wait_is_not_removed(stage: Stage, queue: str) -> None:
    stage.sqs.send_message(QueueUrl=stage.sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody="x")

    assert "billing would be removed, but 1 messages wait there" in stage.refusal(DEFAULT)
    assert stage.refusal(ALL) == ""


def test_what_waits_in_an_existing_queue_stays_there_and_keeps_nothing(stage: Stage) -> None:
    url = stage.sqs.get_queue_url(QueueName="theirs")["QueueUrl"]
    stage.sqs.send_message(QueueUrl=url, MessageBody="x")

    assert stage.refusal(ALL[:2]) == ""

    assert [each["Body"] for each in stage.sqs.receive_message(QueueUrl=url)["Messages"]] == ["x"]


def test_a_stack_of_before_has_no_destinations_to_remove(stage: Stage) -> None:
    require_unused({}, DEFAULT, "dev", stage.sqs, stage.dynamodb)

    assert list(removed("{}", DEFAULT, "dev")) == []
