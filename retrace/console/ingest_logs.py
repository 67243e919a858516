"""What was accepted, repeated, in conflict and refused, hour by hour, as the logs of a local stack tell it.

The embedded AWS makes no metrics of log lines, as CloudWatch does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from chalicelib.core.timestamps import Day
from retrace.checkup import PATIENCE
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
            told = _parsed(line["message"])
            # Looked at once more, as not every implementation filters.
            if told.get("message") == "ingest" and not told.get("dry_run") and 0 <= line["timestamp"] - start < _DAY_MS:
                yield line["timestamp"], told["counts"]


def _parsed(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
