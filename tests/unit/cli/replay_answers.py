"""What the API says of replays, for the tests of their commands."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

REPLAY_ID = "0199b0f4-0000-7000-8000-000000000001"
ENTITY = {"entity_id": "depot-lyon", "start_time": "2025-11-28T00:00:00.000000000Z"}
REQUEST = {**ENTITY, "end_time": "2025-11-29T00:00:00.000000000Z"}


def preview(messages: int = 3, **members: Any) -> Json:
    """A preview, with everything on one day."""
    counted = {"2025-11-28": messages} if messages else {}
    return {
        "request": REQUEST,
        "messages": messages,
        "exact": True,
        "index_read_to": None,
        "scanned": messages,
        "by_day": counted,
        "by_source": {"depot/scanners": messages} if messages else {},
        "by_type": {"parcel.sorted": messages} if messages else {},
        "estimated_seconds": 2,
        "estimated_cost_usd": 0.0001,
        "advice": None if messages else "The entity has no event in this window.",
        **members,
    }


def job(state: str = "COMPLETE", **members: Any) -> Json:
    """A replay of three messages."""
    return {
        "replay_id": REPLAY_ID,
        "state": state,
        "request": REQUEST,
        "destination": "aggregates",
        "reports": True,
        "requested_by": "arn:aws:iam::000000000000:user/ana",
        "created_at": "2025-11-29T08:00:00.000000000Z",
        "updated_at": "2025-11-29T08:00:01.000000000Z",
        "index_read_to": None,
        "cancelled_by": None,
        "may_change_until": None,
        "dead_letters_until": None,
        "failure": None,
        "scanned": 3,
        "matched": 3,
        "sent": 3,
        "processed": 3 if state == "COMPLETE" else 0,
        "failed": 0,
        "dropped": 0,
        "advice": None,
        **members,
    }
