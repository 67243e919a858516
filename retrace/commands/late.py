"""`retrace late`: lists late events, or counts them by source, type and hour."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from retrace.context import AsJson, Limit, command_context
from retrace.event_table import (
    PAGE,
    ArrivedOn,
    ArrivedSince,
    ArrivedUntil,
    OfSource,
    OfType,
    arrival,
    event_columns,
    list_events,
)
from retrace.known_sources import or_unknown
from retrace.output import Column, Json, Output, duration, short_time

_A_BACKFILL = 10
"""As many late events a request, or more, are a backfill."""


def late(
    context: typer.Context,
    source: OfSource = None,
    event_type: OfType = None,
    day: ArrivedOn = None,
    since: ArrivedSince = None,
    until: ArrivedUntil = None,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """List late events by time of arrival, the latest of each day first. Default: --day today.

    retrace late
    retrace late shop/checkout --since 2h
    retrace late --day yesterday --limit 1000
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {"source": source, "event_type": event_type, **arrival(call, ("today", None), day, since, until)}
    groups = [] if output.as_json else list(call.client.pages("/late/summary", query))
    total = sum(group["events"] for group in groups)
    if total > limit:
        output.rows(groups, _GROUPS, "")
    else:
        page = {**query, "limit": str(min(limit, PAGE))}
        items = or_unknown(call.client, call.client.pages("/late", page, limit), source, event_type)
        list_events(output, items, limit, _NOTHING, _columns(output))
    if total:
        output.say(_shape(groups, total))
        output.say("Which numbers lack them: retrace stale", "dim")
    if total > limit:
        output.note(f"Up to --limit {limit} events are listed one by one. See fewer: --since, --until, SOURCE, --type")


_NOTHING = "Nothing came late: no event that arrived then is older than LateAfterSeconds (an hour by default)."

_GROUPS = (
    Column("arrived (UTC)", lambda group: f"{short_time(group['hour'])[:13]}h", whole=True),
    Column("source", lambda group: group["source"]),
    Column("type", lambda group: group["event_type"]),
    Column("events", lambda group: f"{group['events']:,}", number=True),
    Column("requests", lambda group: f"{group['requests']:,}", number=True),
    Column("up to", lambda group: duration(group["max_lag_ms"]), number=True),
)


def _columns(output: Output) -> tuple[Column, ...]:
    """Those of a list of events, with the time of arrival, which on a narrow terminal replaces the event's own."""
    when, *others = event_columns(output)
    arrived = Column("arrived (UTC)", lambda item: short_time(item["ingest_time"])[:19], whole=True)
    return (arrived, when, *others) if output.console.width > _WITH_BOTH_TIMES else (arrived, *others)


_WITH_BOTH_TIMES = 100


def _shape(groups: Iterable[Json], total: int) -> str:
    """How many came late, and how many of them in backfills."""
    filled = [group for group in groups if group["events"] >= _A_BACKFILL * group["requests"]]
    count, requests = (sum(group[name] for group in filled) for name in ("events", "requests"))
    if not filled:
        return f"{total:,} came late, no more than {_A_BACKFILL - 1} a request."
    first, last = (min(filled, key=_hour)["first_arrival"], max(filled, key=_hour)["last_arrival"])
    times = f"from {short_time(first)[:19]} to {short_time(last)[:19]}"
    return f"{total:,} came late, {count:,} of them as a backfill: in {requests:,} requests {times}."


def _hour(group: Json) -> str:
    return str(group["hour"])
