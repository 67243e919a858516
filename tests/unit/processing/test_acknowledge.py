"""Settling: only what was processed leaves the queue, whichever way failures can be reported."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import MessagesFailed, RetraceError, TryAgain
from chalicelib.core.ports import Delivery
from chalicelib.processing.processor import AcknowledgeBatch
from tests.unit.ledger_in_memory import AcknowledgedDeliveries

DELIVERIES = [Delivery(f"message-{number}", f"receipt-{number}", "{}") for number in range(3)]
FAILURES: dict[str, RetraceError] = {"message-1": TryAgain("later")}


def test_failures_are_named_where_the_response_is_read() -> None:
    queue = AcknowledgedDeliveries()

    response = AcknowledgeBatch(queue, partial_responses=True).acknowledge(DELIVERIES, FAILURES)

    assert response == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert queue.deliveries == []


def test_elsewhere_the_others_are_acknowledged_and_the_invocation_fails() -> None:
    queue = AcknowledgedDeliveries()

    with pytest.raises(MessagesFailed, match="1 of 3"):
        AcknowledgeBatch(queue, partial_responses=False).acknowledge(DELIVERIES, FAILURES)

    assert [delivery.message_id for delivery in queue.deliveries] == ["message-0", "message-2"]


@pytest.mark.parametrize("partial_responses", [True, False])
def test_without_failures_the_whole_batch_is_left_to_lambda(*, partial_responses: bool) -> None:
    queue = AcknowledgedDeliveries()

    assert AcknowledgeBatch(queue, partial_responses).acknowledge(DELIVERIES, {}) == {"batchItemFailures": []}
    assert queue.deliveries == []
