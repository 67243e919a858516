"""`retrace gaps`: lists hours without events of a source, or with far fewer."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from chalicelib.core.timestamps import Day as CalendarDay
from chalicelib.core.timestamps import Instant, end_of, start_of
from retrace.context import AsJson, CommandContext, command_context
from retrace.event_table import Day, Since, Until
from retrace.known_names import require_known, require_known_entity
from retrace.output import Column, Json, Output, short_time


class Unit(StrEnum):
    """What a gap is made of."""

    HOUR = "hour"
    DAY = "day"


def gaps(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="The source. Without one, give --entity.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", "-t", help="Only of this type of the source.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", "-e", help="Of this entity, instead of a source.")] = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    unit: Annotated[
        Unit, typer.Option("--unit", help="Whether to look for hours or for days without events.")
    ] = Unit.HOUR,
    as_json: AsJson = None,
) -> None:
    """List hours in which a source has no events, or far fewer than in the hours around. Default: since 24h.

    retrace gaps shop/checkout --day yesterday
    retrace gaps shop/checkout --type order.paid --since 4w --unit day
    retrace gaps --entity depot-lyon --day 2025-11-28
    """
    call, output = command_context(context), Output(as_json=as_json)
    selected = _selected(source, event_type, entity)
    answer = call.client.get("/gaps", {**selected, **_window(call, day, since, until), "unit": unit.value})
    found = list(_rows(answer))
    if answer.get("event_types") == [] or _is_all(answer):
        require_known(call.client, source, event_type)
        require_known_entity(call.client, entity)
    output.rows(found, _COLUMNS if source is not None else _COLUMNS[:2], _nothing(answer, source, unit))
    if any(row["usual"] is not None for row in found):
        output.note(answer["dip_rule"])
    elif source is not None and unit is Unit.HOUR and answer.get("dips") is None:
        output.note("There are too many events to count, so only hours without any are listed. Give a shorter window.")


_COLUMNS = (
    Column("from (UTC)", lambda row: short_time(row["start_time"]), whole=True),
    Column("to", lambda row: short_time(row["end_time"]), whole=True),
    Column("events", lambda row: row["events"], number=True),
    Column("usual an hour", lambda row: "" if row["usual"] is None else row["usual"], number=True),
    Column("type", lambda row: row["event_type"] or "all"),
)


def _selected(source: str | None, event_type: str | None, entity: str | None) -> dict[str, str | None]:
    if (source is None) == (entity is None):
        raise typer.BadParameter("name a source, or give --entity", param_hint="SOURCE")
    if entity is not None and event_type is not None:
        raise typer.BadParameter("needs a source; an entity's gaps are those of all its events", param_hint="--type")
    return {"source": source, "event_type": event_type, "entity_id": entity}


def _window(call: CommandContext, day: str | None, since: str | None, until: str | None) -> dict[str, str | None]:
    if day is not None:
        if (since, until) != (None, None):
            raise typer.BadParameter("is a window by itself: leave out --since and --until", param_hint="--day")
        named = CalendarDay(call.day(day, "--day") or "")
        if end_of(named) <= call.now:
            return {"day": named}
        return _until_now(call, start_of(named), end_of(named), "--day")
    start, end = call.window(since or "24h", until or "now")
    return _until_now(call, start, end, "--since")


def _until_now(call: CommandContext, start: Instant | None, end: Instant | None, option: str) -> dict[str, str | None]:
    """The part of a window that is over."""
    now = call.now
    if start is not None and start > now:
        raise typer.BadParameter("begins in the future, where nothing can be missing yet", param_hint=option)
    return {"start_time": start, "end_time": end if end is None else min(end, now)}


def _rows(answer: Json) -> Iterator[Json]:
    """Dips, and the gaps that lie in none, in order."""
    dips = answer.get("dips") or []
    whole = [dip for dip in dips if dip["event_type"] is None]
    silent = [
        {**gap, "event_type": None, "events": 0, "usual": None}
        for gap in answer["items"]
        if not any(_lies_in(gap, dip) for dip in whole)
    ]
    yield from sorted((*dips, *silent), key=lambda row: (row["start_time"], row["event_type"] or ""))


def _lies_in(gap: Json, dip: Json) -> bool:
    return bool(dip["start_time"] <= gap["start_time"] and gap["end_time"] <= dip["end_time"])


def _is_all(answer: Json) -> bool:
    """Whether the window is one gap."""
    window = answer["start_time"], answer["end_time"]
    return [(gap["start_time"], gap["end_time"]) for gap in answer["items"]] == [window]


def _nothing(answer: Json, source: str | None, unit: Unit) -> str:
    fewer = "" if source is None or answer.get("dips") is None else ", and nowhere far fewer than around it"
    return f"There is an event in every {unit.value} of the window{fewer}."
