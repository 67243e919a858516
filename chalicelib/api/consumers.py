"""The handlers of queues and of the schedule."""

from __future__ import annotations

from chalice.app import SQSEvent, SQSRecord

from chalicelib.core.ports import Delivery
from chalicelib.processing.processor import BatchResponse
from chalicelib.replays.tasks import parse_task
from chalicelib.runtime import consumer_wiring, deadline, telemetry


def plan(event: SQSEvent) -> None:
    """ReplayJobsQueue."""
    for record in event:
        task = parse_task(record.body)
        worked = consumer_wiring.work_on_replay().work(task, deadline.time_left_ms, _times_received(record))
        telemetry.worked_on(task, worked)


def _times_received(record: SQSRecord) -> int:
    """How often SQS has given out a message, this time included."""
    return int(record.to_dict()["attributes"]["ApproximateReceiveCount"])


def process(event: SQSEvent) -> BatchResponse:
    """ReplayQueue."""
    deliveries = _deliveries(event)
    report = consumer_wiring.process_batch().process(deliveries)
    telemetry.processed(report)
    return consumer_wiring.acknowledge_batch().acknowledge(deliveries, report.failures)


def record_dead_letters(event: SQSEvent) -> BatchResponse:
    """ReplayFailuresQueue."""
    deliveries = _deliveries(event)
    report = consumer_wiring.record_dead_letters().record(deliveries)
    telemetry.dead_lettered(report)
    return consumer_wiring.acknowledge_dead_letters().acknowledge(deliveries, report.failures)


def _deliveries(event: SQSEvent) -> list[Delivery]:
    return [Delivery(record.to_dict()["messageId"], record.receipt_handle, record.body) for record in event]


def write_digests() -> None:
    """The hourly schedule."""
    if (digests := consumer_wiring.write_digests()) is not None:
        telemetry.digested(digests.write(deadline.time_left_ms))
