"""What processing and dead letters need from storage and queues, in domain terms; adapters provide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.aggregates.ledger import Changes, Ledger, OutcomeRecord
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Instant
from chalicelib.processing.dead_letter import DeadLetter
from chalicelib.replays.messages import ReplayMessage


class AggregateStore(Protocol):
    """The ledger: what became of messages, and the versions of daily aggregates."""

    def read(self, records: Sequence[OutcomeRecord]) -> Ledger:
        """What is recorded of messages, and the versions that inputs are to be added to; at most 100 rows."""

    def write(self, changes: Changes, now: Instant) -> None:
        """Write outcomes, aggregates and the progress of replays, at most 100 rows, all or nothing.

        Raises WriteConflict if any of it has changed since it was read: VersionConflict if it is known how it is now.
        """


class DeliveryQueue(Protocol):
    """The queue that deliveries came from."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries off the queue."""


class DeadLetterQueue(DeliveryQueue, Protocol):
    """Where messages rest that could not be processed."""

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Put messages on the queue, each with its reason; returns when every one of them is there."""

    def receive(self, hidden_s: int) -> list[Delivery]:
        """At most ten messages, hidden from all receivers for this long. None only if none is visible."""

    def send_back(self, messages: Sequence[tuple[str, ReplayMessage]]) -> None:
        """Send messages to ReplayQueue again; returns when every one of them is there."""
