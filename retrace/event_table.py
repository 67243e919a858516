"""Lists events in a table and follows new ones, with the options that select them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Annotated, NoReturn

import typer

from chalicelib.core.timestamps import CLOCKS_DIFFER_MS
from retrace.client import Client
from retrace.context import TIME_HELP, CommandContext, nothing_selected
from retrace.event_ids import event_id_column
from retrace.live_table import LiveTable
from retrace.output import Column, Json, Output, duration, short_time

HOUR_MS = 3_600_000
PAGE = 1_000
"""As many events as the API answers at once."""

_MEDIUM = 100
"""Below this width times are shown to the second."""


class Arrived(StrEnum):
    """What became of an event when its identity arrived."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"


Entity = Annotated[str | None, typer.Argument(help="The entity. Without one, give --source and --type.")]
Source = Annotated[str | None, typer.Option("--source", "-s", help="Of this source.")]
EventType = Annotated[str | None, typer.Option("--type", "-t", help="Of this type.")]
Since = Annotated[str | None, typer.Option("--since", help=f"From this time on. {TIME_HELP}")]
Until = Annotated[str | None, typer.Option("--until", help="Before this time (excluded), as in --since.")]
Day = Annotated[str | None, typer.Option("--day", "-d", help="On this UTC day: today, yesterday, 3d, 2026-11-21.")]
MinLag = Annotated[int | None, typer.Option("--min-lag-ms", min=0, help="Only events at least this late (ms).")]
Status = Annotated[
    Arrived | None,
    typer.Option("--status", case_sensitive=False, help="Only events with a DUPLICATE or CONFLICT."),
]
Keys = Annotated[
    bool, typer.Option("--keys", help="Show the key that the producer gave each event. Reads the raw events, too.")
]
Newest = Annotated[bool, typer.Option("--newest", help="Newest first.")]


OfSource = Annotated[str | None, typer.Argument(metavar="SOURCE", help="Only of this source.")]
OfType = Annotated[str | None, typer.Option("--type", "-t", help="Only of this type.")]
ArrivedOn = Annotated[
    str | None, typer.Option("--day", "-d", help="Arrived on this UTC day: yesterday, 3d, 2026-11-21.")
]
ArrivedSince = Annotated[str | None, typer.Option("--since", help=f"Arrived from this time on. {TIME_HELP}")]
ArrivedUntil = Annotated[str | None, typer.Option("--until", help="Arrived before this time. Default: now.")]


def event_columns(output: Output) -> tuple[Column, ...]:
    """The columns of a list of events, with as much of their ids as there is room for."""
    width = output.console.width
    digits = 23 if width >= _MEDIUM else 19
    columns = (
        Column("event time (UTC)", lambda item: short_time(item["event_time"])[:digits], whole=True),
        Column("lag", lag, number=True, style=_late_style),
        Column("source", lambda item: item["source"], cut=True),
        Column("type", lambda item: item["event_type"], cut=True),
        Column("entity", lambda item: item["entity_id"], whole=True),
    )
    return (*columns, event_id_column(output)) if output.is_wide else columns


def columns_of_query(output: Output, *, of_entity: bool, keys: bool) -> tuple[Column, ...]:
    """The columns of a list of events with ids or keys; if narrow, without those that the query says already."""
    if output.is_wide and not keys:
        return event_columns(output)
    when, late, source, event_type, entity = event_columns(output)[:5]
    named = Column("key", key_of, whole=True) if keys else event_id_column(output)
    return (when, late, *((source, event_type) if of_entity else (entity,)), named)


def key_of(item: Json) -> str:
    """The idempotency key of a listed event, the id of a CloudEvent; empty if it has none or its text is damaged."""
    event = item["event"] or {}
    return str(event.get("id" if "specversion" in event else "idempotency_key") or "")


def lag(item: Json) -> str:
    """How late an event came, or that it came before its own time."""
    milliseconds = item["ingest_lag_ms"]
    return f"{duration(-milliseconds)} ahead" if is_ahead(item) else duration(milliseconds)


def _late_style(item: Json) -> str:
    return "magenta" if is_ahead(item) else "yellow" if is_late(item) else ""


def is_ahead(item: Json) -> bool:
    """Whether an event came before its own time by more than clocks may differ."""
    return bool(item["ingest_lag_ms"] < -CLOCKS_DIFFER_MS)


def is_late(item: Json) -> bool:
    """Whether an event came an hour late or more."""
    return bool(item["ingest_lag_ms"] >= HOUR_MS)


def list_events(
    output: Output, items: Iterator[Json], limit: int, nothing: str, columns: tuple[Column, ...]
) -> list[Json]:
    """Show events, and say where the list is cut off; answers them."""
    found: list[Json] = []
    output.rows(_noted(items, found), columns, nothing)
    if len(found) == limit:
        output.note(f"Cut off at {limit}. There may be more: --limit")
    return found


def _noted(items: Iterator[Json], into: list[Json]) -> Iterator[Json]:
    for item in items:
        into.append(item)
        yield item


def window(
    call: CommandContext,
    entity: str | None,
    source: str | None,
    event_type: str | None,
    day: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, str | None]:
    """The query that these options mean. Only an entity's events may lie in an open window."""
    if entity is None and (source is None or event_type is None):
        raise nothing_selected(source, [event_type])
    selected = {"entity_id": entity, "source": source, "event_type": event_type}
    return selected | period(call, day, since, until, open_ended=entity is not None)


def period(
    call: CommandContext, day: str | None, since: str | None, until: str | None, *, open_ended: bool
) -> dict[str, str | None]:
    """The part of a query that says when. Without a beginning it is refused, unless a window may be open."""
    if day is not None and (since, until) != (None, None):
        raise typer.BadParameter("is a window by itself: leave out --since and --until", param_hint="--day")
    if not open_ended and since is None and day is None:
        raise typer.BadParameter("say when: --day, or --since and --until", param_hint="--day")
    start, end = call.window(since, until if open_ended or since is None else until or "now")
    return {"day": call.day(day, "--day"), "start_time": start, "end_time": end}


def arrival(
    call: CommandContext,
    default: tuple[str | None, str | None],
    day: str | None,
    since: str | None,
    until: str | None,
) -> Mapping[str, str | None]:
    """The time of arrival that these options mean. The default is a day, or since when."""
    if day is not None and (since, until) != (None, None):
        raise typer.BadParameter("is a window by itself: leave out --since and --until", param_hint="--day")
    if since is None and until is not None:
        raise typer.BadParameter("needs --since", param_hint="--until")
    day, since = (day, since) if (day, since) != (None, None) else default
    if since is None:
        return {"day": call.day(day, "--day")}
    start, end = call.window(since, until or "now")
    return {"start_time": start, "end_time": end}


def filters(min_lag: int | None, status: Arrived | None, *, newest: bool, page: int) -> dict[str, str | None]:
    """What else of a query for events options say."""
    return {
        "min_lag_ms": None if min_lag is None else str(min_lag),
        "status": None if status is None else status.value,
        "order": "newest" if newest else "oldest",
        "limit": str(min(page, PAGE)),
    }


EVERY_S = 2.0
MOST = 10_000
"""So many of the newest events of a window are looked at each time; a late arrival among older ones is not seen."""

_SHOWN_FIRST = 10


def follow_events(
    client: Client, query: Mapping[str, str | None], output: Output, sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Show the last events that a query (newest first) finds, then those that come in, until Ctrl-C."""
    seen: set[str] = set()
    output.note("Waiting for events. Press Ctrl-C to end.")
    table = LiveTable(output, columns_of_query(output, of_entity=True, keys=False))
    first = True
    while True:
        found = list(islice(client.pages("/events", query), MOST))
        new = [item for item in reversed(found) if item["event_id"] not in seen]
        seen.update(item["event_id"] for item in new)
        shown = new[-_SHOWN_FIRST:] if first else sorted(new, key=_ingest_time)
        table.add(shown)
        if first and len(found) == MOST:
            output.note(f"Only the newest {MOST:,} events are watched. A shorter window sees all: --since, --day")
        first = False
        sleep(EVERY_S)


def _ingest_time(item: Json) -> str:
    return str(item["ingest_time"])
