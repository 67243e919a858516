"""The metrics of stored versions, by the definitions that their replays pin."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.errors import NotFound
from chalicelib.metrics.definition import Definition
from chalicelib.replays.job import ReplayJob


class DefinitionsByHash(Protocol):
    """Definitions of metrics, which never change."""

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Definitions in the order of their hashes; raises NotFound if one is unknown."""


def with_metrics(stored: AggregateVersion, job: ReplayJob | None, definitions: DefinitionsByHash) -> AggregateVersion:
    """A version with the metrics of its replay, as far as the replay and its definitions are there."""
    if stored.packed is None or job is None:
        return stored
    try:
        return stored.with_metrics(definitions.by_hash([each.definition_sha256 for each in job.metrics]))
    except NotFound:
        return stored
