"""Lists events with members of their payloads, with the digits that were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.core.canonical_json import canonical
from chalicelib.core.lossless_json import JsonValue, parse
from retrace.client import Client

Json = dict[str, Any]

MOST_COLUMNS = 8
_NOTHING = object()


def paths_of(text: str) -> list[str]:
    """The paths of a list such as `/amount, /card/network`; raises ValueError with a text fit for a user."""
    paths = text.replace(",", " ").split()
    for path in paths:
        if not path.startswith("/"):
            raise ValueError(f"columns are paths in the payload, which begin with a slash: /{path}")
    if len(paths) > MOST_COLUMNS:
        raise ValueError(f"columns are {MOST_COLUMNS} at most")
    return paths


def rows(client: Client, query: Mapping[str, str], paths: Sequence[str]) -> Json:
    """A page of events, each with the value at every path as text, or null."""
    answer = client.expect("GET", "/events", query={**query, "include": "event"})
    exact = parse(answer.body.decode()).value
    found: Json = answer.json
    for item, text in zip(found["items"], exact["items"], strict=True):  # type: ignore[index]  # the API's own answer
        event = text["event"] or {}
        payload = event["payload"] if "payload" in event else event.get("data")
        item["columns"] = [_text(_at(payload, path)) for path in paths]
        del item["event"]
    return found


def _at(value: JsonValue, path: str) -> object:
    """What a JSON pointer leads to (RFC 6901)."""
    for name in path.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _NOTHING
    return value


def _text(value: object) -> str | None:
    if value is _NOTHING:
        return None
    return value if isinstance(value, str) else canonical(value)
