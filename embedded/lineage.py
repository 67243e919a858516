"""Reads the inputs of an aggregate from AggregatesTable, and recomputes their hash.

This follows the contract (docs/) and uses nothing of the application's code: a reader of the inputs can check the
hash, and here it is checked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256, shake_256
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from embedded.connection import Stack
from infra.command import Problem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PRIME = 2**3072 - 1_103_717
FIELD_BYTES = 384


@dataclass(frozen=True, slots=True, order=True)
class Input:
    """One event that went into a version of an aggregate."""

    event_time: str
    event_id: str
    event_type: str
    content_sha256: str


class Lineage:
    """Reads AggregatesTable as the local user, who may look at it."""

    def __init__(self, stack: Stack) -> None:
        self._table = stack.aggregates_table
        self._dynamodb: DynamoDBClient = boto3.client(
            "dynamodb",
            endpoint_url=stack.aws_endpoint_url,
            region_name=stack.region,
            aws_access_key_id=stack.access_key_id,
            aws_secret_access_key=stack.secret_access_key,
            config=Config(proxies={}, retries={"mode": "standard"}),
        )

    def inputs(self, entity_id: str, day: str, replay_id: str) -> list[Input]:
        """Return the events that went into a version, by time and id."""
        partition = f"ENTITY#{_encoded(entity_id)}#P1D#UTC#{day}#VER#{_encoded(replay_id)}"
        try:
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="PK = :partition",
                FilterExpression="outcome = :input",
                ExpressionAttributeValues={":partition": {"S": partition}, ":input": {"S": "INPUT"}},
                ConsistentRead=True,
            )
            rows = [item for page in pages for item in page["Items"]]
        except (ClientError, BotoCoreError) as error:
            raise Problem(f"AggregatesTable cannot be read: {error}", "Is the stack still running?") from error
        return [
            Input(*(row[name]["S"] for name in ("event_time", "event_id", "event_type", "content_sha256")))
            for row in rows
        ]


def inputs_hash(inputs: Iterable[Input]) -> str:
    """Return the hash of a set of inputs: MuHash over a 3072-bit prime field, in any order the same."""
    state = 1
    for single in inputs:
        element = f"retrace:inputs-hash\n{single.event_id}\n{single.content_sha256}\n".encode()
        state = state * int.from_bytes(shake_256(element).digest(FIELD_BYTES), "little") % PRIME
    return sha256(state.to_bytes(FIELD_BYTES, "little")).hexdigest()


def _encoded(value: str) -> str:
    return value.replace("%", "%25").replace("#", "%23")
