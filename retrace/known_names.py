"""Tells an unknown source, type or entity, which looks like an outage, from one without events in a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import chain, islice

from chalicelib.core.timestamps import Day, Instant, day_after, day_of, end_of, start_of
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.output import Json, on_one_line
from retrace.problem import Exit, Problem

_ALL = {"look_back_days": "0", "limit": "1000"}
_LIST_THEM = "Run `retrace sources` to list all."


def or_unknown(client: Client, items: Iterable[Json], source: str | None, event_type: str | None) -> Iterator[Json]:
    """The items. If there are none, raises Problem if no event was ever accepted of the source and type."""
    empty = True
    for item in items:
        empty = False
        yield item
    if empty:
        require_known(client, source, event_type)


def known_pairs(client: Client) -> list[tuple[str, str]]:
    """Every source and type that an event was accepted of."""
    return [(item["source"], item["event_type"]) for item in client.pages("/sources", _ALL)]


def require_known(client: Client, source: str | None, *event_types: str | None) -> None:
    """Raise Problem if no event was ever accepted of a source, or of a type of it. Call it if an answer is empty."""
    if not any((source, *event_types)):
        return
    try:
        pairs = known_pairs(client)
    except Problem:  # the answer is empty all the same
        return
    sources = {known for known, _ in pairs}
    if source is not None and source not in sources:
        raise unknown_name("source", source, sources, "", _LIST_THEM)
    types = {kind for known, kind in pairs if source in (None, known)}
    for event_type in event_types:
        if event_type is not None and event_type not in types:
            origin = "" if source is None else f" from {on_one_line(source)}"
            raise unknown_name("type", event_type, types, origin, _LIST_THEM)


def unknown_name(what: str, name: str, known: Iterable[str], origin: str, list_them: str) -> Problem:
    """The problem that nothing is known by a name, with the near ones that are."""
    return Problem(
        f"Unknown {what}: no event of {what} {on_one_line(name)} was ever accepted{origin}.",
        f"{near_names(name, known)}{list_them}",
        Exit.NOT_FOUND,
    )


def near_names(name: str, known: Iterable[str]) -> str:
    """Which of the known names may be meant, as a question; nothing if none is near."""
    by_folded = {each.casefold(): each for each in known}
    near = [by_folded[each] for each in get_close_matches(name.casefold(), by_folded)]
    return f"Did you mean {on_one_line(' or '.join(near))}? " if near else ""


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
