"""The messages on ReplayJobsQueue: which replay to work on, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass

RECEIVES = 5
"""After so many, SQS gives a message to the dead-letter queue: maxReceiveCount in infra/resources.yaml."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """Plan a slice of a replay (`unless_planned`: if no planner had it), or move a slice of its dead letters back."""

    replay_id: str
    redrive: bool = False
    unless_planned: bool = False

    @property
    def body(self) -> str:
        """The message."""
        members = {"redrive" if self.redrive else "replay_id": self.replay_id}
        return json.dumps(members | ({"unless_planned": True} if self.unless_planned else {}))


def parse_task(body: str) -> ReplayTask:
    """Read a message; only Retrace writes them."""
    members = json.loads(body)
    if "redrive" in members:
        return ReplayTask(members["redrive"], redrive=True)
    return ReplayTask(members["replay_id"], unless_planned=members.get("unless_planned", False))
