"""What was received in a window, as CloudWatch or the logs of a local stack count it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retrace.checkup import PATIENCE
from retrace.console.picture import Frame
from retrace.problem import Problem
from retrace.target import Target

Json = dict[str, Any]

NAMESPACE = "Retrace"
METRICS = {
    "accepted": "IngestAcceptedCount",
    "duplicate": "DuplicateCount",
    "conflict": "ConflictCount",
    "rejected": "RejectedCount",
}
"""Of each outcome, the metric that counts it."""
REMEDY = "Write `stack` into the profile, or give --stack."
MOST_PAGES = 50

_GROUPS = ("IngestLogs", "ApiLogs")


def metrics_of(target: Target, frame: Frame) -> Json:
    """A number for each bin of a window of receipt, or why there are none."""
    return {"first": frame.first, "width": frame.width, **_found(target, frame)}


def _found(target: Target, frame: Frame) -> Json:
    try:
        if target.is_local:
            return {"series": series_of_logs(target, frame), "not_found": ""}
        cloudwatch = target.client("cloudwatch", PATIENCE)
        service = target.stack or _only_service(cloudwatch)
        if service is None:
            return {"series": None, "not_found": f"It has metrics of several deployments, or of none. {REMEDY}"}
        return {"series": _series_of_metrics(cloudwatch, service, frame), "not_found": ""}
    except (BotoCoreError, ClientError, Problem) as error:
        # Without a name, metrics have to be listed, which takes one right more.
        return {"series": None, "not_found": str(error) if target.stack else f"{error} {REMEDY}"}


def _only_service(cloudwatch: Any) -> str | None:
    """The name of the only deployment that has metrics. To list metrics takes a right that no policy of ours gives."""
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName=METRICS["accepted"])["Metrics"]
    services: set[str] = {one["Value"] for metric in listed for one in metric["Dimensions"] if one["Name"] == "service"}
    return services.pop() if len(services) == 1 else None


def _series_of_metrics(cloudwatch: Any, service: str, frame: Frame) -> Json:
    start, end = (datetime.fromtimestamp(ms / 1_000, UTC) for ms in (frame.first, _end(frame)))
    asked = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": "service", "Value": service}],
                },
                "Period": frame.width // 1_000,
                "Stat": "Sum",
            },
        }
        for name, metric in METRICS.items()
    ]
    found = cloudwatch.get_metric_data(MetricDataQueries=asked, StartTime=start, EndTime=end)
    series = _zeros(frame)
    for result in found["MetricDataResults"]:
        for time, value in zip(result["Timestamps"], result["Values"], strict=True):
            place = (round(time.timestamp() * 1_000) - frame.first) // frame.width
            series[result["Id"]][place] += round(value)
    return series


def series_of_logs(target: Target, frame: Frame) -> dict[str, list[int]]:
    """A number for each outcome and bin of a window of receipt."""
    logs = target.client("logs", PATIENCE)
    series = _zeros(frame)
    for group in logs.describe_log_groups()["logGroups"]:
        if group["logGroupName"].endswith(_GROUPS):
            for time, counts in _ingests(logs, group["logGroupName"], frame):
                for outcome in METRICS:
                    series[outcome][(time - frame.first) // frame.width] += counts.get(outcome, 0)
    return series


def _ingests(logs: Any, group: str, frame: Frame) -> Iterator[tuple[int, dict[str, int]]]:
    """The counts of each request that took events in, and when it was."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        startTime=frame.first,
        endTime=_end(frame) - 1,
        filterPattern='{ $.message = "ingest" && $.dry_run IS FALSE }',
    )
    for page in islice(pages, MOST_PAGES):
        for line in page["events"]:
            record = _parsed(line["message"])
            # Checked again, as not every implementation filters.
            if (
                record.get("message") == "ingest"
                and not record.get("dry_run")
                and frame.first <= line["timestamp"] < _end(frame)
            ):
                yield line["timestamp"], record["counts"]


def _zeros(frame: Frame) -> dict[str, list[int]]:
    return {outcome: [0] * frame.bins for outcome in METRICS}


def _end(frame: Frame) -> int:
    """Where the last bin ends."""
    return frame.first + frame.bins * frame.width


def _parsed(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
