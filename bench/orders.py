"""Events for comparing: of one source, type and day, over some entities, each with a key of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

SOURCE = "shop/checkout"
EVENT_TYPE = "order.paid"
DAY, NEXT_DAY = "2026-11-21", "2026-11-22"
ENTITIES = 100

Json = dict[str, Any]


def order(number: int, entity: int, event_time: str, event_type: str = EVENT_TYPE) -> Json:
    """An event about an entity; numbers tell events apart."""
    return {
        "source": SOURCE,
        "event_type": event_type,
        "entity_id": f"order-{entity:08d}",
        "event_time": event_time,
        "payload": {"amount": "19.99", "currency": "EUR", "customer": f"customer-{number:08d}", "lines": [1, 2, 3]},
        "idempotency_key": f"payment-{number:012d}",
    }


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
    event_time = f"{DAY}T{second // 60 % 24:02d}:{second % 60:02d}:00.{fraction:03d}000000Z"
    named = {"idempotency_key": f"payment-{event_type}-{number:012d}"}
    return order(number, number % ENTITIES, event_time, event_type) | named
