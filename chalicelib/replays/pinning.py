"""Pins the metrics of a replay: the hashes of the definitions that it computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.metrics.catalogue import NamedMetric
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.replays.chosen_metrics import MAX_METRICS, Draft
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.request import ReplayRequest

SHORT = 8
"""Hex digits of a hash that rows name a definition by."""


class MetricDefinitions(Protocol):
    """Definitions by hash and by name."""

    def active(self) -> list[Definition]:
        """Those built in, and the newest of each active name, in order of names."""

    def named(self, name: str) -> NamedMetric | None:
        """A name as it is now."""

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Definitions in the order of their hashes; raises NotFound if one is unknown."""

    def keep(self, definitions: Sequence[Definition]) -> None:
        """Keep definitions that no name has, so that they are found by hash."""


@dataclass(frozen=True)
class PinMetrics:
    """Finds the definitions that a request chooses, those that are built in left out: every replay computes them."""

    definitions: MetricDefinitions

    def chosen(self, request: ReplayRequest, drafts: Sequence[Definition] = ()) -> list[Definition] | None:
        """Those that a request names, in its order; None if it names none.

        Raises InvalidRequest for unknown names, and for any if the replay goes to a consumer, which computes its own.
        """
        if request.metrics is None:
            return None
        if request.destination != TO_AGGREGATES:
            raise InvalidRequest("The replay request is not valid.", (_computes_nothing(request.destination),))
        given = {draft.sha256: draft for draft in drafts}
        found: list[Definition] = []
        faults: list[Fault] = []
        for position, chosen in enumerate(request.metrics):
            definition = given[chosen.definition_sha256] if isinstance(chosen, Draft) else self._named(chosen)
            if definition is None:
                faults.append(Fault(f"metrics.{position}", "names no metric. GET /metrics lists them"))
            else:
                found.append(definition)
        if faults:
            raise InvalidRequest("The replay request is not valid.", faults)
        return _own(found)

    def active(self, destination: str) -> list[Definition]:
        """All that are active; none for a replay to a consumer."""
        if destination != TO_AGGREGATES:
            return []
        return _own(self.definitions.active())

    def keep(self, drafts: Sequence[Definition]) -> None:
        """Keep what was given inline, before a replay names it."""
        if drafts:
            self.definitions.keep(drafts)

    def _named(self, name: str) -> Definition | None:
        for definition in BUILT_IN:
            if definition.name == name:
                return definition
        named = self.definitions.named(name)
        return None if named is None else named.last.definition


def _computes_nothing(destination: str) -> Fault:
    told = f"is only for {TO_AGGREGATES}: a replay to {destination} computes no metric. Leave out one of the two"
    return Fault("metrics", told)


def _own(found: Iterable[Definition]) -> list[Definition]:
    """Definitions without those that are built in; raises InvalidRequest if rows could not tell them apart."""
    own = list({each.sha256: each for each in found if each not in BUILT_IN}.values())
    if len(own) > MAX_METRICS:
        told = f"are {len(own)}, as many as are active, and a replay computes {MAX_METRICS}: retire some, or name some"
        raise InvalidRequest("The replay request is not valid.", (Fault("metrics", told),))
    if any(count > 1 for count in Counter(each.sha256[:SHORT] for each in own).values()):
        fault = Fault("metrics", f"has two definitions whose hashes begin with the same {SHORT} digits: leave one out")
        raise InvalidRequest("The replay request is not valid.", (fault,))
    return own
