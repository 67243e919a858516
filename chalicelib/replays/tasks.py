"""The messages on ReplayJobsQueue: which replay to work on, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from chalicelib.core.timestamps import Instant, nanoseconds

RECEIVES = 5
"""A planner that fails at this receive of its task, or at a later one, gives its job up."""

RECEIVES_IN_VAIN = 50
"""After this many, no planner has come to an end: the next one gives the job up. It is almost four hours.

If Lambda throttles planners, SQS counts receives that no planner has seen. maxReceiveCount in infra/resources.yaml is
twice as much, so that there is a planner to say so.
"""

LOOKS = 5
"""How often a redrive looks again for dead letters that it did not find."""

PASS_S = 60
LONG_PASS_S = 899
"""A redrive goes through all dead letters, and hides each that it receives for this long so that it receives it once.

Redrives of other replays wait for what is hidden. So a pass is short, and is begun again as a long one only if it did
not come through.
"""

LONG_PASSES = 96
"""A day of them. What is dead again after a redrive has sent it back is not sent back for ever."""

TIMES_SENT = 10
"""Nor is more sent back than so many times what the replay sent. Planners that die leave a message more than once."""

_LAST_LOOKS = 2
"""The last ones wait for as long as another redrive can hide what is looked for."""
SLICE_S = 30
"""Longer than a slice of a redrive lasts."""

_OF_A_PASS = ("began_at", "passes", "has_moved", "moved")


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """Plan a slice of a replay (`unless_planned`: if no planner had it), or move a slice of its dead letters back.

    `waited_s` is how many seconds the queue has kept it back. A redrive began its pass of at most `pass_s` seconds at
    `began_at`, after `passes` others that ended before the queue did, and `has_moved` letters in it or may have. It has
    `moved` so many in all.
    """

    replay_id: str
    redrive: bool = False
    unless_planned: bool = False
    waited_s: int = 0
    looks: int = LOOKS
    pass_s: int = PASS_S
    began_at: Instant | None = None
    passes: int = 0
    has_moved: bool = False
    moved: int = 0

    @property
    def body(self) -> str:
        """The message."""
        if self.redrive:
            more = {name: value for name in _OF_A_PASS if (value := getattr(self, name))}
            return json.dumps({"redrive": self.replay_id, "looks": self.looks, "pass_s": self.pass_s} | more)
        more = {"unless_planned": self.unless_planned, "waited_s": self.waited_s}
        return json.dumps({"replay_id": self.replay_id} | {name: value for name, value in more.items() if value})


def parse_task(body: str) -> ReplayTask:
    """Read a message; only Retrace writes them."""
    members = json.loads(body)
    if "redrive" in members:
        more = {name: members[name] for name in ("pass_s", *_OF_A_PASS) if name in members}
        return ReplayTask(members["redrive"], redrive=True, looks=members["looks"], **more)
    replay_id, unless_planned = members["replay_id"], members.get("unless_planned", False)
    return ReplayTask(replay_id, unless_planned=unless_planned, waited_s=members.get("waited_s", 0))


@dataclass(frozen=True, slots=True)
class NextTask:
    """What to do next, and after how many seconds."""

    task: ReplayTask
    delay_s: int = 0


def redrive_after(task: ReplayTask, now: Instant, *, came_through: bool, missing: bool, sent: int) -> NextTask | None:
    """The task that continues a redrive after a slice; None if it is over.

    `came_through` says that the slice found the queue empty, `missing` that dead letters of the replay may be left. As
    long as passes move letters and do not come through, a pass follows a pass, and no look is used up. `sent` is how
    many messages the replay sent.
    """
    if task.moved >= TIMES_SENT * max(sent, 1):
        return None
    began_at = task.began_at or now
    elapsed_s = (nanoseconds(now) - nanoseconds(began_at)) // 1_000_000_000
    if not came_through and elapsed_s + SLICE_S < task.pass_s:
        return NextTask(replace(task, began_at=began_at))
    again = replace(task, began_at=None, has_moved=False)
    if not missing:
        return None
    goes_on = task.pass_s < LONG_PASS_S or (task.has_moved and task.passes < LONG_PASSES)
    if not came_through and goes_on:
        return NextTask(replace(again, pass_s=LONG_PASS_S, passes=task.passes + 1))
    if task.looks == 0:
        return None
    hidden_s = max(task.pass_s, LONG_PASS_S if task.looks <= _LAST_LOOKS else PASS_S)
    return NextTask(replace(again, looks=task.looks - 1), hidden_s + 1)
