"""Replay jobs in DynamoDB: the job, moved forward under a condition, and its sharded progress counters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.items import from_item, to_item
from chalicelib.aws.seam import code_of, translated
from chalicelib.domain.errors import Contended
from chalicelib.domain.replay_job import Cursor, JobState, ReplayJob
from chalicelib.domain.replay_request import ReplayRequest
from chalicelib.domain.timestamps import Instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoReplayStore:
    """ReplaysTable."""

    dynamodb: DynamoDBClient
    replays_table: str

    def create(self, job: ReplayJob) -> None:
        """Keep a new job. Its id is new, so that a second put of the same job, after a lost answer, changes nothing."""
        with translated("keeping a replay job"):
            self.dynamodb.put_item(TableName=self.replays_table, Item=to_item(_row(job)))

    def get(self, replay_id: str) -> ReplayJob | None:
        """A job, with what processors have counted so far."""
        with translated("reading a replay job"):
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.replays_table,
                KeyConditionExpression="PK = :pk",
                ExpressionAttributeValues=to_item({":pk": keys.replay(replay_id)}),
                ConsistentRead=True,
            )
            rows = [from_item(item) for page in pages for item in page["Items"]]
        job_row = next((row for row in rows if row["SK"] == keys.JOB), None)
        if job_row is None:
            return None
        return _job(job_row, processed=sum(row.get("processed_count", 0) for row in rows if row is not job_row))

    def commit(self, planned_from: ReplayJob, reached: ReplayJob) -> None:
        """Write state, cursor and counts together; raises Contended if another planner, or a cancel, was faster."""
        with translated("committing a replay's progress"):
            try:
                self.dynamodb.put_item(
                    TableName=self.replays_table,
                    Item=to_item(_row(reached)),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues=to_item({":revision": planned_from.revision}),
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                raise Contended(f"Replay {reached.replay_id} was moved on by another.") from error


def _row(job: ReplayJob) -> dict[str, Any]:
    return {
        "PK": keys.replay(job.replay_id),
        "SK": keys.JOB,
        "listing": keys.ALL_REPLAYS,
        "replay_id": job.replay_id,
        "request": job.request.model_dump_json(exclude_none=True),
        "requested_by": job.requested_by,
        "created_at": job.created_at,
        "shards": job.shards,
        "state": job.state.value,
        "cursor_partition": job.cursor.partition,
        "cursor_after": job.cursor.after,
        "revision": job.revision,
        "committed_by": job.committed_by,
        "scanned": job.scanned,
        "matched": job.matched,
        "sent": job.sent,
    }


def _job(row: dict[str, Any], processed: int) -> ReplayJob:
    return ReplayJob(
        replay_id=row["replay_id"],
        request=ReplayRequest.model_validate(json.loads(row["request"])),
        requested_by=row["requested_by"],
        created_at=Instant(row["created_at"]),
        shards=row["shards"],
        state=JobState(row["state"]),
        cursor=Cursor(row["cursor_partition"], row.get("cursor_after")),
        revision=row["revision"],
        committed_by=row["committed_by"],
        scanned=row["scanned"],
        matched=row["matched"],
        sent=row["sent"],
        processed=processed,
    )
