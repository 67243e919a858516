"""What a worker tells of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ready:
    """It begins to listen to its queue."""


@dataclass(frozen=True, slots=True)
class Received:
    """It was given messages, and is about to ask for more; the handles that bring them back."""

    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """Its function works on what it was given: on how many messages, received how often at most, of which replay."""

    messages: int
    receives: int
    replay_id: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """SQS or EventBridge took so many messages of replays in one call."""

    messages: int


@dataclass(frozen=True, slots=True)
class Ended:
    """It is done with them, and those that did not fail are off the queue.

    `repeated` of them were put onto the queue a second time. `transactions` were written, `cancelled` of them in vain.
    """

    messages: int
    failed: int
    repeated: int
    transactions: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Over:
    """It was asked to end: the most memory that the process had."""

    resident_bytes: int


Report = Ready | Received | Began | Sent | Ended | Over
