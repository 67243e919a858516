"""What differs between a refused event and the first event of its identity, for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from shlex import quote

from retrace.client import Client
from retrace.concurrency import in_order
from retrace.output import Json, short_time
from retrace.problem import Problem

MOST_COMPARED = 100
"""A list shows what differs for this many conflicts at most. Each of them is a request."""


def difference(path: str, came: object, first: object) -> str:
    """One member that differs; None if an event does not have it."""
    return f"{path}: {'absent' if came is None else came}, first was {'absent' if first is None else first}"


def differences(conflict: Json) -> list[str]:
    """The members that differ."""
    found = conflict.get("differences", ())
    told = [difference(one["path"], one.get("refused"), one.get("first")) for one in found]
    return [*told, *(["(more)"] if conflict.get("more_differences") else [])]


def facts_of_conflict(conflict: Json, item: Json) -> list[tuple[str, str]]:
    """What differs from the first event, and the command that shows that one, which a shell takes as it is shown."""
    source, key = (str(item.get(name) or "") for name in ("source", "idempotency_key"))
    written = all(name and name.isprintable() and not name.startswith("-") for name in (source, key))
    named = f"{quote(source)} {quote(key)}" if written else conflict["event_id"]
    first = f"received {short_time(conflict['first']['ingest_time'])}: retrace event {named}"
    return [*(("differs", text) for text in differences(conflict)), ("first", first)]


def with_conflicts(client: Client, found: Sequence[Json]) -> list[Json]:
    """Listed refused events; conflicts with what differs, as far as it can be read."""
    wanted = islice((item["rejected_id"] for item in found if item["status"] == "CONFLICT"), MOST_COMPARED)
    known = dict(in_order(lambda rejected_id: (rejected_id, _conflicts(client, rejected_id)), wanted))
    return [item | {"conflicts": known.get(item["rejected_id"], [])} for item in found]


def _conflicts(client: Client, rejected_id: str) -> list[Json]:
    try:
        found: list[Json] = client.get(f"/rejected/{rejected_id}")["conflicts"]
    except Problem:  # the list has its reason all the same
        return []
    return found
