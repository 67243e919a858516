"""What waits at destinations, and their dead letters: of which replay and event each is, and why it failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from moto import mock_aws

from chalicelib.aggregates.dynamodb_rows import outcome_row
from chalicelib.aggregates.ledger import Outcome, record_of
from chalicelib.replays.messages import ReplayMessage, message_of
from retrace.checking.destination_queues import dead_letters, findings, replays_of
from retrace.problem import Problem
from retrace.target import Target
from tests.unit.examples import RECEIPT, an_event
from tests.unit.in_memory import Bucket

PLACE = "eu-west-1:123456789012"
FIRST, SECOND = "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57", "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f58"


@pytest.fixture
def aws() -> Iterator[Target]:
    """AWS in memory, with a table of outcomes."""
    with mock_aws():
        target = Target("https://a.example/api", "--url", "eu-west-1", access_key=("AKIATESTING", "secret"))
        keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("PK", "HASH"), ("SK", "RANGE"))]
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")]
        target.client("dynamodb").create_table(
            TableName="aggregates", KeySchema=keys, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
        )
        names = {f"{name}_table": name for name in ("events", "dedupe", "aggregates")}
        url = target.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        yield replace(target, storage=names | {"dead_letter_queue_url": url, "replay_queue_url": url})


def with_destinations(aws: Target, **members: dict[str, Any]) -> Target:
    return replace(aws, storage={**aws.storage, "destinations": json.dumps(members)})


def with_billing(aws: Target, end: str = "") -> tuple[Target, str]:
    """A stage with its own destination `billing`, and the URL of its dead letters."""
    fifo = {"FifoQueue": "true"} if end else {}
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=f"retrace-dev-dead-letters-of-billing{end}", Attributes=fifo)["QueueUrl"]
    policy = {
        "deadLetterTargetArn": f"arn:aws:sqs:{PLACE}:retrace-dev-dead-letters-of-billing{end}",
        "maxReceiveCount": 5,
    }
    sqs.create_queue(QueueName=f"retrace-dev-to-billing{end}", Attributes={"RedrivePolicy": json.dumps(policy), **fifo})
    arn = f"arn:aws:sqs:{PLACE}:retrace-dev-to-billing{end}"
    return with_destinations(aws, billing={"arn": arn, "own": True}), url


def messages(replay_id: str, count: int) -> list[ReplayMessage]:
    stored = Bucket().put_once([an_event(payload=number) for number in range(count)], RECEIPT)
    return [message_of(replay_id, "billing", event) for event in stored]


def put(target: Target, url: str, bodies: list[str], **attributes: str) -> None:
    for number, body in enumerate(bodies):
        given = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        group = {"MessageGroupId": "one", "MessageDeduplicationId": f"{number}"} if url.endswith(".fifo") else {}
        target.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=given, **group)


@pytest.mark.parametrize("end", ["", ".fifo"])
def test_a_dead_letter_has_its_replay_its_event_and_the_reason_that_is_known(aws: Target, end: str) -> None:
    target, url = with_billing(aws, end)
    told, failed, silent = messages(FIRST, 3)
    row = outcome_row(record_of(told, Outcome.FAILED, "no such account"))
    target.client("dynamodb").put_item(TableName="aggregates", Item=row)
    target.client("dynamodb").put_item(TableName="aggregates", Item=outcome_row(record_of(failed, Outcome.FAILED)))
    put(target, url, [told.body, failed.body, silent.body, "{"])

    found = list(dead_letters(target, "billing"))

    assert [(each["replay_id"], each["event_id"], each["reason"]) for each in found] == [
        (FIRST, told.event_id, "no such account"),
        (FIRST, failed.event_id, "failed"),
        (FIRST, silent.event_id, "not reported: received 0 times"),
        ("", "", "not reported: received 0 times"),
    ]
    assert {each["destination"] for each in found} == {"billing"}


def test_the_processors_dead_letters_have_its_reason(aws: Target) -> None:
    [message] = messages(FIRST, 1)
    target = with_destinations(aws, aggregates={"arn": f"arn:aws:sqs:{PLACE}:replay"})
    put(target, target.storage["dead_letter_queue_url"], [message.body], failure="integrity", reason="other bytes")

    [found] = dead_letters(target, "aggregates")

    assert (found["entity_id"], found["failure"], found["reason"]) == (message.entity_id, "integrity", "other bytes")


def test_every_dead_letter_is_listed_once_and_its_replays_in_their_order(aws: Target) -> None:
    target, url = with_billing(aws)
    put(target, url, [each.body for each in (*messages(SECOND, 12), *messages(FIRST, 11))])

    assert len(list(dead_letters(target, "billing"))) == 23
    target, url = with_billing(aws, ".fifo")
    put(target, url, [each.body for each in (*messages(SECOND, 2), *messages(FIRST, 2))])
    assert replays_of(dead_letters(target, "billing"), 10) == [SECOND, FIRST]


def test_dead_letters_that_come_again_do_not_end_the_list(aws: Target) -> None:
    target, url = with_billing(aws)
    put(target, url, [each.body for each in messages(FIRST, 15)])
    hidden = iter([0])

    def shown_again(params: dict[str, Any], **_: Any) -> None:
        """The first batch is not hidden, so that it comes a second time."""
        params["VisibilityTimeout"] = next(hidden, params["VisibilityTimeout"])

    target.session.events.register("before-parameter-build.sqs.ReceiveMessage", shown_again)

    assert len(list(dead_letters(target, "billing"))) == 15


@pytest.mark.parametrize(
    ("destination", "said", "remedy"),
    [
        ("bare", "bare has no dead-letter queue", "RedrivePolicy"),
        ("news", "an event bus, which keeps no dead letters", "list-targets-by-rule"),
        ("biling", "Did you mean billing?", "Name one that is declared."),
    ],
)
def test_where_there_is_no_queue_to_read_it_says_what_to_do(
    aws: Target, destination: str, said: str, remedy: str
) -> None:
    aws.client("sqs").create_queue(QueueName="bare")
    news = {"arn": f"arn:aws:events:{PLACE}:event-bus/news"}
    target = with_destinations(aws, billing={"arn": "a:b:sqs"}, bare={"arn": f"arn:aws:sqs:{PLACE}:bare"}, news=news)

    with pytest.raises(Problem) as raised:
        list(dead_letters(target, destination))

    assert said in raised.value.what
    assert remedy in raised.value.remedy


def test_what_waits_at_destinations_and_their_dead_letters_is_told(aws: Target) -> None:
    sqs, place = aws.client("sqs"), "eu-west-1:123456789012"
    arns = {"aggregates": f"arn:aws:sqs:{place}:replay_queue_url", "news": f"arn:aws:events:{place}:event-bus/news"}
    for name, waiting, dead in (("billing", 1, 0), ("ledger", 0, 2)):
        gone = sqs.create_queue(QueueName=f"dead-letters-of-{name}")["QueueUrl"]
        policy = {"deadLetterTargetArn": f"arn:aws:sqs:{place}:dead-letters-of-{name}", "maxReceiveCount": 5}
        url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)})["QueueUrl"]
        arns[name] = f"arn:aws:sqs:{place}:{name}"
        for queue_url, count in ((url, waiting), (gone, dead)):
            for _ in range(count):
                sqs.send_message(QueueUrl=queue_url, MessageBody="{}")
    sqs.create_queue(QueueName="bare")
    arns["bare"] = f"arn:aws:sqs:{place}:bare"
    told = json.dumps({name: {"arn": arn} for name, arn in arns.items()})

    endless = "no dead-letter queue: messages that its consumer cannot process come back until they expire"

    found = {each.check: each for each in findings(replace(aws, storage={**aws.storage, "destinations": told}))}

    assert {name: (each.level.value, each.said) for name, each in found.items()} == {
        "destination news": (
            "ok",
            "an event bus, on which nothing waits: its rules have dead letters of their own",
        ),
        "destination billing": ("ok", "1 waiting, 0 being worked at"),
        "destination ledger": ("problem", "2 messages in its dead-letter queue"),
        "destination bare": ("warning", f"0 waiting, 0 being worked at; {endless}"),
    }
    assert f"start-message-move-task --source-arn arn:aws:sqs:{place}:dead-letters-of-ledger" in (
        found["destination ledger"].remedy
    )
    assert "RedrivePolicy" in found["destination bare"].remedy
    assert list(findings(aws)) == []
