"""The messages on ReplayJobsQueue: which replay to work on, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass

RECEIVES = 5
"""A planner that fails at this receive of its task, or at a later one, gives its job up."""

RECEIVES_IN_VAIN = 50
"""After this many, no planner has come to an end: the next one gives the job up. It is almost four hours.

If Lambda throttles planners, SQS counts receives that no planner has seen. maxReceiveCount in infra/resources.yaml is
twice as much, so that there is a planner to say so.
"""

LOOKS = 5
"""How often a redrive looks again for dead letters that it did not find."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """Plan a slice of a replay (`unless_planned`: if no planner had it), or move a slice of its dead letters back.

    `waited_s` is how many seconds the queue has kept it back.
    """

    replay_id: str
    redrive: bool = False
    unless_planned: bool = False
    waited_s: int = 0
    looks: int = LOOKS

    @property
    def body(self) -> str:
        """The message."""
        if self.redrive:
            return json.dumps({"redrive": self.replay_id, "looks": self.looks})
        more = {"unless_planned": self.unless_planned, "waited_s": self.waited_s}
        return json.dumps({"replay_id": self.replay_id} | {name: value for name, value in more.items() if value})


def parse_task(body: str) -> ReplayTask:
    """Read a message; only Retrace writes them."""
    members = json.loads(body)
    if "redrive" in members:
        return ReplayTask(members["redrive"], redrive=True, looks=members["looks"])
    replay_id, unless_planned = members["replay_id"], members.get("unless_planned", False)
    return ReplayTask(replay_id, unless_planned=unless_planned, waited_s=members.get("waited_s", 0))
