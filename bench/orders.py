"""Events for comparing: of one source, type and day, over some entities, each with a key of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

SOURCE = "shop/checkout"
DAY = "2026-11-21"
ENTITIES = 100

Json = dict[str, object]


def orders(event_type: str, first: int, count: int) -> list[Json]:
    """The events numbered from `first` on, in the order of time."""
    return [_order(event_type, number) for number in range(first, first + count)]


def bodies(event_type: str, first: int, size: int, requests: int) -> Iterator[bytes]:
    """Requests of so many events each; one by itself is no list."""
    for number in range(requests):
        events = orders(event_type, first + number * size, size)
        yield json.dumps(events if size > 1 else events[0]).encode()


def _order(event_type: str, number: int) -> Json:
    second, fraction = divmod(number, 1_000)
    return {
        "source": SOURCE,
        "event_type": event_type,
        "entity_id": f"order-{number % ENTITIES:08d}",
        "event_time": f"{DAY}T{second // 60 % 24:02d}:{second % 60:02d}:00.{fraction:03d}000000Z",
        "payload": {"amount": "19.99", "currency": "EUR", "customer": f"customer-{number:08d}", "lines": [1, 2, 3]},
        "idempotency_key": f"payment-{event_type}-{number:012d}",
    }
