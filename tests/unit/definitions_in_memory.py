"""Definitions of metrics in memory, as the ports describe them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.core.lossless_json import parse
from chalicelib.metrics.catalogue import Change, NamedMetric, State
from chalicelib.metrics.definition import BUILT_IN, Definition, definition_of
from tests.unit.examples import INGESTED


def defined(**members: Any) -> Definition:
    """A definition of these members."""
    return definition_of(parse(json.dumps(members)))


@dataclass
class DefinitionsInMemory:
    """Definitions by hash and by name, and how often they were asked for."""

    by_name: dict[str, Definition] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    kept: dict[str, Definition] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, *definitions: Definition) -> DefinitionsInMemory:
        """These, each as the newest of its name."""
        return cls({each.name: each for each in definitions}, kept={each.sha256: each for each in definitions})

    def active(self) -> list[Definition]:
        self.asked.append("active")
        return [*BUILT_IN, *(each for name, each in sorted(self.by_name.items()) if name not in self.retired)]

    def named(self, name: str) -> NamedMetric | None:
        self.asked.append("named")
        found = self.by_name.get(name)
        return None if found is None else NamedMetric(Change(State.ACTIVE, found, INGESTED, "somebody", 1))

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        self.asked.append("by_hash")
        if not self.kept.keys() >= set(hashes):
            raise NotFound("unknown")
        return [self.kept[each] for each in hashes]

    def keep(self, definitions: Sequence[Definition]) -> None:
        self.asked.append("keep")
        self.kept |= {each.sha256: each for each in definitions}
