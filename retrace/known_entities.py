"""Tells an unknown entity from one without events in a window, with near names among those of some events."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from chalicelib.core.timestamps import Day, Instant, day_after, day_of, end_of, start_of
from retrace.answer import Json
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.known_sources import unknown_name
from retrace.output import on_one_line
from retrace.problem import Exit, Problem

Query = dict[str, str | None]

_PAIRS = 10
"""This many sources and types are looked at, those with the newest events."""
_DAYS = 7
_PAGE = "1000"
_SEE_THEM = "Run `retrace events --source SOURCE --type TYPE` to see entities."


def or_unknown_entity(client: Client, items: Iterable[Json], entity: str | None) -> Iterator[Json]:
    """The items. If there are none, raises Problem if no event of the entity was ever accepted."""
    empty = True
    for item in items:
        empty = False
        yield item
    if empty:
        require_known_entity(client, entity)


def require_known_entity(client: Client, entity: str | None) -> None:
    """Raise Problem if no event of an entity was ever accepted. Call it if an answer is empty."""
    if entity is None:
        return
    try:
        if any(client.pages("/events", {"entity_id": entity, "limit": "1"}, 1)):
            return
        names = set(_of_some_events(client))
    except Problem:  # the answer is empty all the same
        return
    raise unknown_name("entity", entity, names, "", _SEE_THEM)


def nothing_of_day(client: Client, entity: str, day: Day) -> Problem:
    """The problem that an entity has nothing on a day, with the nearest days that have events, or with near names."""
    require_known_entity(client, entity)
    before = {"entity_id": entity, "end_time": start_of(day), "order": "newest", "limit": "1"}
    after = {"entity_id": entity, "start_time": end_of(day), "order": "oldest", "limit": "1"}
    try:
        near = [
            str(day_of(item["event_time"])) for query in (before, after) for item in client.pages("/events", query, 1)
        ]
    except Problem:  # the API is down, and the day is empty all the same
        near = []
    nearest = f"The nearest days with events: {' and '.join(near)}. " if near else ""
    what = f"{on_one_line(entity)} has no event and no aggregate on {day}."
    return Problem(what, f"{nearest}Run `retrace events {shlex.quote(entity)}` to see its events.", Exit.NOT_FOUND)


def _of_some_events(client: Client) -> Iterator[str]:
    """Entities of each source and type: of its newest events, and of those that came late when it was first seen."""
    pairs = client.pages("/sources", {"limit": _PAGE})
    newest = sorted(pairs, key=lambda pair: (pair["last_seen"] or "", pair["first_seen"]), reverse=True)[:_PAIRS]
    pages = in_order(lambda one: list(islice(client.each_page(*one), 1)), chain.from_iterable(map(_lists_of, newest)))
    return (str(item["entity_id"]) for page in chain.from_iterable(pages) for item in page)


def _lists_of(pair: Json) -> tuple[tuple[str, Query], ...]:
    """Of a backfill, all events are late: their own times can be years ago."""
    of_pair = {"source": pair["source"], "event_type": pair["event_type"], "limit": _PAGE}
    first_day: Query = {"day": day_of(pair["first_seen"])}
    newest = first_day if pair["last_seen"] is None else _week_before(pair["last_seen"])
    return ("/events", {**of_pair, "order": "newest", **newest}), ("/late", {**of_pair, **first_day})


def _week_before(last: Instant) -> Query:
    return {"start_time": start_of(day_after(day_of(last), -_DAYS)), "end_time": last}
