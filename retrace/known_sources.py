"""Tells an unknown source or type, which looks like an outage, from one without events in a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from retrace.client import Client
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
