"""Says how many events the newest versions of days of entities lack, with a few reads of each day, however large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.ports import INPUTS_A_LOOK_UP, AggregateHistory, AggregateVersion
from chalicelib.core.pagination import chunked
from chalicelib.core.read_budget import AT_ONCE, READ_US, ROUND_US, PaidReads
from chalicelib.core.replay_ids import is_what_if
from chalicelib.core.timestamps import Day, window_of
from chalicelib.events.index_pages import EntityPartition
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.ports import ReplayStore

EntityDay = tuple[str, Day]

ROWS_OF_A_DAY = 500
_LARGE_READS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class NewestVersion:
    """The newest version of a day, and how many events it lacks: at least as many, unless it is exact."""

    status: VersionStatus
    arrived_since: int
    exact: bool


@dataclass
class NewestVersions:
    """Reads the newest versions of days, and what came after each, within one budget of reads."""

    history: AggregateHistory
    index: EventIndex
    replays: ReplayStore
    reads: PaidReads
    _jobs: dict[str, ReplayJob | None] = field(default_factory=dict)

    def of(self, days: Sequence[EntityDay]) -> dict[EntityDay, NewestVersion]:
        """The newest version of each day that has one; raises ReadsSpent."""
        statuses = self._statuses(days)
        whole = {day: status for day, status in statuses.items() if status.covers_day}
        rest = {day: status for day, status in statuses.items() if not status.covers_day}
        return self._counted(whole) | self._compared(rest)

    def _statuses(self, days: Sequence[EntityDay]) -> dict[EntityDay, VersionStatus]:
        found = self._newest(days)
        unknown = {stored.version.replay_id for stored in found.values()} - self._jobs.keys()
        self._jobs |= zip(unknown, self.reads(self.replays.get, unknown), strict=True)
        # Read once more, after the jobs: what a job that is complete by now had written is then there.
        again = self._newest(list(found))
        known = {day: stored for day, stored in again.items() if stored.version.replay_id in self._jobs}
        return {day: VersionStatus(stored, self._jobs[stored.version.replay_id]) for day, stored in known.items()}

    def _newest(self, days: Sequence[EntityDay]) -> dict[EntityDay, AggregateVersion]:
        pages = self.reads(lambda day: self.history.versions(*day, None, 1), days)
        # A day without a version of a replay is looked at once more, for versions of raw objects.
        self.reads.pay(ceil(len(days) / AT_ONCE) * ROUND_US + len(days) * READ_US)
        found = ((day, page.versions[0]) for day, page in zip(days, pages, strict=True) if page.versions)
        return {day: stored for day, stored in found if not is_what_if(stored.version.replay_id)}

    def _counted(self, statuses: Mapping[EntityDay, VersionStatus]) -> dict[EntityDay, NewestVersion]:
        """Of versions that cover their day: what it has and they do not."""
        counts = self.reads(lambda day: self.index.count(_partition(day), None), statuses)
        return {
            day: _lacking(status, counted.rows, exact=counted.read_to is None)
            for (day, status), counted in zip(statuses.items(), counts, strict=True)
        }

    def _compared(self, statuses: Mapping[EntityDay, VersionStatus]) -> dict[EntityDay, NewestVersion]:
        """Of other versions: events that came too late for them, of the first of the day, and are no inputs."""
        pages = [
            page
            for some in chunked(list(statuses), _LARGE_READS_AT_ONCE)
            for page in self.reads(lambda day: self.index.page(_partition(day), None, ROWS_OF_A_DAY), some)
        ]
        read = list(zip(statuses.items(), pages, strict=True))
        candidates = [[event for event in page.events if status.may_lack(event)] for (_, status), page in read]
        missed = missed_among(candidates, list(statuses.values()), self.history, self.reads, _LARGE_READS_AT_ONCE)
        return {
            day: _lacking(status, count, exact=page.read_to is None)
            for ((day, status), page), count in zip(read, missed, strict=True)
        }


def missed_among(
    candidates: Sequence[Sequence[StoredEvent]],
    statuses: Sequence[VersionStatus],
    history: AggregateHistory,
    reads: PaidReads,
    at_once: int = AT_ONCE,
) -> Sequence[int]:
    """How many of each version's candidates are no inputs of it. Of settled versions none is looked up."""
    each = list(zip(statuses, candidates, strict=True))
    doubtful = [(status.stored.version, event) for status, some in each if not status.settled for event in some]
    held = Counter(versions_with(doubtful, history, reads, at_once))
    return [len(some) - held[status.stored.version] for status, some in each]


def versions_with(
    pairs: Sequence[tuple[Version, StoredEvent]], history: AggregateHistory, reads: PaidReads, at_once: int = AT_ONCE
) -> Iterator[Version]:
    """The version of each pair whose event is an input of it."""
    for look_ups in chunked(list(chunked(pairs, INPUTS_A_LOOK_UP)), at_once):
        yield from (version for found in reads(history.inputs_among, look_ups) for version, _ in found)


def _partition(day: EntityDay) -> EntityPartition:
    entity_id, of_day = day
    return EntityPartition(entity_id, window_of(of_day))


def _lacking(status: VersionStatus, candidates: int, *, exact: bool) -> NewestVersion:
    """All inputs of a settled version are among the candidates, so they need no looking up."""
    inputs = status.stored.aggregate.event_count if status.settled else 0
    return NewestVersion(status, max(0, candidates - inputs), exact)
