"""Refuse to remove a destination while a replay sends to it, or messages wait that would go with its queues."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from chalicelib.aws import replay_keys
from chalicelib.replays.destinations import (
    TO_AGGREGATES,
    DeclaredDestination,
    DestinationKind,
    destinations_in,
    own_name,
    queue_url,
)
from infra.command import Problem
from infra.destination_file import Declarations

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


def require_unused(
    outputs: Mapping[str, str], declared: Declarations, stage: str, sqs: "SQSClient", dynamodb: "DynamoDBClient"
) -> None:
    """Raise Problem if a deployed destination would go that is in use. `outputs` are those of the stack as it is."""
    gone = list(removed(outputs.get("Destinations", "{}"), declared, stage))
    if not gone:
        return
    running = _running(dynamodb, outputs["ReplaysTable"])
    for each in gone:
        if replays := [replay_id for replay_id, arn in running.items() if arn == each.arn]:
            raise Problem(
                f"The destination {each.name} would be removed, but a replay still sends to it: {', '.join(replays)}.",
                f"Wait until it is SENT, or cancel it: retrace replay cancel {replays[0]}",
            )
        if waiting := _waiting(sqs, each, stage):
            raise Problem(
                f"The destination {each.name} would be removed, but {waiting} messages wait there.",
                "Let its consumer finish, and move or purge its dead letters. Then deploy again.",
            )


def removed(told: str, declared: Declarations, stage: str) -> Iterator[DeclaredDestination]:
    """Yield the destinations of a stage that has this DESTINATIONS and would no longer have them where they are."""
    stays = {each.name: each for each in declared}
    for deployed in destinations_in(told).declared:
        new = stays.get(deployed.name)
        same = new is not None and (new.arn == deployed.arn or (new.arn is None and _is_own(deployed, stage)))
        if new is None or not same or new.kind != deployed.kind.value:
            yield deployed


def _is_own(deployed: DeclaredDestination, stage: str) -> bool:
    own = own_name(stage, deployed.name)
    return deployed.name == TO_AGGREGATES or deployed.arn.rpartition(":")[2].removesuffix(".fifo").endswith(own)


def _running(dynamodb: "DynamoDBClient", table: str) -> dict[str, str]:
    """Return the ARN that each replay sends to whose planner has something left to do, by its id."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="SK = :job AND (#state IN (:planning, :sending) OR (#state = :sent AND attribute_exists(#o)))",
        ExpressionAttributeNames={"#state": "state", "#o": "outbox"},
        ExpressionAttributeValues={
            ":job": {"S": replay_keys.JOB},
            ":planning": {"S": "PLANNING"},
            ":sending": {"S": "SENDING"},
            ":sent": {"S": "SENT"},
        },
    )
    found: dict[str, str] = {}
    for key in (item["PK"] for page in pages for item in page["Items"]):
        row = dynamodb.get_item(TableName=table, Key={"PK": key, "SK": {"S": replay_keys.REQUEST}})
        found[row["Item"]["replay_id"]["S"]] = row["Item"]["destination_arn"]["S"]
    return found


def _waiting(sqs: "SQSClient", each: DeclaredDestination, stage: str) -> int:
    """Return how many messages wait in the queues that the stage made for a destination, dead letters included."""
    if each.kind is DestinationKind.EVENTBRIDGE or not _is_own(each, stage):
        return 0
    url_of = partial(queue_url, sqs.meta.endpoint_url)
    attributes = sqs.get_queue_attributes(QueueUrl=url_of(each.arn), AttributeNames=["All"])["Attributes"]
    dead = url_of(json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"])
    both = [attributes, sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]]
    return sum(int(of_one[name]) for of_one in both for name in _COUNTS)
