"""Events to send: a set of real ones that may lie beside the project, else the project's own sample."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_REAL = ROOT.parent / "shared/data/cloudtrail-attack.ndjson.gz"
_OWN = ROOT / "examples/shop-day/day.ndjson"


@dataclass(frozen=True)
class Sample:
    """Native events, a line each, all valid and distinct."""

    lines: tuple[bytes, ...]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, parsed."""
        return [json.loads(line) for line in self.lines]

    @property
    def entities(self) -> Counter[str]:
        """How many events each entity has."""
        return Counter(event["entity_id"] for event in self.events)

    def from_source(self, source: str) -> Sample:
        """The same events as if another source had sent them, of entities of its own: other identities."""
        own = [event | {"source": source, "entity_id": f"{source}/{event['entity_id']}"} for event in self.events]
        return Sample(tuple(json.dumps(event).encode() for event in own))


def real_or_own_sample() -> Sample:
    """The real events if they are there."""
    text = gzip.decompress(_REAL.read_bytes()) if _REAL.exists() else _OWN.read_bytes()
    return Sample(tuple(text.splitlines()))
