"""Defines and retires metrics, and finds their definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.core.errors import Conflict, NotFound, shown_name
from chalicelib.core.pagination import from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock
from chalicelib.metrics.catalogue import (
    MAX_ACTIVE,
    Catalogue,
    Change,
    ChangeRecords,
    Definitions,
    MetricVersion,
    NamedMetric,
    State,
    versions_of,
)
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.metrics.members import NAME
from chalicelib.metrics.queries import MetricsQuery


@dataclass(frozen=True, slots=True)
class Defined:
    """A metric after a request, and whether the request changed it."""

    last: Change
    changed: bool


@dataclass(frozen=True)
class DefineMetrics:
    """The use case behind PUT and DELETE /metrics/{name}.

    The record in S3 is written first: if the function dies before the name changes, sending the request again does it.
    """

    catalogue: Catalogue
    definitions: Definitions
    records: ChangeRecords
    now: Clock

    def define(self, definition: Definition, by: str) -> Defined:
        """Make a definition the newest of its name. The same one again changes nothing."""
        _refuse_built_in(definition.name)
        read = self.catalogue.named(definition.name)
        if read is not None and read.is_active and read.last.definition.sha256 == definition.sha256:
            return Defined(read.last, changed=False)
        if read is None or not read.is_active:
            self._require_room()
        return self._changed(Change(State.ACTIVE, definition, self.now(), by), read)

    def retire(self, name: str, by: str) -> Defined:
        """Have no further replay compute a metric that does not name it. Its versions stay."""
        _refuse_built_in(name)
        read = _named(self.catalogue, name)
        if not read.is_active:
            return Defined(read.last, changed=False)
        return self._changed(Change(State.RETIRED, read.last.definition, self.now(), by), read)

    def _changed(self, change: Change, read: NamedMetric | None) -> Defined:
        self.records.keep(change)
        self.catalogue.change(change, read)
        return Defined(change, changed=True)

    def _require_room(self) -> None:
        if len(self.definitions.active()) - len(BUILT_IN) >= MAX_ACTIVE:
            raise Conflict(f"There are {MAX_ACTIVE} active metrics, which is the maximum. Retire one first.")


@dataclass(frozen=True, slots=True)
class FoundMetrics:
    """A page of metrics. The first one has what is built in."""

    built_in: tuple[Definition, ...]
    metrics: tuple[NamedMetric, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class FoundMetric:
    """A metric with its definitions, newest first. `last` is None of one that is built in."""

    definition: Definition
    last: Change | None
    versions: tuple[MetricVersion, ...]


@dataclass(frozen=True)
class FindMetrics:
    """The use case behind GET /metrics and GET /metrics/{name}."""

    catalogue: Catalogue

    def find(self, query: MetricsQuery) -> FoundMetrics:
        """Metrics in order of their names, those built in before all others."""
        fingerprint = query_fingerprint(query)
        page = self.catalogue.page(from_cursor(fingerprint, query.cursor), query.limit)
        built_in = BUILT_IN if query.cursor is None else ()
        return FoundMetrics(built_in, page.metrics, to_cursor(fingerprint, page.read_to))

    def get(self, name: str) -> FoundMetric:
        """A metric; raises NotFound."""
        for definition in BUILT_IN:
            if definition.name == name:
                return FoundMetric(definition, None, ())
        named = _named(self.catalogue, name)
        return FoundMetric(named.last.definition, named.last, tuple(versions_of(self.catalogue.changes(name))))


def _refuse_built_in(name: str) -> None:
    if any(name == definition.name for definition in BUILT_IN):
        raise Conflict(f"{name} is built in: it is neither changed nor retired. Choose another name.")


def _named(catalogue: Catalogue, name: str) -> NamedMetric:
    named = catalogue.named(name) if re.fullmatch(NAME, name, re.ASCII) else None
    if named is None:
        raise NotFound(f"There is no metric {shown_name(name)}. GET /metrics lists all.")
    return named
