"""Aggregates computed a second time, by other means: the definitions of the documentation, written down plainly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256, shake_256
from typing import Any

from tests.functional.events import Json
from tests.functional.storage import Row

DEFINITION = '{"aggregate":"count","name":"daily_event_count","time_zone":"UTC"}'
_PRIME = 2**3072 - 1_103_717


def inputs_hash(inputs: Iterable[Row]) -> str:
    """MuHash: the product, modulo a prime, of a number for each input; its SHA-256 is what is shown."""
    state = 1
    for row in inputs:
        text = f"retrace:inputs-hash\n{row['event_id']}\n{row['content_sha256']}\n"
        state = state * int.from_bytes(shake_256(text.encode()).digest(384), "little") % _PRIME
    return sha256(state.to_bytes(384, "little")).hexdigest()


def aggregate(inputs: Iterable[Row]) -> Json:
    """What a version says, given its inputs."""
    rows = sorted(inputs, key=lambda row: (row["event_time"], row["event_id"]))
    counts = sorted(Counter(row["event_type"] for row in rows).items())
    return {
        "event_count": len(rows),
        "inputs_hash": inputs_hash(rows),
        "sample_event_ids": [row["event_id"] for row in rows[:10]],
        "counts_by_type": dict(counts[:100]),
        "other_types_count": sum(count for _, count in counts[100:]),
        "metrics": [
            {
                "name": "daily_event_count",
                "definition_sha256": sha256(DEFINITION.encode()).hexdigest(),
                "group": {},
                "value": str(len(rows)),
                "inputs": len(rows),
                "skipped": 0,
            }
        ],
    }


def said(version: Json) -> Json:
    """Of a version as the API tells it, what its inputs determine."""
    names: tuple[str, ...] = (
        "event_count",
        "inputs_hash",
        "sample_event_ids",
        "counts_by_type",
        "other_types_count",
        "metrics",
    )
    return {name: version[name] for name in names}


def as_stored(number: str) -> bytes:
    """A number as versions have it: two bytes of its scale, then its coefficient without zeros at its end."""
    _, digits, exponent = Decimal(number).normalize().as_tuple()
    coefficient = int("".join(map(str, digits)))
    size = coefficient.bit_length() // 8 + 1
    return (-int(exponent)).to_bytes(2, signed=True) + coefficient.to_bytes(size, signed=True)


def inputs_of(rows: Iterable[Row], entity_id: Any, day: str, replay_id: str, calendar: str = "UTC") -> list[Row]:
    """Of the rows of AggregatesTable, the inputs of one version (of an entity whose name has no separators)."""
    partition = f"ENTITY#{entity_id}#P1D#{calendar}#{day}#VER#{replay_id}"
    return [row for row in rows if row["PK"] == partition and row["outcome"] == "INPUT"]
