"""The rows of ReplaysTable: a replay's request, which stays, and its job, which moves on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import Item, to_item
from chalicelib.core.timestamps import Instant
from chalicelib.replays.job import Cursor, FailureReason, JobState, PinnedMetric, ReplayJob
from chalicelib.replays.ports import ReplayStatus
from chalicelib.replays.request import ReplayRequest

Row = Mapping[str, Any]

_STORED_AS = {"discovering_days": "finding", "duplicated": "repeating", "duplicates_to": "repeated_to"}
_READ_AS = {stored: name for name, stored in _STORED_AS.items()}


def request_row(job: ReplayJob) -> Item:
    """What is written once. It may be large, as a request may name many events; the job's row is read by the batch."""
    return to_item(
        {
            "PK": replay_keys.replay(job.replay_id),
            "SK": replay_keys.REQUEST,
            "listing": replay_keys.ALL_REPLAYS,
            "replay_id": job.replay_id,
            "request": job.request.model_dump_json(exclude_defaults=True),
            "requested_by": job.requested_by,
            "created_at": job.created_at,
            "shards": job.shards,
            "metrics": [[each.name, each.definition_sha256] for each in job.metrics] or None,
            "destination_arn": job.destination_arn,
            "takes_reports": job.takes_reports or None,
        }
    )


def job_row(job: ReplayJob) -> Item:
    """What planners, a cancel and a redrive move on."""
    cursor = {_STORED_AS.get(name, name): value for name, value in asdict(job.cursor).items() if value is not None}
    return to_item(
        {
            "PK": replay_keys.replay(job.replay_id),
            "SK": replay_keys.JOB,
            "updated_at": job.updated_at,
            "state": job.state.value,
            "cursor": cursor,
            "revision": job.revision,
            "committed_by": job.committed_by,
            "outbox": job.outbox,
            "due_at": job.due_at,
            "cancelled_by": job.cancelled_by,
            "cancelled_at": job.cancelled_at,
            "failure": job.failure,
            "failed_because": job.failed_because.value if job.failed_because else None,
            "metrics": [each.definition_sha256 for each in job.metrics] or None,
            "scanned": job.scanned,
            "matched": job.matched,
            "sent": job.sent,
            "not_found": job.not_found or None,
        }
    )


def status_of(row: Row) -> ReplayStatus:
    """What a job's row says to processors."""
    return ReplayStatus(JobState(row["state"]), tuple(row.get("metrics", ())))


def job_of(rows: Sequence[Row]) -> ReplayJob | None:
    """The job of all rows of a replay's partition; None if there is none."""
    by_key = {row["SK"]: row for row in rows}
    if replay_keys.JOB not in by_key:
        return None
    request, job = by_key[replay_keys.REQUEST], by_key[replay_keys.JOB]
    return ReplayJob(
        replay_id=request["replay_id"],
        request=ReplayRequest.model_validate_json(request["request"]),
        requested_by=request["requested_by"],
        created_at=Instant(request["created_at"]),
        shards=request["shards"],
        updated_at=Instant(job["updated_at"]),
        state=JobState(job["state"]),
        cursor=Cursor(**{_READ_AS.get(name, name): value for name, value in job["cursor"].items()}),
        revision=job["revision"],
        committed_by=job["committed_by"],
        outbox=job.get("outbox"),
        due_at=job.get("due_at"),
        cancelled_by=job.get("cancelled_by"),
        cancelled_at=job.get("cancelled_at"),
        failure=job.get("failure"),
        scanned=job["scanned"],
        matched=job["matched"],
        sent=job["sent"],
        processed=_counted(rows, "processed_count"),
        failed=_counted(rows, "failed_count"),
        failed_at=_last(rows, "failed_at"),
        counted_at=_last(rows, "counted_at"),
        dropped=_counted(rows, "dropped_count"),
        metrics=tuple(PinnedMetric(*each) for each in request.get("metrics", ())),
        destination_arn=request["destination_arn"],
        takes_reports=request.get("takes_reports", False),
        not_found=job.get("not_found", 0),
        failed_because=FailureReason(job["failed_because"]) if "failed_because" in job else None,
    )


def _last(rows: Sequence[Row], name: str) -> Instant | None:
    return max((Instant(row[name]) for row in rows if name in row), default=None)


def _counted(rows: Sequence[Row], name: str) -> int:
    return sum(row.get(name, 0) for row in rows)
