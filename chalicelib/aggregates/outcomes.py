"""What becomes of the messages of a replay: each has one outcome, and counts once however often it is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.timestamps import Instant
from chalicelib.replays.messages import Duplicate


class Outcome(StrEnum):
    """What became of a message. FAILED and REDRIVEN are open, as is a message without outcome; the others are final."""

    INPUT = "INPUT"
    """Its event is an input of the aggregate."""
    DUPLICATE = "REPEATED"
    """It is about a duplicate of an event, which is not an input."""
    FAILED = "FAILED"
    """It is a dead letter, or was until that expired."""
    REDRIVEN = "REDRIVEN"
    """It was in the dead-letter queue, and is on its way again."""
    DROPPED = "DROPPED"
    """Its replay was cancelled before it was processed."""

    @property
    def final(self) -> bool:
        """Whether nothing else can become of the message."""
        return self in (Outcome.INPUT, Outcome.DUPLICATE, Outcome.DROPPED)


@dataclass(frozen=True, slots=True)
class MessageKey:
    """Distinguishes the messages of a version: time and id of the event, and the arrival that it represents."""

    event_time: Instant
    event_id: str
    duplicate: Duplicate | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a replay came to which end."""

    processed: int = 0
    failed: int = 0
    dropped: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of both."""
        return Counts(self.processed + other.processed, self.failed + other.failed, self.dropped + other.dropped)

    def __sub__(self, other: Counts) -> Counts:
        """What has to be added to the other to get this."""
        return Counts(self.processed - other.processed, self.failed - other.failed, self.dropped - other.dropped)


def next_outcome(recorded: Outcome | None, asked: Outcome) -> Outcome | None:
    """Return the outcome to record of a message: the first final one is kept.

    Only a message that was recorded as a dead letter is redriven; one that never was stays without outcome.
    """
    if recorded is not None and recorded.final:
        return recorded
    if asked is Outcome.REDRIVEN and recorded is None:
        return None
    return asked


def count_delta(before: Outcome | None, now: Outcome | None) -> Counts:
    """What a replay's counts change by when a message's outcome does."""
    return _counted(now) - _counted(before)


def _counted(outcome: Outcome | None) -> Counts:
    match outcome:
        case Outcome.INPUT | Outcome.DUPLICATE:
            return Counts(processed=1)
        case Outcome.FAILED:
            return Counts(failed=1)
        case Outcome.DROPPED:
            return Counts(dropped=1)
        case _:
            return Counts()
