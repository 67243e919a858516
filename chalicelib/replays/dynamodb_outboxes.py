"""The outboxes of a replay's commits in DynamoDB: written before the commit that names them, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import to_item
from chalicelib.aws.errors import translated
from chalicelib.core.errors import NotFound
from chalicelib.core.pagination import chunked
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.replays.outbox import Outbox, unpacked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PART_BYTES = 390_000
"""An item has at most 400 KB, its keys included."""

KEPT_DAYS = 30
"""Longer than a queue keeps any message, so a job can be resumed for as long as that makes sense."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class DynamoOutboxes:
    """A partition of ReplaysTable. Rows expire; those of commits that failed are never read."""

    dynamodb: DynamoDBClient
    replays_table: str
    replay_id: str

    def put(self, commit_id: str, outbox: Outbox, now: Instant) -> None:
        """Write what a commit is going to name."""
        expires_at = nanoseconds(now) // _NANOSECONDS + KEPT_DAYS * 86_400
        with translated("keeping what a replay is about to send"):
            for number, part in enumerate(chunked(outbox.packed, PART_BYTES)):
                row = {"PK": replay_keys.outbox(self.replay_id), "SK": replay_keys.outbox_part(commit_id, number)}
                item = to_item(row | {"content": part, "expires_at": expires_at})
                self.dynamodb.put_item(TableName=self.replays_table, Item=item)

    def get(self, commit_id: str) -> Outbox:
        """Read it; raises NotFound once it has expired."""
        with translated("reading what a replay is about to send"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :commit)",
                ExpressionAttributeValues=to_item({":pk": replay_keys.outbox(self.replay_id), ":commit": commit_id}),
                ConsistentRead=True,
            )
            content = b"".join(item["content"]["B"] for page in pages for item in page["Items"])
        if not content:
            raise NotFound(
                f"The outbox of replay {self.replay_id} expired after {KEPT_DAYS} days. Ask for a new replay."
            )
        return unpacked(content)
