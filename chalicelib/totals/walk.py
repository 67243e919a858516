"""Reads the versions that a replay made of a day in the order of their earliest inputs, and folds them into its total.

AggregatesTable has versions by entity, so the index says which entities there are: it is read as the replay read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.aggregates.aggregate import Definitions, Version, aggregate_of
from chalicelib.aggregates.ports import AggregateVersion, VersionsOfEntities
from chalicelib.aggregates.total import BEGINNING, ReplayedDay, Total, Totals
from chalicelib.core.errors import WriteConflict
from chalicelib.core.pagination import chunked, invalid_cursor
from chalicelib.core.ports import Clock
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.events.index_pages import Partition, Row, merged
from chalicelib.events.ports import EventIndex
from chalicelib.totals.coverage import Computed

ROWS_A_READ = 8_000
"""Of all partitions of a day together."""

FEWEST_ROWS_A_READ, MOST_ROWS_A_READ = 100, 1_000
"""Of each."""

VERSIONS_A_READ = 100
FOLD_US = 150
"""Computing for one version that is folded."""

_POSITION = re.compile(r"([0-9]{1,4}):(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class Met:
    """A version, met at its earliest input, and the position behind that."""

    version: AggregateVersion
    position: str


@dataclass(frozen=True, slots=True)
class Round:
    """The versions that one round of reads met, and the position to go on from, None after the last."""

    met: Sequence[Met]
    read_to: str | None


@dataclass
class WalkVersions:
    """Walks through the versions of a day."""

    computed: Computed
    history: VersionsOfEntities
    index: EventIndex
    reads: PaidReads
    _awaited: dict[str, AggregateVersion | None] = field(default_factory=dict)

    def rounds(self, position: str = BEGINNING) -> Iterator[Round]:
        """Rounds from a position on; raises ReadsSpent between two of them."""
        number, after = _read(position)
        days = list(self.computed.partitions(self.computed.job.request.types, self.computed.job.shards))
        while number < len(days):
            rows, after = self._rows(days[number], after)
            met = [Met(version, f"{number}:{row.sort_key}") for row, version in self._met(rows)]
            self.reads.pay(len(met) * FOLD_US)
            number += after is None
            yield Round(met, f"{number}:{after or ''}" if number < len(days) else None)

    def _rows(self, partitions: Sequence[Partition], after: str | None) -> tuple[Sequence[Row], str | None]:
        limit = min(max(FEWEST_ROWS_A_READ, ROWS_A_READ // len(partitions)), MOST_ROWS_A_READ)
        page = merged(self.reads(lambda part: self.index.page(part, after, limit), partitions), newest_first=False)
        return page.rows, page.read_to

    def _met(self, rows: Sequence[Row]) -> Iterator[tuple[Row, AggregateVersion]]:
        self._look_up(rows)
        for row in rows:
            version = self._awaited.get(row.event.entity_id)
            if version is not None and _earliest(version) == (row.event.event_time, row.event.event_id):
                self._awaited[row.event.entity_id] = None
                yield row, version

    def _look_up(self, rows: Sequence[Row]) -> None:
        """Read the versions of entities that come for the first time. Those met before this walk are left out."""
        first = {row.event.entity_id: row for row in reversed(rows) if row.event.entity_id not in self._awaited}
        self._awaited |= dict.fromkeys(first)
        of = Version("", self.computed.day, self.computed.job.replay_id, calendar=self.computed.of.calendar)
        chunks = list(chunked(list(first), VERSIONS_A_READ))
        for found in self.reads(lambda some: self.history.of_entities(of, some), chunks) if chunks else []:
            for version in found:
                event = first[version.version.entity_id].event
                if _earliest(version) >= (event.event_time, event.event_id):
                    self._awaited[version.version.entity_id] = version


def _earliest(version: AggregateVersion) -> tuple[str, str]:
    return version.aggregate.samples[0]


def _read(position: str) -> tuple[int, str | None]:
    match = _POSITION.fullmatch(position or "0:")
    if match is None:
        raise invalid_cursor()
    return int(match[1]), match[2] or None


@dataclass(frozen=True)
class FoldTotals:
    """Makes totals, each once: what is kept is read."""

    history: VersionsOfEntities
    index: EventIndex
    totals: Totals
    now: Clock
    reads: PaidReads

    def of(self, computed: Computed, definitions: Definitions, kept: Total | None) -> Total:
        """The whole total of a replayed day, from what is kept of it. Raises ReadsSpent, having kept what is folded."""
        begun = _begun(computed, definitions, kept)
        if begun.folded_to is None:
            return begun
        total = begun
        walk = WalkVersions(computed, self.history, self.index, self.reads)
        try:
            for some in walk.rounds(begun.folded_to):
                versions = (met.version.with_metrics(definitions) for met in some.met)
                total = replace(total.with_versions(versions, definitions), folded_to=some.read_to)
        except ReadsSpent:
            self._keep(total, definitions)
            raise
        return self._keep(total, definitions)

    def _keep(self, total: Total, definitions: Definitions) -> Total:
        """Keep a total; of two requests that fold the same day, the first that has all of it counts."""
        try:
            return self.totals.keep(total, self.now())
        except WriteConflict:
            other = self._read(total.of, definitions)
            if other is None or total.folded_to is not None or total.processed != other.processed:
                raise
            if other.folded_to is None:
                return other
            return self.totals.keep(replace(total, revision=other.revision), self.now())

    def _read(self, of: ReplayedDay, definitions: Definitions) -> Total | None:
        return self.totals.kept([of], {of.replay_id: definitions}).get(of)


def _begun(computed: Computed, definitions: Definitions, kept: Total | None) -> Total:
    """The total that folding continues from: empty if the replay has processed more since."""
    if kept is not None and kept.processed == computed.job.processed:
        return kept
    revision = 0 if kept is None else kept.revision
    return Total(computed.of, computed.job.processed, aggregate_of((), definitions), revision=revision)
