"""Shows daily aggregates: the status of each version, and how many events came after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.newest_versions import missed_among
from chalicelib.aggregates.ports import AggregateHistory, AggregateVersion
from chalicelib.aggregates.queries import VersionsQuery
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.core.calendars import window_in
from chalicelib.core.pagination import every_page, from_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import LOOK_US, REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day
from chalicelib.events.index_pages import EntityPartition
from chalicelib.events.ports import EventIndex
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.ports import ReplayStore

ROWS_A_READ = 1_000
VALUES_US = REQUEST_US * 2 // 3
"""What values that need all inputs may cost. What is left of the budget goes into what came since."""


@dataclass(frozen=True, slots=True)
class Account:
    """A version, its status, and how many events of its day came after its replay read the index."""

    status: VersionStatus
    arrived_since: int


@dataclass(frozen=True, slots=True)
class DailyAggregates:
    """A page of the versions of an entity's daily aggregate, newest first, and the cursor to the next.

    If it is not exact, at least this many events came after each version.
    """

    query: VersionsQuery
    accounts: tuple[Account, ...]
    exact: bool
    cursor: str | None


@dataclass(frozen=True)
class InvestigateAggregates:
    """The use case behind GET /aggregates."""

    history: AggregateHistory
    index: EventIndex
    replays: ReplayStore
    metrics: StoredMetrics
    concurrently: Concurrently

    def investigate(self, query: VersionsQuery) -> DailyAggregates:
        """A page of versions, which may be empty. Reads the events of the day once, as far as the budget goes."""
        fingerprint = query_fingerprint(query)
        reads = PaidReads(self.concurrently, REQUEST_US)
        statuses, read_to = self._statuses(query, from_cursor(fingerprint, query.cursor), reads)
        statuses = self._valued(query, statuses, reads)
        missed, exact = self._missed(query, statuses, reads) if statuses else ([], True)
        return DailyAggregates(query, tuple(map(Account, statuses, missed)), exact, to_cursor(fingerprint, read_to))

    def _statuses(
        self, query: VersionsQuery, after: str | None, reads: PaidReads
    ) -> tuple[list[VersionStatus], str | None]:
        entity_id, day = query.entity_id, Day(query.day)
        page = self.history.versions(entity_id, day, after, query.limit, query.calendar)
        replay_ids = [stored.version.replay_id for stored in page.versions]
        jobs = dict(zip(replay_ids, reads(self.replays.get, replay_ids), strict=True))
        # Read once more, after the jobs: what a job that is complete by now had written is then there.
        if replay_ids:
            page = self.history.versions(entity_id, day, after, query.limit, query.calendar)
        known = [stored for stored in page.versions if stored.version.replay_id in jobs]
        return [self._status(stored, jobs[stored.version.replay_id]) for stored in known], page.read_to

    def _status(self, stored: AggregateVersion, job: ReplayJob | None) -> VersionStatus:
        return VersionStatus(self.metrics.of(stored, job), job)

    def _valued(self, query: VersionsQuery, statuses: list[VersionStatus], reads: PaidReads) -> list[VersionStatus]:
        """The same with the values of the metric that is named, if these need all inputs."""
        if query.metric is None:
            return statuses
        own = PaidReads(self.concurrently, VALUES_US)
        versions = self.metrics.valued([(each.stored, each.settled) for each in statuses], query.metric, own)
        reads.pay(VALUES_US - own.left_us)
        return [replace(status, stored=stored) for status, stored in zip(statuses, versions, strict=True)]

    def _missed(
        self, query: VersionsQuery, statuses: Sequence[VersionStatus], reads: PaidReads
    ) -> tuple[list[int], bool]:
        """How many events each version missed, at least, and whether all events of the day were gone through."""
        # All inputs of a settled version are among what it may have missed, so they need no looking up.
        missed = [-status.stored.aggregate.event_count if status.settled else 0 for status in statuses]
        exact = True
        try:
            for candidates in self._candidates(query, statuses, reads):
                missed = [so_far + more for so_far, more in zip(missed, candidates, strict=True)]
        except ReadsSpent:
            exact = False
        return [max(0, count) for count in missed], exact

    def _candidates(
        self, query: VersionsQuery, statuses: Sequence[VersionStatus], reads: PaidReads
    ) -> Iterator[Sequence[int]]:
        """How many events each version may have missed, page by page; counted only, if each may have missed any."""
        partition = EntityPartition(query.entity_id, window_in(query.calendar, Day(query.day)))
        if all(status.covers_day for status in statuses):
            for counted in every_page(lambda after: reads(lambda at: self.index.count(partition, at), [after])[0]):
                yield [counted.rows] * len(statuses)
            return
        for page in every_page(lambda after: reads(lambda at: self.index.page(partition, at, ROWS_A_READ), [after])[0]):
            reads.pay(len(page.events) * len(statuses) * LOOK_US)
            candidates = [[event for event in page.events if status.may_lack(event)] for status in statuses]
            yield missed_among(candidates, statuses, self.history, reads)
