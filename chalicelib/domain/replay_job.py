"""A replay as a job: its states, its place in the index, and its counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.replay_request import ReplayRequest
from chalicelib.domain.timestamps import Instant


class JobState(StrEnum):
    """PLANNING → SENDING → SENT → COMPLETE, or CANCELLED, or FAILED."""

    PLANNING = "PLANNING"
    SENDING = "SENDING"
    SENT = "SENT"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


UNPLANNED = (JobState.PLANNING, JobState.SENDING)
"""States in which a planner still has pages to read."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far planning has come: the partition it is in, and the last index sort key it has sent from it."""

    partition: int = 0
    after: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A replay and how far it is.

    `shards` is how many shards the type-and-day index had when the job was made. `revision` counts the planner's
    commits: a commit holds only for the revision it was planned from. `committed_by` names the last one.
    """

    replay_id: str
    request: ReplayRequest
    requested_by: str
    created_at: Instant
    shards: int
    state: JobState = JobState.PLANNING
    cursor: Cursor = Cursor()
    revision: int = 0
    committed_by: str = ""
    scanned: int = 0
    matched: int = 0
    sent: int = 0
    processed: int = 0
    failed: int = 0

    @property
    def public_state(self) -> JobState:
        """The state callers see: a sent job is complete once each of its messages was processed."""
        if self.state is JobState.SENT and self.processed >= self.sent:
            return JobState.COMPLETE
        return self.state
