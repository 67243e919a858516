"""`retrace events`: lists the events of a window."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from chalicelib.core.timestamps import Instant, hour_after, start_of_hour
from retrace.context import AsJson, Limit, command_context
from retrace.event_table import (
    PAGE,
    Day,
    Entity,
    EventType,
    Keys,
    MinLag,
    Newest,
    Since,
    Source,
    Status,
    Until,
    columns_of_query,
    filters,
    follow_events,
    is_ahead,
    is_late,
    list_events,
    window,
)
from retrace.known_names import or_unknown, or_unknown_entity
from retrace.output import Json, Output, sparkline

_MOST_HOURS = 72
_WORTH_A_PICTURE = 10


def events(
    context: typer.Context,
    entity: Entity = None,
    source: Source = None,
    event_type: EventType = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    min_lag: MinLag = None,
    status: Status = None,
    newest: Newest = False,
    keys: Keys = False,
    limit: Limit = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show the last ten of an entity, then new ones as they arrive.")
    ] = False,
    as_json: AsJson = None,
) -> None:
    """List events of an entity, or of a source and type, in a window.

    retrace events order-1007 --since 2h
    retrace events order-1007 --keys
    retrace events order-1007 --follow
    retrace events --source shop/checkout --type order.paid --day yesterday
    """
    call, output = command_context(context), Output(as_json=as_json)
    if follow and entity is None:
        raise typer.BadParameter("needs an entity to follow", param_hint="--follow")
    if follow and keys:
        raise typer.BadParameter("cannot be combined with --follow", param_hint="--keys")
    query = window(call, entity, source, event_type, day, since, until)
    query |= filters(min_lag, status, newest=newest or follow, page=PAGE if follow else limit)
    if follow:
        follow_events(call.client, query, output)
    nothing = "No events in this window. Run `retrace gaps` to find events, or `retrace rejected list`."
    if keys:
        query["include"] = "event"
    columns = columns_of_query(output, of_entity=entity is not None, keys=keys)
    items = or_unknown(call.client, call.client.pages("/events", query, limit), source, event_type)
    items = or_unknown_entity(call.client, items, entity)
    found = list_events(output, items, limit, nothing, columns)
    if found and not (keys or output.as_json):
        output.note("One event: retrace event EVENT_ID. Keys: --keys")
    _shape(output, found)


def _shape(output: Output, found: list[Json]) -> None:
    """How the events are spread over time, where a picture says more than the list."""
    if output.as_json or len(found) < _WORTH_A_PICTURE:
        return
    late, ahead = sum(map(is_late, found)), sum(map(is_ahead, found))
    hours = Counter(start_of_hour(item["event_time"]) for item in found)
    hour, last = min(hours), max(hours)
    values: list[int] = []
    while hour <= last and len(values) <= _MOST_HOURS:
        values.append(hours[hour])
        hour = Instant(hour_after(hour))
    shape = f"; by hour {sparkline(values)}" if hour > last else ""
    early = f", {ahead} ahead of their receipt" if ahead else ""
    output.say(f"{len(found)} events, {late} of them an hour late or more{early}{shape}", "dim")
