"""Folds the versions of a replayed day into its total, as far as the reads of a request go, and keeps how far it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.aggregates.aggregate import Definitions, aggregate_of
from chalicelib.aggregates.ports import VersionsOfEntities
from chalicelib.aggregates.total import ReplayedDay, Total, Totals
from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Clock
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.events.ports import EventIndex
from chalicelib.totals.coverage import Computed
from chalicelib.totals.walk import WalkVersions


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
