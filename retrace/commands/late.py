"""`retrace late` lists or counts late events, `retrace stale` the numbers that lack them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import typer

from retrace.answer import Answer
from retrace.client import Client
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
from retrace.known_names import or_unknown, require_known
from retrace.output import Column, Json, Output, duration, short_time
from retrace.replay_request import command_of

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
        list_events(output, items, limit, _NOTHING_LATE, _columns(output))
    if total:
        output.say(_shape(groups, total))
        output.say("Which numbers lack them: retrace stale", "dim")
    if total > limit:
        output.note(f"Up to --limit {limit} events are listed one by one. See fewer: --since, --until, SOURCE, --type")


_NOTHING_LATE = "Nothing came late: no event that arrived then is older than LateAfterSeconds (an hour by default)."

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


def stale(
    context: typer.Context,
    source: OfSource = None,
    event_type: OfType = None,
    day: ArrivedOn = None,
    since: ArrivedSince = None,
    until: ArrivedUntil = None,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """List entities and days whose newest version lacks late events, the worst first. Default: --since 7d.

    retrace stale
    retrace stale shop/checkout --since 2h
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {"source": source, "event_type": event_type, **arrival(call, (None, "7d"), day, since, until)}
    found = _stale_days(call.client, {**query, "limit": str(min(limit, PAGE))}, limit)
    if not found.late_events:
        require_known(call.client, source, event_type)
    output.rows(found.worst_first[:limit], _DAYS, _nothing_stale(found))
    if found.replays:
        output.say("Compute them again: " + " && ".join(map(command_of, found.replays)))
    if found.ended_early or len(found.worst_first) > limit:
        output.note("There may be more. See further: --limit. See fewer: --since, --until, SOURCE, --type")


@dataclass
class _Stale:
    """The answers of all pages together: a day can be on several."""

    days: dict[tuple[str, str], Json] = field(default_factory=dict)
    replays: list[Json] = field(default_factory=list)
    late_events: int = 0
    entity_days: int = 0
    without_version: int = 0
    ended_early: bool = False

    def add(self, page: Json) -> None:
        self.days |= {(item["entity_id"], item["day"]): item for item in page["items"]}
        self.replays += [replay for replay in page["replays"] if replay not in self.replays]
        self.late_events += page["late_events"]
        self.entity_days += page["entity_days"]
        self.without_version += page["without_version"]

    @property
    def worst_first(self) -> list[Json]:
        return sorted(self.days.values(), key=lambda item: (-item["arrived_since"], item["entity_id"], item["day"]))


def _stale_days(client: Client, query: Mapping[str, str | None], limit: int) -> _Stale:
    found = _Stale()
    for [page] in client.each_page("/stale", query, read=Answer.whole):
        found.add(page)
        found.ended_early = page["cursor"] is not None
        if len(found.days) >= limit:
            break
    return found


_DAYS = (
    Column("day", lambda item: item["day"], whole=True),
    Column("entity", lambda item: item["entity_id"]),
    Column("lacks", lambda item: f"{item['arrived_since']:,}{'' if item['exact'] else ' or more'}", number=True),
    Column("has", lambda item: f"{item['event_count']:,}", number=True),
    Column("last arrival (UTC)", lambda item: short_time(item["last_arrival"])[:19], whole=True),
)


def _nothing_stale(found: _Stale) -> str:
    if not found.late_events:
        return "Nothing came late then, so no number lacks a late event."
    came = f"{found.late_events:,} events came late, of {found.entity_days:,} days of entities."
    if found.without_version == found.entity_days:
        return f"{came} None of these days has an aggregate yet: retrace replay create --help"
    without = f" {found.without_version:,} have no aggregate yet." if found.without_version else ""
    return f"{came}{without} The newest version of each{' other' * bool(without)} contains them."
