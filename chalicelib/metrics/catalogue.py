"""The catalogue of metrics: names, each with its newest definition, and every change that was made to one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.lossless_json import member_texts
from chalicelib.core.timestamps import Instant
from chalicelib.metrics.definition import Definition, read_definition

VERSION = 1
"""Of the form of a record. Every version that was ever written stays readable."""

MAX_ACTIVE = 20
"""Of all names together: each is computed by every replay that names no metrics."""
MAX_NAMES = 200
"""Retired ones included: a request for a replay that names no metrics reads them all."""
NAMES_A_PAGE = 100
MAX_CHANGES = 100
"""How many changes of a name an answer looks back."""


class State(StrEnum):
    """Whether replays compute a metric without naming it."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True)
class Change:
    """What was decided about a name, when and by whom. The changes of a name are numbered from 1 by `sequence`."""

    state: State
    definition: Definition
    at: Instant
    by: str
    sequence: int

    @property
    def name(self) -> str:
        """The name."""
        return self.definition.name

    def to_json(self) -> bytes:
        """The record that is kept once, from which names can be rebuilt. It has the definition as its hash says it."""
        members = {"v": VERSION, "name": self.name, "sequence": self.sequence, "state": self.state, "at": self.at}
        members |= {"by": self.by, "definition_sha256": self.definition.sha256}
        head = json.dumps(members, ensure_ascii=False)
        return f'{head[:-1]}, "definition": {self.definition.canonical}}}\n'.encode()


def parse_change(content: bytes) -> Change:
    """Read a record; raises IntegrityFailure if it is none, or its definition is not the one that its hash says."""
    try:
        said, text = json.loads(content), content.decode()
        definition = read_definition(member_texts(text)["definition"])
        change = Change(State(said["state"]), definition, Instant(said["at"]), said["by"], int(said["sequence"]))
        hashes = (said["name"], said["definition_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityFailure("It is not a record of a change of a metric.") from error
    if said.get("v") != VERSION or hashes != (change.name, change.definition.sha256):
        raise IntegrityFailure("It is not of this version, or its definition is not what its hash says.")
    return change


@dataclass(frozen=True, slots=True)
class NamedMetric:
    """A name as it is now. What is built in was never changed."""

    last: Change

    @property
    def is_active(self) -> bool:
        """Whether replays compute it without naming it."""
        return self.last.state is State.ACTIVE


@dataclass(frozen=True, slots=True)
class NamesPage:
    """Some names in order, and where the next page begins."""

    metrics: tuple[NamedMetric, ...]
    read_to: str | None


@dataclass(frozen=True, slots=True)
class MetricVersion:
    """A definition that a name had, from when on, and when it was retired."""

    definition: Definition
    defined_at: Instant
    defined_by: str
    retired_at: Instant | None = None


def versions_of(newest_first: Iterable[Change]) -> list[MetricVersion]:
    """The definitions that changes made, newest first."""
    versions: list[MetricVersion] = []
    retired_at: Instant | None = None
    for change in newest_first:
        if change.state is State.RETIRED:
            retired_at = change.at
        else:
            versions.append(MetricVersion(change.definition, change.at, change.by, retired_at))
            retired_at = None
    return versions


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
        """Write a recorded change; raises WriteConflict if the name has changed since it was read."""


class ChangeRecords(Protocol):
    """Records of changes, kept once and never changed: of requests at once one has the next number of a name."""

    def keep(self, change: Change) -> Change:
        """Keep the record of a change, and answer the one that has its number: another if that was first."""
