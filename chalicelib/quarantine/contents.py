"""Reads what the events of a refused body say of themselves, as far as they can be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.events.cloudevents import HEADER_PREFIX
from chalicelib.events.event import Form
from chalicelib.ingest.rejection import Rejection
from chalicelib.ingest.request import BATCH, NDJSON

NATIVE_MEMBERS = {name: (name,) for name in ("source", "event_type", "entity_id", "idempotency_key")}
CLOUDEVENT_MEMBERS = {
    "source": ("source",),
    "event_type": ("type",),
    "entity_id": ("subject", "source"),
    "idempotency_key": ("id",),
}
"""The members of a CloudEvent that say the same; of several, the first that is given."""

_LONGEST = 1_024


@dataclass(frozen=True, slots=True)
class Contents:
    """How many events a refused body has, and the values of each member in them; None if an event has none."""

    events: int
    values: Mapping[str, frozenset[str | None]]

    def common(self, name: str) -> str | None:
        """The value that all events share, None if they differ or if it cannot be read."""
        [value, *more] = self.values[name]
        return None if more else value


def contents_of(rejected: Rejection) -> Contents:
    """What a refused body says of its events. One that cannot be read counts as one event."""
    events = list(_events(rejected)) or [{}]
    cloudevents = _is_cloudevent(rejected)
    members = CLOUDEVENT_MEMBERS if cloudevents else NATIVE_MEMBERS
    values = {name: frozenset(_text(event, given) for event in events) for name, given in members.items()}
    return Contents(len(events), values)


def _is_cloudevent(rejected: Rejection) -> bool:
    return bool(_attributes(rejected)) or rejected.content_type in (Form.CLOUDEVENT, BATCH)


def _attributes(rejected: Rejection) -> dict[str, str]:
    """The attributes in the headers of a CloudEvent in binary mode."""
    headers = rejected.headers.items()
    return {name.removeprefix(HEADER_PREFIX): value for name, value in headers if name.startswith(HEADER_PREFIX)}


def _events(rejected: Rejection) -> Iterable[Mapping[str, Any]]:
    if attributes := _attributes(rejected):
        return [attributes]
    if rejected.content_type == NDJSON:
        return [_object(_value(line)) for line in rejected.body.split(b"\n") if line.strip()]
    value = _value(rejected.body)
    return [_object(element) for element in value] if isinstance(value, list) else [_object(value)]


def _value(text: bytes) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(event: Mapping[str, Any], given: Sequence[str]) -> str | None:
    found = next((event[name] for name in given if event.get(name) is not None), None)
    return found[:_LONGEST].encode("utf-8", "replace").decode() if isinstance(found, str) else None
