"""The events that tests send: those of a shop's one order, on one day, nanoseconds apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

DAY = "2023-06-30"
NEXT_DAY = "2023-07-01"

Json = dict[str, Any]


def paid(number: int = 1, **changes: Any) -> Json:
    """A native event; different numbers make different events, in the order of their numbers."""
    return {
        "source": "shop/checkout",
        "event_type": "order.paid",
        "entity_id": "order-1",
        "event_time": f"{DAY}T10:00:00.{number:09d}Z",
        "payload": {"number": number},
        **changes,
    }


def paid_several(count: int, **changes: Any) -> list[Json]:
    """Events numbered from 1."""
    return [paid(number, **changes) for number in range(1, count + 1)]


def without(event: Json, *fields: str) -> Json:
    """The event with fields left out."""
    return {name: value for name, value in event.items() if name not in fields}


def as_json(value: Any) -> bytes:
    """JSON as a producer would send it."""
    return json.dumps(value).encode()


def as_ndjson(events: Iterable[Any]) -> bytes:
    """One event a line."""
    return b"".join(as_json(event) + b"\n" for event in events)
