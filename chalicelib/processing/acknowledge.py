"""Acknowledge what was processed, and only that, whichever way the application was deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core.errors import MessagesFailed, RetraceError
from chalicelib.core.ports import Delivery
from chalicelib.processing.ports import DeliveryQueue

BatchResponse = dict[str, list[dict[str, str]]]


@dataclass(frozen=True)
class AcknowledgeBatch:
    """How a batch from a queue ends.

    Lambda reads a partial batch response only where the event source mapping says so (FunctionResponseTypes), which
    `chalice deploy` cannot set; anywhere else the same response would acknowledge the failed messages too. There the
    processed ones are deleted one by one and the invocation fails, so that just the failed ones are delivered again.
    """

    queue: DeliveryQueue
    partial_responses: bool

    def acknowledge(self, deliveries: Sequence[Delivery], failures: Mapping[str, RetraceError]) -> BatchResponse:
        """The invocation's response; raises MessagesFailed if a response cannot name the failed messages."""
        if failures and not self.partial_responses:
            self.queue.acknowledge([delivery for delivery in deliveries if delivery.message_id not in failures])
            raise MessagesFailed(f"{len(failures)} of {len(deliveries)} messages failed and go back to the queue.")
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}
