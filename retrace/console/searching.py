"""Finds what a text names: an event by id or key, an entity, a source or type, a replay, a refused event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from http import HTTPStatus
from itertools import islice
from typing import Any

from chalicelib.core.fields import is_sha256
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.event_ids import LOOK_BACK as WEEK
from retrace.event_ids import MOST, Query, is_like_an_event_id, of_last_week
from retrace.problem import Problem
from retrace.replay_table import replays_beginning

Json = dict[str, Any]
Pair = tuple[str, str]
View = tuple[datetime, datetime]
"""When a window begins and ends."""

_REJECTED_ID = re.compile(r"\d{4}-\d{2}-\d{2}\.[0-9a-f]{6,64}")
_REPLAY_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BEGINNING = (
    "No event of {} has an id that begins so: {:,} of each type were searched. Give all 64 digits or the key that the"
    " producer sent, or choose the window of the event first."
)

MOST_SOURCES = 50
"""How many sources are asked for a key, or types for the beginning of an id; each is a read."""
MOST_REFUSED = 2_000
LOOK_BACK, AHEAD = timedelta(days=29), timedelta(minutes=1)
"""Of quarantine: a window of GET /rejected touches at most 31 days."""
MOST_NEAR = 5
IN_VIEW = timedelta(days=31)
"""Of longer windows only the end is searched for the beginning of an event id."""


def all_pairs(client: Client) -> list[Pair]:
    """Every source and type that an event was accepted of."""
    listed = client.pages("/sources", {"look_back_days": "0", "limit": "1000"})
    return [(item["source"], item["event_type"]) for item in listed]


def found_by(client: Client, text: str, now: datetime, view: View | None = None) -> Json:
    """What a text names, each with its kind; if it names nothing, names that are near, and a hint.

    Beginnings of event ids are searched for in the window in view, without one where the command line does.
    """
    if is_sha256(text):
        return _answer(_event(client, text))
    if _REJECTED_ID.fullmatch(text):
        return _answer(_rejected(client, text))
    if _REPLAY_ID.fullmatch(text):
        return _answer(_replay(client, text))
    return _Named(client, text, now, view and _end_of(view)).answer()


def _end_of(view: View) -> View:
    start, end = view
    return (start if end - start <= IN_VIEW else end - IN_VIEW), end


def _rfc(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _answer(items: list[Json], near: list[Json] | None = None, hint: str = "") -> Json:
    return {"items": items, "near": near or [], "hint": hint}


def _known(client: Client, path: str) -> Json | None:
    """What the API knows; None if it knows nothing of that name."""
    answer = client.call("GET", path)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    found: Json = client.expect("GET", path).json if answer.status != HTTPStatus.OK else answer.json
    return found


def _event(client: Client, event_id: str) -> list[Json]:
    known = _known(client, f"/events/{event_id}")
    return [] if known is None else [_told_event(known)]


def _told_event(event: Json) -> Json:
    names = ("event_id", "source", "event_type", "entity_id", "event_time")
    return {"kind": "event", **{name: event[name] for name in names}}


def _rejected(client: Client, rejected_id: str) -> list[Json]:
    known = _known(client, f"/rejected/{rejected_id}")
    return [] if known is None else [_told_rejected(known)]


def _told_rejected(item: Json) -> Json:
    names = ("rejected_id", "status", "source", "entity_id", "idempotency_key", "ingest_time")
    return {"kind": "rejected", **{name: item.get(name) for name in names}}


def _replay(client: Client, replay_id: str) -> list[Json]:
    known = _known(client, f"/replay/{replay_id}")
    return [] if known is None else [_told_replay(known)]


def _told_replay(job: Json) -> Json:
    return {"kind": "replay", **{name: job[name] for name in ("replay_id", "state")}}


@dataclass(frozen=True)
class _Named:
    """A text that is no id: a key, perhaps behind its source, an entity, a source, a type."""

    client: Client
    text: str
    now: datetime
    view: View | None

    def answer(self) -> Json:
        """Everything with this name, searched at once."""
        asked: list[Callable[[], Any]] = [lambda: all_pairs(self.client), self._entity, self._refused]
        pairs, entity, refused = in_order(lambda ask: ask(), asked)
        keys = list(self._keys(sorted({source for source, _ in pairs})))
        named = [_told_rejected(item) for item in refused if self._is_named_by(item)]
        if keys:  # an event shows its conflicts
            named = [item for item in named if item["status"] != "CONFLICT"]
        items = [*self._of_pairs(pairs), *entity, *keys, *named] or self._beginning_so(pairs)
        if items:
            return _answer(items)
        entities = {item["entity_id"] for item in refused if item.get("entity_id")} | self._replayed()
        hint = _BEGINNING.format(self._searched(), MOST) if is_like_an_event_id(self.text) else ""
        return _answer([], self._near(pairs, entities), hint)

    def _of_pairs(self, pairs: list[Pair]) -> Iterator[Json]:
        folded = self.text.casefold()
        if any(source.casefold() == folded for source, _ in pairs):
            yield {"kind": "source", "source": self.text}
        for source, kind in pairs:
            if kind.casefold() == folded or f"{source} {kind}".casefold() == folded:
                yield {"kind": "type", "source": source, "event_type": kind}

    def _entity(self) -> list[Json]:
        query = {"entity_id": self.text, "order": "newest", "limit": "1"}
        found = self.client.get("/events", query)["items"]
        return [{"kind": "entity", "entity_id": self.text, "event_time": item["event_time"]} for item in found]

    def _keys(self, sources: list[str]) -> Iterator[Json]:
        """The event of each source that has this key; of one source if the text names it before the key."""
        source, _, key = self.text.partition(" ")
        asked = [(source, key)] if key and source in sources else [(each, self.text) for each in sources[:MOST_SOURCES]]
        for found in in_order(self._with_key, asked):
            yield from map(_told_event, found)

    def _with_key(self, asked: Pair) -> list[Json]:
        source, key = asked
        found: list[Json] = self.client.get("/events", {"source": source, "idempotency_key": key})["items"]
        return found

    def _beginning_so(self, pairs: list[Pair]) -> list[Json]:
        """Replays, and events in the window in view, whose id begins with the text."""
        replays = [_told_replay(job) for job in replays_beginning(self.client, self.text)]
        if not is_like_an_event_id(self.text):
            return replays
        queries = of_last_week(self.client, self.now) if self.view is None else self._in_view(self.view, pairs)
        lists = in_order(lambda query: [*self.client.pages(*query, MOST)], queries)
        events = {event["event_id"]: _told_event(event) for found in lists for event in found}
        return replays + [event for event_id, event in events.items() if event_id.startswith(self.text)]

    def _in_view(self, view: View, pairs: list[Pair]) -> Iterator[Query]:
        window = dict(zip(("start_time", "end_time"), map(_rfc, view), strict=True))
        for source, kind in pairs[:MOST_SOURCES]:
            yield "/events", {"source": source, "event_type": kind, **window, "limit": "1000"}

    def _searched(self) -> str:
        if self.view is None:
            return f"the last {WEEK.days} days"
        return "the window in view, " + " to ".join(f"{time:%Y-%m-%d %H:%M}" for time in self.view)

    def _refused(self) -> list[Json]:
        """Refused events of the last month."""
        start, end = (_rfc(time) for time in (self.now - LOOK_BACK, self.now + AHEAD))
        try:
            listed = self.client.pages("/rejected", {"start_time": start, "end_time": end, "limit": "1000"})
            return list(islice(listed, MOST_REFUSED))
        except Problem:  # a caller who may not look into quarantine finds the rest
            return []

    def _is_named_by(self, item: Json) -> bool:
        return self.text in (item.get("idempotency_key"), f"{item.get('source')} {item.get('idempotency_key')}")

    def _replayed(self) -> set[str]:
        try:
            jobs = self.client.get("/replay", {"limit": "25"})["items"]
        except Problem:
            return set()
        return {job["request"]["entity_id"] for job in jobs if job["request"].get("entity_id")}

    def _near(self, pairs: list[Pair], entities: set[str]) -> list[Json]:
        """Sources, types and known entities that are written similarly, or that contain the text."""
        known: dict[str, Json] = {entity: {"kind": "entity", "entity_id": entity} for entity in entities}
        known |= {kind: {"kind": "type", "source": source, "event_type": kind} for source, kind in pairs}
        known |= {source: {"kind": "source", "source": source} for source, _ in pairs}
        folded = {name.casefold(): name for name in known}
        text = self.text.casefold()
        near = [*(name for name in folded if text in name), *get_close_matches(text, folded, MOST_NEAR)]
        return [known[folded[name]] for name in list(dict.fromkeys(near))[:MOST_NEAR]]
