"""The log of a shop: valid records, invalid ones, and some that contradict an earlier one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

INVALID, CONFLICTS = 0.05, 0.02
_ENTITIES = 500
Invalid = Callable[[str, int, Random], bytes]


@dataclass(frozen=True)
class Log:
    """The lines of a log in their order, and the ids of the events that must be stored, below one of the entities."""

    lines: Sequence[bytes]
    ids: frozenset[str]
    entities: frozenset[str]
    refused: int

    @property
    def stored(self) -> int:
        """How many events there are, each once."""
        return len(self.ids)


def log_of(name: str, count: int, invalid: Invalid | None = None) -> Log:
    """So many lines, 5 % invalid and 2 % in conflict with an earlier line; names keep the logs of tests apart."""
    spoilt = invalid or _invalid
    random, lines, ids = Random(name), list[bytes](), list[str]()
    for number in range(count):
        drawn = random.random()
        if drawn < INVALID:
            lines.append(spoilt(name, number, random))
        elif drawn < INVALID + CONFLICTS and ids:
            lines.append(_line(random.choice(ids), name, number))
        else:
            ids.append(f"{name}-{number}")
            lines.append(_line(ids[-1], name, number))
    entities = frozenset(_entity(name, number) for number in range(min(count, _ENTITIES)))
    return Log(lines, frozenset(ids), entities, count - len(ids))


def _entity(name: str, number: int) -> str:
    return f"{name}-order-{number % _ENTITIES}"


def _line(record_id: str, name: str, number: int) -> bytes:
    record = {
        "time": f"2026-11-21T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
        "level": "info",
        "id": record_id,
        "event": "order.paid",
        "order": _entity(name, number),
        "amount": f"{number % 90}.{number % 10}0",
        "currency": "EUR",
        "customer": f"customer-{number % 7_000}",
        "message": "The payment of an order was captured by the provider.",
    }
    return json.dumps(record).encode()


def _invalid(name: str, number: int, random: Random) -> bytes:
    valid = json.loads(_line(f"{name}-{number}", name, number))
    match random.randrange(4):
        case 0:
            del valid["order"]
        case 1:
            valid["time"] = "yesterday"
        case 2:
            valid["event"] = ""
        case _:
            return f"{name} {number}: Traceback (most recent call last)".encode()
    return json.dumps(valid).encode()


def too_long(name: str, number: int, random: Random) -> bytes:
    """A line whose entity has more bytes than an event's may have."""
    return json.dumps(json.loads(_line(f"{name}-{number}", name, number)) | {"order": "x" * 2_000}).encode()
