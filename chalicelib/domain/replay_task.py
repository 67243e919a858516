"""The messages on ReplayJobsQueue: which replay to work on, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass

RECEIVES = 5
"""After so many, SQS gives a message to the dead-letter queue: maxReceiveCount in infra/resources.yaml."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """Plan a slice of a replay, or move a slice of its dead letters back."""

    replay_id: str
    redrive: bool = False

    @property
    def body(self) -> str:
        """The message."""
        return json.dumps({"redrive" if self.redrive else "replay_id": self.replay_id})


def parse_task(body: str) -> ReplayTask:
    """Read a message; only Retrace writes them."""
    members = json.loads(body)
    return ReplayTask(members["redrive"], redrive=True) if "redrive" in members else ReplayTask(members["replay_id"])
