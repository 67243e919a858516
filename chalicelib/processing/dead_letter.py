"""A message in the dead-letter queue, and why it could not be processed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.errors import (
    IntegrityFailure,
    InvalidRequest,
    Oversized,
    PermanentError,
    RawObjectMissing,
    RetraceError,
    UnknownReplay,
    UnknownSchema,
    WrongBucket,
)
from chalicelib.replays.messages import ReplayMessage

_LONGEST_REASON = 1_000


class Failure(StrEnum):
    """What kind of trouble a dead letter has; a public contract, for programs that sort them."""

    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    UNKNOWN_SCHEMA = "unknown-schema"
    WRONG_BUCKET = "wrong-bucket"
    UNKNOWN_REPLAY = "unknown-replay"
    MISSING_OBJECT = "missing-object"
    INTEGRITY = "integrity"
    STORAGE = "storage"
    CONSUMER = "consumer"


# A kind of error stands before those that it is a kind of.
_FAILURES: Mapping[type[RetraceError], Failure] = {
    Oversized: Failure.OVERSIZED,
    UnknownSchema: Failure.UNKNOWN_SCHEMA,
    WrongBucket: Failure.WRONG_BUCKET,
    UnknownReplay: Failure.UNKNOWN_REPLAY,
    InvalidRequest: Failure.MALFORMED,
    RawObjectMissing: Failure.MISSING_OBJECT,
    IntegrityFailure: Failure.INTEGRITY,
    RetraceError: Failure.STORAGE,
}

_VALID = (
    "Message and event are valid, so the processor or your consumer failed with it. The processor logs every failure"
    " under message_id {message_id}. A redrive fails again for as long as that cause is there."
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was received too often, what it says if it is of a replay, and what is wrong with it."""

    body: str
    message: ReplayMessage | None
    failure: Failure
    reason: str

    @property
    def attributes(self) -> dict[str, str]:
        """What receivers can choose by without parsing the body."""
        of_message = self.message.attributes if self.message else {}
        return of_message | {"failure": self.failure.value, "reason": self.reason}


def dead_letter(body: str, message: ReplayMessage | None, error: RetraceError | None, message_id: str) -> DeadLetter:
    """A message as it is laid to rest; without an error neither it nor its event is why it failed."""
    if error is None:
        return DeadLetter(body, message, Failure.CONSUMER, _VALID.format(message_id=message_id))
    failure = next(_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES)
    return DeadLetter(body, message, failure, _reason(error))


def _reason(error: RetraceError) -> str:
    """An error with its faults, as SQS takes it whatever names it holds: short, and in visible ASCII."""
    faults = error.faults if isinstance(error, PermanentError) else ()
    details = "; ".join(f"{fault.field} {fault.message}".strip() for fault in faults)
    said = f"{error} ({details})" if details else str(error)
    visible = said.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in visible)[:_LONGEST_REASON]
