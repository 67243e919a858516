"""A queue in SQS that a function is called from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.aws.sqs_batches import delete_deliveries
from chalicelib.core.ports import Delivery

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class SqsDeliveryQueue:
    """ReplayQueue, or the queue of messages that were received too often."""

    sqs: SQSClient
    queue_url: str

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries off the queue. One that stays is delivered again, which changes nothing."""
        with translated("acknowledging messages"):
            delete_deliveries(self.sqs, self.queue_url, deliveries)
