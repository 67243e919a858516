"""Reads the values of a page, day by day: totals, those of every entity, or those of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.aggregates.ports import AggregateVersion, VersionsOfEntities
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.core.replay_ids import is_what_if
from chalicelib.core.timestamps import Day
from chalicelib.events.ports import EventIndex
from chalicelib.totals.arrivals import CountArrivals
from chalicelib.totals.choice import ChooseReplays
from chalicelib.totals.coverage import Computed, is_complete
from chalicelib.totals.queries import ValuesQuery
from chalicelib.totals.values import MetricValue, ValuesPage, members_of
from chalicelib.totals.walk import FoldTotals, WalkVersions

DAYS_A_READ = 31
VERSIONS_LOOKED_AT = 20


class DayReader(Protocol):
    """Reads the values of a day into a page."""

    def read(self, day: Day, rest: str) -> str | None:
        """Add a day's values from a position in it on; the position to go on from, None after its last.

        Raises ReadsSpent if it added none.
        """


def fill(page: ValuesPage, days: Sequence[Day], rest: str, reader: DayReader) -> None:
    """Fill a page with the values of days; `rest` is a position in the first."""
    for day in days:
        reached: str | None = rest
        if page.room > 0:
            try:
                reached = reader.read(day, rest)
            except ReadsSpent:
                reached = rest
        if reached is not None:
            page.position = f"{day} {reached}"
            return
        rest = ""


@dataclass
class ReadTotals:
    """Values over all entities, by group or over all groups. A position counts the values of a day."""

    query: ValuesQuery
    page: ValuesPage
    choice: ChooseReplays
    chosen: Mapping[Day, Computed]
    arrivals: CountArrivals
    folding: FoldTotals
    days: Sequence[Day]
    _kept: dict[ReplayedDay, Total] = field(default_factory=dict)
    _looked_up: set[Day] = field(default_factory=set)

    def read(self, day: Day, rest: str) -> str | None:
        """The total of the day, made if it is not kept."""
        computed = self.chosen.get(day)
        if computed is None:
            self.page.missing.append(self.choice.missing(self.query, day))
            return None
        total = self.folding.of(computed, self.choice.all_of(computed.job), self._kept_total(computed))
        since = self.arrivals.since(computed, total.aggregate)
        state = total.aggregate.states[computed.definition.sha256]
        every = [
            MetricValue(computed, members, total.aggregate, total.versions, total.computed_at, since)
            for members in members_of(state, self.query.by, self.query.wanted_group)
        ]
        return self.page.take(every, rest)

    def _kept_total(self, computed: Computed) -> Total | None:
        if computed.day not in self._looked_up:
            at = self.days.index(computed.day)
            some = [self.chosen[day] for day in self.days[at : at + DAYS_A_READ] if day in self.chosen]
            definitions = {each.job.replay_id: self.choice.all_of(each.job) for each in some}
            wanted = [each.of for each in some]
            [found] = self.folding.reads(lambda days: self.folding.totals.kept(days, definitions), [wanted])
            self._kept |= found
            self._looked_up |= {each.day for each in some}
        return self._kept.get(computed.of)


@dataclass
class ReadEntities:
    """Values of every entity, in the order of their earliest inputs. All groups of one are on the same page."""

    query: ValuesQuery
    page: ValuesPage
    choice: ChooseReplays
    chosen: Mapping[Day, Computed]
    metrics: StoredMetrics
    history: VersionsOfEntities
    index: EventIndex
    reads: PaidReads

    def read(self, day: Day, rest: str) -> str | None:
        """The values of the versions of the day."""
        computed = self.chosen.get(day)
        if computed is None:
            self.page.missing.append(self.choice.missing(self.query, day))
            return None
        reached: str | None = rest
        try:
            for some in WalkVersions(computed, self.history, self.index, self.reads).rounds(rest):
                for met in some.met:
                    self.page.values += self._values(computed, met.version)
                    reached = met.position
                    if self.page.room <= 0:
                        return reached
                reached = some.read_to
        except ReadsSpent:
            return reached
        return None

    def _values(self, computed: Computed, version: AggregateVersion) -> Iterator[MetricValue]:
        own = _valued(
            self.metrics, version.with_metrics(self.choice.all_of(computed.job)), computed, self.page, self.reads
        )
        state = own.aggregate.states[computed.definition.sha256]
        for members in members_of(state, "group", self.query.wanted_group):
            yield MetricValue(computed, members, own.aggregate, 1, own.computed_at, None, own.version.entity_id)


@dataclass
class ReadEntity:
    """Values of one entity, each of the newest version that covers the day, else of the newest that covers a part."""

    query: ValuesQuery
    page: ValuesPage
    choice: ChooseReplays
    arrivals: CountArrivals
    metrics: StoredMetrics
    history: VersionsOfEntities

    def read(self, day: Day, rest: str) -> str | None:
        """The values of the entity's version of the day."""
        entity_id = self.query.entity_id or ""
        found = self._newest(entity_id, day)
        if found is None:
            self.page.missing.append(self.choice.missing(self.query, day))
            return None
        computed, version = found
        own = version.with_metrics(self.choice.all_of(computed.job))
        since = self.arrivals.since(computed, own.aggregate, entity_id)
        own = _valued(self.metrics, own, computed, self.page, self.arrivals.reads)
        state = own.aggregate.states[computed.definition.sha256]
        every = [
            MetricValue(computed, members, own.aggregate, 1, own.computed_at, since, entity_id)
            for members in members_of(state, self.query.by, self.query.wanted_group)
        ]
        return self.page.take(every, rest)

    def _newest(self, entity_id: str, day: Day) -> tuple[Computed, AggregateVersion] | None:
        newest: tuple[Computed, AggregateVersion] | None = None
        stored = self._stored(entity_id, day)
        jobs = self.arrivals.reads(self.choice.replays.get, [each.version.replay_id for each in stored])
        for version, job in zip(stored, jobs, strict=True):
            definition = None if job is None or not is_complete(job) else self.choice.pinned(job)
            if job is None or definition is None:
                continue
            computed = Computed(job, definition, day)
            if not computed.partial_because:
                return computed, version
            newest = newest or (computed, version)
        return newest

    def _stored(self, entity_id: str, day: Day) -> Sequence[AggregateVersion]:
        calendar = self.choice.asked.time_zone
        if self.query.replay_id is not None:
            return self.history.named(entity_id, day, [self.query.replay_id], calendar)
        page = self.history.versions(entity_id, day, None, VERSIONS_LOOKED_AT, calendar)
        return [each for each in page.versions if not is_what_if(each.version.replay_id)]


def _valued(
    metrics: StoredMetrics, own: AggregateVersion, computed: Computed, page: ValuesPage, reads: PaidReads
) -> AggregateVersion:
    """A version with its value if that needs all inputs. Raises ReadsSpent if the next page may have reads for it."""
    if computed.definition.kind.of_all is None:
        return own
    [found] = metrics.valued([(own, computed.job.settled)], computed.definition.name, reads)
    if page.values and found.aggregate.states[computed.definition.sha256].unknown_because:
        raise ReadsSpent("The next page has reads for a value that needs all inputs.")
    return found
