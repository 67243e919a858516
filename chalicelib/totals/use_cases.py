"""Finds the values of a metric: totals folded from the versions of a replay, and values of entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from chalicelib.aggregates.ports import DefinitionsByHash, VersionsOfEntities
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.aggregates.total import Totals
from chalicelib.core.errors import Fault, InvalidRequest, NotFound, shown_name
from chalicelib.core.pagination import from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.core.read_budget import REQUEST_US, PaidReads
from chalicelib.core.timestamps import Day
from chalicelib.events.ports import EventIndex, Sources
from chalicelib.metrics.catalogue import Catalogue
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.replays.ports import ReplayStore
from chalicelib.totals.arrivals import CountArrivals, TypesOfDays
from chalicelib.totals.choice import ChooseReplays
from chalicelib.totals.queries import ValuesQuery
from chalicelib.totals.reading import ReadEntities, ReadEntity, ReadTotals, fill
from chalicelib.totals.values import ValuesPage
from chalicelib.totals.walk import FoldTotals

NAMES_LOOKED_AT = 1_000
TYPES_US = REQUEST_US // 6
"""What it may cost to learn which types the days have. Only metrics that do not name theirs need it."""


@dataclass(frozen=True, slots=True)
class FoundValues:
    """A page of the values of a metric, the bodies of replays that mend it, and the cursor to the next."""

    query: ValuesQuery
    page: ValuesPage
    replays: Sequence[dict[str, object]]
    cursor: str | None


@dataclass(frozen=True)
class FindValues:
    """The use case behind GET /metrics/{name}/values."""

    catalogue: Catalogue
    definitions: DefinitionsByHash
    metrics: StoredMetrics
    replays: ReplayStore
    history: VersionsOfEntities
    index: EventIndex
    sources: Sources
    totals: Totals
    shards: int
    now: Clock
    concurrently: Concurrently

    def find(self, name: str, query: ValuesQuery) -> FoundValues:
        """Values in order of days. A page ends when it is full or the reads of a request are used up.

        Raises NotFound, Conflict if a replay that is named is not complete, or InvalidRequest.
        """
        asked, by_default = self._asked(name, query)
        _require_foldable(asked, query)
        fingerprint = {**query_fingerprint(query), "name": name}
        day, _, rest = (from_cursor(fingerprint, query.cursor) or query.start_day).partition(" ")
        if day not in query.days:
            raise invalid_cursor()
        page = ValuesPage(asked, query.limit)
        days = query.days[query.days.index(Day(day)) :]
        fill(page, days, rest, self._reader(asked, query, page, days))
        replays = [] if by_default is None else page.replays(query.entity_id, names_it=not by_default)
        return FoundValues(query, page, replays, to_cursor(fingerprint, page.position))

    def _reader(
        self, asked: Definition, query: ValuesQuery, page: ValuesPage, days: Sequence[Day]
    ) -> ReadTotals | ReadEntities | ReadEntity:
        reads = PaidReads(self.concurrently, REQUEST_US)
        types = TypesOfDays(self.sources, self.index, self.shards, PaidReads(self.concurrently, TYPES_US))
        exactly = query.definition_sha256 is not None
        choice = ChooseReplays(self.replays, self.definitions, asked, exactly, types)
        arrivals = CountArrivals(self.index, self.shards, reads)
        if query.entity_id is not None:
            if query.replay_id is not None:
                choice.named(query.replay_id, of_entity=True)
            return ReadEntity(query, page, choice, arrivals, self.metrics, self.history)
        chosen = choice.for_query(query, days, reads)
        reads.pay(TYPES_US - types.reads.left_us)
        if query.by == "entity":
            return ReadEntities(query, page, choice, chosen, self.metrics, self.history, self.index, reads)
        folding = FoldTotals(self.history, self.index, self.totals, self.now, reads)
        return ReadTotals(query, page, choice, chosen, arrivals, folding, days)

    def _asked(self, name: str, query: ValuesQuery) -> tuple[Definition, bool | None]:
        """The requested definition, and whether replays compute it by default, None if its name has another by now."""
        built_in = next((each for each in BUILT_IN if each.name == name), None)
        named = None if built_in else self.catalogue.named(name)
        newest = built_in or (None if named is None else named.last.definition)
        if newest is None and query.definition_sha256 is None:
            raise self._unknown(name)
        is_newest = query.definition_sha256 in (None, newest and newest.sha256)
        if newest is not None and is_newest:
            return newest, built_in is not None or (named is not None and named.is_active)
        [found] = self.definitions.by_hash([query.definition_sha256 or ""])
        if found.name != name:
            fault = Fault("definition_sha256", f"is a definition of {found.name}")
            raise InvalidRequest(f"The definition is not one of {shown_name(name)}.", (fault,))
        return found, None

    def _unknown(self, name: str) -> NotFound:
        names = [each.name for each in BUILT_IN]
        names += [each.last.definition.name for each in self.catalogue.page(None, NAMES_LOOKED_AT).metrics]
        near = get_close_matches(name, names)
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        return NotFound(f"There is no metric {shown_name(name)}.{guess} GET /metrics lists all.")


def _require_foldable(asked: Definition, query: ValuesQuery) -> None:
    if asked.kind.of_all is not None and query.by != "entity" and query.entity_id is None:
        what = f"is of aggregate {asked.aggregate}, whose totals do not follow from the values of entities"
        fault = Fault("by", f"must be entity: {asked.name} {what}. Or give entity_id")
        raise InvalidRequest(f"{asked.name} has no totals.", (fault,))
