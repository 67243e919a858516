"""Counts the events of a source and type in bins of a window."""

from __future__ import annotations

from typing import Any

from retrace.client import Client
from retrace.console.gathering import PAGE, Wanted, milliseconds

Json = dict[str, Any]

MOST_COUNTED = 20_000
"""How many events of a source and type are read for an overview; each page of a thousand is a call."""


def counts(client: Client, wanted: Wanted) -> Json:
    """Events and late ones in each bin, and up to which time they were read if there are more."""
    frame = wanted.frame
    found: Json = {"first": frame.first, "width": frame.width, "all": [0] * frame.bins, "late": [0] * frame.bins}
    window = {"start_time": wanted.start, "end_time": wanted.end, "limit": PAGE}
    read, until = 0, None
    for item in client.pages("/events", {**dict(wanted.selection), **window}, MOST_COUNTED):
        time = milliseconds(item["event_time"])
        place = (time - frame.first) // frame.width
        found["all"][place] += 1
        found["late"][place] += item["ingest_lag_ms"] >= wanted.late_ms
        read, until = read + 1, time
    return {**found, "until": until if read == MOST_COUNTED else None}
