"""Defines and retires metrics, and finds their definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.core.errors import Conflict, NotFound, WriteConflict, shown_name
from chalicelib.core.pagination import every_page, from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock
from chalicelib.metrics.catalogue import (
    MAX_ACTIVE,
    MAX_NAMES,
    NAMES_A_PAGE,
    Catalogue,
    Change,
    ChangeRecords,
    MetricVersion,
    NamedMetric,
    State,
    versions_of,
)
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.metrics.members import NAME
from chalicelib.metrics.queries import MetricsQuery

_CHANGES_AT_ONCE = 4
"""How many changes of others a request gives way to."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A metric after a request, and whether the request changed it."""

    last: Change
    changed: bool


@dataclass(frozen=True)
class DefineMetrics:
    """The use case behind PUT and DELETE /metrics/{name}.

    The record in S3 decides: of requests that change a name at once one writes the record of the next number. If its
    function dies before the name changes, the next request that changes the name first does what the record says.
    """

    catalogue: Catalogue
    records: ChangeRecords
    now: Clock

    def define(self, definition: Definition, by: str) -> Defined:
        """Make a definition the newest of its name. The same one again changes nothing."""
        _refuse_built_in(definition.name)
        for _ in range(_CHANGES_AT_ONCE):
            read = self.catalogue.named(definition.name)
            if read is not None and read.is_active and read.last.definition.sha256 == definition.sha256:
                return Defined(read.last, changed=False)
            if read is None or not read.is_active:
                self._require_room(is_new=read is None)
            if (changed := self._changed(State.ACTIVE, definition, by, read)) is not None:
                return changed
        raise _changed_by_others(definition.name)

    def retire(self, name: str, by: str) -> Defined:
        """Have no further replay compute a metric that does not name it. Its versions stay."""
        _refuse_built_in(name)
        for _ in range(_CHANGES_AT_ONCE):
            read = _named(self.catalogue, name)
            if not read.is_active:
                return Defined(read.last, changed=False)
            if (changed := self._changed(State.RETIRED, read.last.definition, by, read)) is not None:
                return changed
        raise _changed_by_others(name)

    def _changed(self, state: State, definition: Definition, by: str, read: NamedMetric | None) -> Defined | None:
        """Make the next change of a name. None if another request had recorded one, which is made in its place."""
        change = Change(state, definition, self.now(), by, 1 if read is None else read.last.sequence + 1)
        recorded = self.records.keep(change)
        try:
            self.catalogue.change(recorded, read)
        except WriteConflict:
            last = self.catalogue.named(change.name)
            if last is None or last.last.sequence < recorded.sequence:
                raise
        return Defined(change, changed=True) if recorded == change else None

    def _require_room(self, *, is_new: bool) -> None:
        pages = every_page(lambda after: self.catalogue.page(after, NAMES_A_PAGE))
        names = [each for page in pages for each in page.metrics]
        if sum(each.is_active for each in names) >= MAX_ACTIVE:
            raise Conflict(f"There are {MAX_ACTIVE} active metrics, which is the maximum. Retire one first.")
        if is_new and len(names) >= MAX_NAMES:
            told = f"There are {MAX_NAMES} names of metrics, retired ones included, which is the maximum."
            raise Conflict(f"{told} Define one of the retired names again: GET /metrics lists them.")


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


def _changed_by_others(name: str) -> WriteConflict:
    return WriteConflict(f"Other requests kept changing the metric {name}.")


def _refuse_built_in(name: str) -> None:
    if any(name == definition.name for definition in BUILT_IN):
        raise Conflict(f"{name} is built in: it is neither changed nor retired. Choose another name.")


def _named(catalogue: Catalogue, name: str) -> NamedMetric:
    named = catalogue.named(name) if re.fullmatch(NAME, name, re.ASCII) else None
    if named is None:
        raise NotFound(f"There is no metric {shown_name(name)}. GET /metrics lists all.")
    return named
