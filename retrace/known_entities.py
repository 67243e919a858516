"""Tells an unknown entity from one without events in a window, with near names among those of the newest events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from chalicelib.core.timestamps import Instant, day_after, day_of, start_of
from retrace.answer import Json
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.known_sources import unknown_name
from retrace.problem import Problem

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
        names = set(_of_the_newest_events(client))
    except Problem:  # the answer is empty all the same
        return
    raise unknown_name("entity", entity, names, "", _SEE_THEM)


def _of_the_newest_events(client: Client) -> Iterator[str]:
    """Entities of the newest events of each source and type, of a week."""
    seen = [item for item in client.pages("/sources", {"limit": _PAGE}) if item["last_seen"] is not None]
    newest = sorted(seen, key=lambda item: str(item["last_seen"]), reverse=True)[:_PAIRS]
    pages = in_order(lambda item: list(islice(client.each_page("/events", _newest_of(item)), 1)), newest)
    return (str(item["entity_id"]) for page in chain.from_iterable(pages) for item in page)


def _newest_of(pair: Json) -> dict[str, str | None]:
    last = Instant(pair["last_seen"])
    window = {"start_time": start_of(day_after(day_of(last), -_DAYS)), "end_time": last}
    return {"source": pair["source"], "event_type": pair["event_type"], "order": "newest", "limit": _PAGE, **window}
