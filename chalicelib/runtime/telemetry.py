"""Metrics and logs: CloudWatch EMF and JSON lines on standard output, with ids and counts and never a payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from chalicelib.core.errors import IntegrityFailure, RetraceError
from chalicelib.events.arrivals import Arrival, Status

if TYPE_CHECKING:  # a cold function imports what it runs, and not what others report
    from chalicelib.digests.writer import DigestReport
    from chalicelib.ingest.report import IngestReport
    from chalicelib.processing.dead_letters import DeadLetterReport
    from chalicelib.processing.processor import ProcessReport
    from chalicelib.replays.job import ReplayJob
    from chalicelib.replays.tasks import ReplayTask
    from chalicelib.replays.worker import Worked

NAMESPACE = "Retrace"
_IDS_A_LINE = 20

# The docs list these names; a test compares the two.
METRICS = {
    "IngestAcceptedCount": "events accepted",
    "DuplicateCount": "events that are duplicates",
    "ConflictCount": "events whose identity belongs to other content",
    "RejectedCount": "events that were not valid",
    "UnrecordedArrivalCount": "duplicates and conflicts that DynamoDB did not confirm as recorded arrivals",
    "IngestLagMs": "milliseconds from event time to ingest time of accepted events, without those that are ahead",
    "ReplayRequestedCount": "replays asked for",
    "ReplayMessageCount": "messages that planners sent",
    "ProcessorMessageCount": "messages delivered to the processor",
    "ProcessorErrorCount": "messages that failed and went back to the queue",
    "ReplayDroppedCount": "messages of cancelled replays that were not processed",
    "DeadLetterCount": "messages put into the dead-letter queue",
    "IntegrityFailureCount": "messages and questions whose raw event is missing or not what was hashed",
    "AggregateWriteCount": "transactions that wrote an aggregate",
    "DigestCount": "digests written",
    "DigestObjectCount": "objects listed in digests",
    "DigestLagMs": "milliseconds from writing an object to its digest, of the one that waited longest",
}

# Both name the service as POWERTOOLS_SERVICE_NAME does, which is another for each stage.
logger = Logger()
_metrics = Metrics(namespace=NAMESPACE)


def flush_metrics(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware: write the metrics of an invocation out at its end, however it ends."""
    try:
        return get_response(event)
    finally:
        if _metrics.metric_set:
            _metrics.flush_metrics()


def _count(name: str, value: int) -> None:
    if value:
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def ingested(report: IngestReport, request_id: str, sent_by: str) -> None:
    """What a request brought."""
    counts = report.counts()
    ids = [result.stored.event_id for result in report.results if result.stored is not None]
    extra = {"request_id": request_id, "sent_by": sent_by, "dry_run": report.dry_run}
    logger.info("ingest", extra=extra | {"counts": counts, "event_ids": ids[:_IDS_A_LINE]})
    if report.dry_run:
        return
    _count("IngestAcceptedCount", counts["accepted"])
    _count("DuplicateCount", counts["duplicate"])
    _count("ConflictCount", counts["conflict"])
    _count("RejectedCount", counts["rejected"])
    _unrecorded(report.unrecorded, request_id)
    for result in report.results:
        if result.status is Status.ACCEPTED and result.stored is not None and not result.stored.is_ahead:
            _metrics.add_metric(name="IngestLagMs", unit=MetricUnit.Milliseconds, value=result.stored.ingest_lag_ms)


def _unrecorded(arrivals: Sequence[Arrival], request_id: str) -> None:
    if not arrivals:
        return
    ids = list(dict.fromkeys(arrival.event_id for arrival in arrivals))
    extra = {"request_id": request_id, "arrivals": len(arrivals), "event_ids": ids[:_IDS_A_LINE]}
    logger.warning("arrivals were not recorded", extra=extra)
    _count("UnrecordedArrivalCount", len(arrivals))


def replay_requested(job: ReplayJob, request_id: str) -> None:
    """Count a requested replay."""
    extra = {"request_id": request_id, "replay_id": job.replay_id, "requested_by": job.requested_by}
    logger.info("replay requested", extra=extra)
    _count("ReplayRequestedCount", 1)


def replay_controlled(job: ReplayJob, action: str, caller: str) -> None:
    """A replay was cancelled or redriven."""
    extra = {"replay_id": job.replay_id, "action": action, "caller": caller, "state": job.public_state.value}
    logger.info("replay controlled", extra=extra)


def worked_on(task: ReplayTask, worked: Worked) -> None:
    """A slice of a replay was planned, or of its dead letters moved."""
    extra = {"replay_id": task.replay_id, "sent": worked.sent}
    logger.info("dead letters redriven" if task.redrive else "replay planned", extra=extra)
    _count("ReplayMessageCount", worked.sent)
    if worked.not_found:
        extra = {"replay_id": task.replay_id, "failed": worked.not_found}
        logger.error("dead letters were not found", extra=extra)


def processed(report: ProcessReport) -> None:
    """A batch of messages was processed, or failed."""
    _failed(report.failures)
    logger.info("messages processed", extra={"messages": report.messages, "dropped": report.dropped})
    _count("ProcessorMessageCount", report.messages)
    _count("ProcessorErrorCount", len(report.failures))
    _count("ReplayDroppedCount", report.dropped)
    _count("IntegrityFailureCount", report.integrity_failures)
    _count("AggregateWriteCount", report.aggregate_writes)


def dead_lettered(report: DeadLetterReport) -> None:
    """Messages were received too often, and are kept."""
    _failed(report.failures)
    for message_id, letter in report.kept.items():
        extra: dict[str, object] = {"message_id": message_id, "failure": letter.failure.value, "reason": letter.reason}
        if letter.message is not None:
            extra |= {"replay_id": letter.message.replay_id, "event_ids": [letter.message.event_id]}
        logger.error("message is a dead letter", extra=extra)
    _count("DeadLetterCount", len(report.kept))


def digested(report: DigestReport) -> None:
    """Digests were written, or another run was first."""
    _failed(report.failures)
    extra = {"sequences": [head.sequence for head in report.heads], "write_conflict": report.write_conflict}
    logger.info("digests written", extra=extra)
    _count("DigestCount", len(report.heads))
    _count("DigestObjectCount", sum(head.objects for head in report.heads))
    if report.longest_lag_ms is not None:
        _metrics.add_metric(name="DigestLagMs", unit=MetricUnit.Milliseconds, value=report.longest_lag_ms)


def request_failed(error: RetraceError) -> None:
    """A request could not be served, through no fault of its own."""
    logger.error("request failed", exc_info=error)
    _count("IntegrityFailureCount", isinstance(error, IntegrityFailure))


def _failed(failures: Mapping[str, RetraceError]) -> None:
    for message_id, error in failures.items():
        reason = {"reason": str(error), "cause": str(error.__cause__ or "")}
        logger.error("message failed", extra={"message_id": message_id} | reason)
