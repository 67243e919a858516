"""Answers about replays."""

from __future__ import annotations

from typing import Literal

from chalicelib.contract.shapes import Count, Shape, Time
from chalicelib.domain.replay_request import ReplayRequest


class ReplayAnswer(Shape):
    """A replay and how far it is."""

    replay_id: str
    state: Literal["PLANNING", "SENDING", "SENT", "COMPLETE", "CANCELLED", "FAILED"]
    request: ReplayRequest
    requested_by: str
    created_at: Time
    scanned: Count
    matched: Count
    sent: Count
    processed: Count
    failed: Count
