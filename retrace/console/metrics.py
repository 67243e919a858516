"""What was accepted, repeated, in conflict and refused, hour by hour of a day, as CloudWatch counted it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.timestamps import Day
from retrace.checkup import PATIENCE
from retrace.console.ingest_logs import HOURS, series_of_logs
from retrace.problem import Problem
from retrace.target import Target

Json = dict[str, Any]

NAMESPACE = "Retrace"
REMEDY = "Write `stack` into the profile, or give --stack."
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
        service = target.stack or _only_service(cloudwatch)
        if service is None:
            return {"series": None, "not_found": f"It has metrics of several Retraces, or of none. {REMEDY}"}
        return {"series": _series(cloudwatch, service, day), "not_found": ""}
    except (BotoCoreError, ClientError, Problem) as error:
        # Without a name metrics have to be listed, which takes a right more.
        return {"series": None, "not_found": str(error) if target.stack else f"{error} {REMEDY}"}


def _only_service(cloudwatch: Any) -> str | None:
    """The deployment that there is, told by the name of its stack; it takes a right that no policy of ours gives."""
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName=NAMES["accepted"])["Metrics"]
    services: set[str] = {one["Value"] for metric in listed for one in metric["Dimensions"] if one["Name"] == "service"}
    return services.pop() if len(services) == 1 else None


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
