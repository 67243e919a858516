"""What the console shows of a deployment beside its API: events by the hour of a day, sources and types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.timestamps import Day
from retrace.checkup import PATIENCE
from retrace.client import Client
from retrace.problem import Problem
from retrace.target import Target

OUTCOMES = ("accepted", "duplicate", "conflict", "rejected")
HOURS = 24
MOST_PAGES = 50

_GROUPS = ("IngestLogs", "ApiLogs")
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000


def series_of_logs(target: Target, day: Day) -> dict[str, list[int]]:
    """A number for each outcome and hour of a day of receipt."""
    logs = target.client("logs", PATIENCE)
    start = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1_000)
    series = {outcome: [0] * HOURS for outcome in OUTCOMES}
    for group in logs.describe_log_groups()["logGroups"]:
        if group["logGroupName"].endswith(_GROUPS):
            for time, counts in _ingests(logs, group["logGroupName"], start):
                for outcome in OUTCOMES:
                    series[outcome][(time - start) // _HOUR_MS] += counts.get(outcome, 0)
    return series


def _ingests(logs: Any, group: str, start: int) -> Iterator[tuple[int, dict[str, int]]]:
    """The counts of each request that took events in, and when it was."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        startTime=start,
        endTime=start + _DAY_MS - 1,
        filterPattern='{ $.message = "ingest" && $.dry_run IS FALSE }',
    )
    for page in islice(pages, MOST_PAGES):
        for line in page["events"]:
            record = _parsed(line["message"])
            # Looked at once more, as not every implementation filters.
            if (
                record.get("message") == "ingest"
                and not record.get("dry_run")
                and 0 <= line["timestamp"] - start < _DAY_MS
            ):
                yield line["timestamp"], record["counts"]


def _parsed(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


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
            return {"series": None, "not_found": f"It has metrics of several deployments, or of none. {REMEDY}"}
        return {"series": _series(cloudwatch, service, day), "not_found": ""}
    except (BotoCoreError, ClientError, Problem) as error:
        # Without a name metrics have to be listed, which takes a right more.
        return {"series": None, "not_found": str(error) if target.stack else f"{error} {REMEDY}"}


def _only_service(cloudwatch: Any) -> str | None:
    """The deployment that there is, record by the name of its stack; it takes a right that no policy of ours gives."""
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


Pair = tuple[str, str]

MOST_SOURCES = 50
_SAMPLE = 256 * 1024
_PREFIX = "raw/source="


def sources_of(client: Client) -> Json:
    """Pairs of source and type, and why there are no more if that is known."""
    pairs: dict[Pair, None] = {}
    reason = ""
    try:
        pairs |= dict.fromkeys(_of_replays(client))
    except Problem as problem:
        reason = problem.what
    try:
        pairs |= dict.fromkeys(_of_bucket(client.target))
    except (BotoCoreError, ClientError, Problem) as error:
        reason = str(error)
    return {"items": [{"source": source, "event_type": kind} for source, kind in sorted(pairs)], "not_found": reason}


def _of_replays(client: Client) -> Iterator[Pair]:
    for job in client.get("/replay", {"limit": "25"})["items"]:
        request = job["request"]
        if request.get("source") and request.get("event_type"):
            yield request["source"], request["event_type"]


def _of_bucket(target: Target) -> Iterator[Pair]:
    bucket = target.stored_in("raw_bucket")
    s3 = target.client("s3", PATIENCE)
    for prefix in islice(_folders(s3, bucket, _PREFIX), MOST_SOURCES):
        source = unquote(prefix.removeprefix(_PREFIX).rstrip("/"))
        yield from ((source, kind) for kind in _types_in_newest(s3, bucket, prefix))


def _folders(s3: Any, bucket: str, prefix: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [folder["Prefix"] for folder in found.get("CommonPrefixes", [])]


def _types_in_newest(s3: Any, bucket: str, prefix: str) -> set[str]:
    """The types in the newest objects of the last day of a source: a sample, and no promise."""
    days = _folders(s3, bucket, f"{prefix}event_date=")
    if not days:
        return set()
    objects = s3.list_objects_v2(Bucket=bucket, Prefix=days[-1], MaxKeys=3).get("Contents", [])
    return {kind for one in objects for kind in _types_in(s3, bucket, one["Key"])}


def _types_in(s3: Any, bucket: str, key: str) -> Iterator[str]:
    sample = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_SAMPLE - 1}")["Body"].read()
    lines = sample.splitlines()
    for line in lines if len(sample) < _SAMPLE else lines[:-1]:
        # An object may be damaged; that is found elsewhere, and keeps nobody from seeing the others.
        with suppress(ValueError, AttributeError):
            kind = json.loads(line).get("event_type")
            if isinstance(kind, str):
                yield kind
