"""JSON shapes of what is in quarantine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib.ingest.rejection import body_members
from chalicelib.quarantine.retries import Listed, Retry, RetryResult
from chalicelib.quarantine.use_cases import FoundRejections, KeptRejection

Json = dict[str, Any]


def rejections(found: FoundRejections) -> Json:
    """A page of refused events, without their bodies."""
    return {"items": list(map(_listed, found.items)), "cursor": found.cursor}


def _listed(item: Listed) -> Json:
    return {
        "rejected_id": item.rejected_id,
        "status": item.status.value,
        "errors": [asdict(fault) for fault in item.faults],
        "ingest_time": item.ingest_time,
        "request_id": item.request_id,
        "size": item.size,
        "retried": item.retried,
    }


def rejection(found: KeptRejection) -> Json:
    """Everything that is kept of a refused event."""
    rejected = found.rejected
    return {
        "rejected_id": rejected.rejected_id,
        "status": rejected.status.value,
        "errors": [asdict(fault) for fault in rejected.faults],
        "ingest_time": rejected.ingest_time,
        "request_id": rejected.request_id,
        "size": len(rejected.body),
        "content_type": rejected.content_type,
        "headers": dict(rejected.headers),
        "conflicts": [asdict(conflict) for conflict in rejected.conflicts],
        **body_members(rejected.body),
        "retries": list(map(_retry, found.retries)),
    }


def _retry(retry: Retry) -> Json:
    return {
        "requested_at": retry.requested_at,
        "requested_by": retry.requested_by,
        "request_id": retry.request_id,
        "corrected": retry.corrected,
        "results": list(map(_result, retry.results)),
    }


def _result(result: RetryResult) -> Json:
    known = {"event_id": result.event_id, "rejected_id": result.rejected_id}
    return {"status": result.status.value} | {name: value for name, value in known.items() if value is not None}
