"""What metrics need of the outside: definitions by hash, and the catalogue of names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from chalicelib.metrics.catalogue import Change, NamedMetric, NamesPage
from chalicelib.metrics.definition import Definition


class Definitions(Protocol):
    """Definitions by hash, which never change, and those that replays compute."""

    def active(self) -> list[Definition]:
        """Those built in, and the newest of each active name, in order of names."""

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Definitions in the order of their hashes, at most 100; raises NotFound if one is unknown."""

    def keep(self, definitions: Sequence[Definition]) -> None:
        """Keep at most 100 definitions that no name has, so that they are found by hash."""


class Catalogue(Protocol):
    """Names of metrics."""

    def named(self, name: str) -> NamedMetric | None:
        """A name as it is now."""

    def page(self, after: str | None, limit: int) -> NamesPage:
        """Names in order, as of now."""

    def changes(self, name: str) -> list[Change]:
        """The last changes of a name, newest first."""

    def change(self, change: Change, read: NamedMetric | None) -> None:
        """Write a change; raises WriteConflict if the name has changed since it was read."""


class ChangeRecords(Protocol):
    """Records of changes, kept once and never changed."""

    def keep(self, change: Change) -> None:
        """Keep the record of a change; raises WriteConflict if there is another of the same moment."""
