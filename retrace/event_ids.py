"""Event ids on a terminal: how much of one is shown, and which event has an id with such a beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from chalicelib.core.timestamps import CLOCKS_DIFFER_MS, instant_of
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.output import Column, Output
from retrace.problem import Exit, Problem

LOOK_BACK = timedelta(days=7)
MOST = 5_000
"""This many events of a list are searched: the API finds an event only by its whole id."""

_SHOWN = 12
_PAGE = "1000"
_DIGITS = 64
_LIKE_ONE = re.compile(r"[0-9a-f]{6,64}")
_GIVE_MORE = "Give all 64 digits, or its key: retrace event SOURCE KEY"
_GIVE_ENTITY = "Name its entity (--entity), or give all 64 digits, or its key: retrace event SOURCE KEY"

Query = tuple[str, dict[str, str | None]]


def event_id_column(output: Output) -> Column:
    """The column of event ids: whole, or on a narrow terminal as many digits as `retrace event` needs."""
    digits = None if output.is_wide else _SHOWN
    return Column("event id", lambda item: item["event_id"][:digits], whole=True)


def is_like_an_event_id(text: str) -> bool:
    """Whether a text is an event id, or the beginning of one."""
    return _LIKE_ONE.fullmatch(text) is not None


def whole_event_id(client: Client, given: str, entity: str | None, now: datetime) -> str:
    """The event id that begins as given, which is like one; raises Problem if none does, or several do.

    Searched are the newest events of the entity, or else those of the last week and the late ones that came in it.
    """
    if len(given) == _DIGITS:
        return given
    queries = of_last_week(client, now) if entity is None else [_of_entity(entity)]
    lists = in_order(lambda query: [*client.pages(*query, MOST)], queries)
    ids = (str(item["event_id"]) for item in chain.from_iterable(lists))
    found = list(dict.fromkeys(each for each in ids if each.startswith(given)))
    if not found:
        what = f"No event id begins with {given}, of the newest {MOST:,} events {_searched(entity)}."
        raise Problem(what, _GIVE_ENTITY if entity is None else _GIVE_MORE, Exit.NOT_FOUND)
    if len(found) > 1:
        raise Problem(f"Several event ids begin with {given}.", f"Give one: {', '.join(found[:5])}", Exit.USAGE)
    return found[0]


def _searched(entity: str | None) -> str:
    return "of each source and type in the last 7 days, and of the late ones" if entity is None else f"of {entity}"


def _of_entity(entity: str) -> Query:
    return "/events", {"entity_id": entity, "order": "newest", "limit": _PAGE}


def of_last_week(client: Client, now: datetime) -> Iterator[Query]:
    """Late events by their arrival, and of each source and type the events that happened since, by any clock."""
    end = now + timedelta(milliseconds=CLOCKS_DIFFER_MS)
    week: dict[str, str | None] = {"start_time": instant_of(now - LOOK_BACK), "end_time": instant_of(end)}
    yield "/late", {**week, "limit": _PAGE}
    for pair in client.pages("/sources", {"look_back_days": str(LOOK_BACK.days), "limit": _PAGE}):
        if pair["last_seen"] is not None:
            kind = {"source": pair["source"], "event_type": pair["event_type"]}
            yield "/events", {**kind, **week, "order": "newest", "limit": _PAGE}
