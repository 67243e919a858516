"""What was accepted, repeated, in conflict and refused, hour by hour of a day, as CloudWatch counted it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.timestamps import Day
from retrace.checkup import PATIENCE
from retrace.console.ingest_logs import HOURS, series_of_logs
from retrace.problem import Problem
from retrace.target import Target

Json = dict[str, Any]

NAMESPACE = "Retrace"
NAMES = {
    "accepted": "IngestAcceptedCount",
    "duplicate": "DuplicateCount",
    "conflict": "ConflictCount",
    "rejected": "RejectedCount",
}


def metrics_of(target: Target, day: Day) -> Json:
    """A number for each hour, or why there are none."""
    try:
        if target.is_local:
            return {"series": series_of_logs(target, day), "not_found": ""}
        cloudwatch = target.client("cloudwatch", PATIENCE)
        service = _service(cloudwatch, target.stack)
        if service is None:
            return {"series": None, "not_found": "CloudWatch has no metrics of one Retrace, and of no more than one."}
        return {"series": _series(cloudwatch, service, day), "not_found": ""}
    except (BotoCoreError, ClientError, Problem) as error:
        return {"series": None, "not_found": str(error)}


def _service(cloudwatch: Any, stack: str | None) -> str | None:
    """Which deployment is meant: metrics are told apart by the name of its stack."""
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName=NAMES["accepted"])["Metrics"]
    services: set[str] = {one["Value"] for metric in listed for one in metric["Dimensions"] if one["Name"] == "service"}
    if stack in services or len(services) != 1:
        return stack if stack in services else None
    return services.pop()


def _series(cloudwatch: Any, service: str, day: Day) -> Json:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    asked = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": "service", "Value": service}],
                },
                "Period": 3600,
                "Stat": "Sum",
            },
        }
        for name, metric in NAMES.items()
    ]
    found = cloudwatch.get_metric_data(MetricDataQueries=asked, StartTime=start, EndTime=start + timedelta(days=1))
    series = {name: [0] * HOURS for name in NAMES}
    for result in found["MetricDataResults"]:
        for time, value in zip(result["Timestamps"], result["Values"], strict=True):
            series[result["Id"]][time.astimezone(UTC).hour] += round(value)
    return series
