"""Shows daily aggregates: the status of each version, its inputs, and the differences of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.asked_metric import MetricChange, metric_change, metric_named
from chalicelib.aggregates.biggest_inputs import biggest_inputs, require_numbers
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.diff import Comparison, Side
from chalicelib.aggregates.inputs import FoundInputs
from chalicelib.aggregates.pinned_metrics import DefinitionsByHash, with_metrics
from chalicelib.aggregates.ports import AggregateHistory, AggregateVersion, InputsPage
from chalicelib.aggregates.queries import AggregatesQuery, DiffQuery, InputsQuery, VersionsQuery
from chalicelib.core.calendars import window_in
from chalicelib.core.errors import Fault, NotFound
from chalicelib.core.pagination import chunked, every_page, from_cursor, invalid_cursor, query_fingerprint, to_cursor
from chalicelib.core.ports import Concurrently
from chalicelib.core.read_budget import AT_ONCE, LOOK_US, REQUEST_US, PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day
from chalicelib.events.index_pages import EntityPartition
from chalicelib.events.ports import EventIndex
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.definition import Definition
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.ports import ReplayStore

ROWS_A_READ = 1_000
INPUTS_A_LOOK_UP = 100

_BETWEEN = "\x00"
"""Of the two positions of a cursor; no key has it."""


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
    definitions: DefinitionsByHash
    concurrently: Concurrently

    def investigate(self, query: VersionsQuery) -> DailyAggregates:
        """A page of versions, which may be empty. Reads the events of the day once, as far as the budget goes."""
        fingerprint = query_fingerprint(query)
        reads = PaidReads(self.concurrently, REQUEST_US)
        statuses, read_to = self._statuses(query, from_cursor(fingerprint, query.cursor), reads)
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
        return VersionStatus(with_metrics(stored, job, self.definitions), job)

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
            yield self._candidates_among(page.events, statuses, reads)

    def _candidates_among(
        self, events: Sequence[StoredEvent], statuses: Sequence[VersionStatus], reads: PaidReads
    ) -> Sequence[int]:
        reads.pay(len(events) * len(statuses) * LOOK_US)
        candidates = [[event for event in events if status.may_lack(event)] for status in statuses]
        doubtful = [
            (status.stored.version, event)
            for status, some in zip(statuses, candidates, strict=True)
            if not status.settled
            for event in some
        ]
        held = Counter(self._holding(doubtful, reads))
        return [len(some) - held[status.stored.version] for status, some in zip(statuses, candidates, strict=True)]

    def _holding(self, doubtful: Sequence[tuple[Version, StoredEvent]], reads: PaidReads) -> Iterator[Version]:
        """The version of each pair, if it holds the event."""
        for look_ups in chunked(list(chunked(doubtful, INPUTS_A_LOOK_UP)), AT_ONCE):
            yield from (version for found in reads(self.history.inputs_among, look_ups) for version, _ in found)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions of a daily aggregate, a page of their differences, and the cursor to the next."""

    from_: AggregateVersion
    to: AggregateVersion
    comparison: Comparison
    cursor: str | None
    metric: MetricChange | None = None


@dataclass(frozen=True)
class TraceVersions:
    """The use cases behind GET /aggregates/inputs and /aggregates/diff."""

    history: AggregateHistory
    replays: ReplayStore
    definitions: DefinitionsByHash
    concurrently: Concurrently

    def inputs(self, query: InputsQuery) -> FoundInputs:
        """A page of inputs, by time and id; raises NotFound. It may be empty and have a cursor: then go on.

        One read, whatever the size of the version; a second one if the first messages are no inputs.
        """
        fingerprint = query_fingerprint(query)
        after = from_cursor(fingerprint, query.cursor)
        metric = None if query.metric is None else self._metric(query, query.metric)
        page_after = partial(self._page, query.version(query.replay_id), metric)
        if query.by == "contribution":
            metric, reads = require_numbers(metric), PaidReads(self.concurrently, REQUEST_US)
            found, exact = biggest_inputs(lambda at: page_after(at, ROWS_A_READ), reads, metric, query.limit)
            return FoundInputs(found, None, metric, exact)
        page = page_after(after, query.limit)
        if after is None and not page.inputs and not (page.read_to and self._named(query, query.replay_id)):
            raise _no_version(query, replay_id=query.replay_id)
        return FoundInputs(page.inputs, to_cursor(fingerprint, page.read_to), metric)

    def _metric(self, query: InputsQuery, name: str) -> Definition:
        stored = self._named(query, query.replay_id)
        if not stored:
            raise _no_version(query, replay_id=query.replay_id)
        return metric_named(self._explained(stored[0]), name).definition

    def _page(self, version: Version, metric: Definition | None, after: str | None, limit: int) -> InputsPage:
        return self.history.inputs(version, after, limit, () if metric is None else (metric,))

    def difference(self, query: DiffQuery) -> Difference:
        """Return a page of the differences of two versions, with the cursor to the next. Raises NotFound.

        A page ends with its differences, or when the reads of a request are used up: it may have none.
        """
        fingerprint = query_fingerprint(query)
        afters = _positions(from_cursor(fingerprint, query.cursor))
        from_, to = both = self._compared(query)
        metric = None if query.metric is None else metric_change(from_, to, query.metric)
        definitions = (None, None) if metric is None else (metric.from_.definition, metric.to.definition)
        sides = [
            Side(one.version, self.history.position_of, definition, at)
            for one, definition, at in zip(both, definitions, afters, strict=True)
        ]
        comparison = self._comparison(sides, query.limit)
        more = any(side.more or side.next is not None for side in sides)
        position = _BETWEEN.join(side.after or "" for side in sides) if more else None
        return Difference(from_, to, comparison, to_cursor(fingerprint, position), metric)

    def _compared(self, query: DiffQuery) -> tuple[AggregateVersion, AggregateVersion]:
        stored = {found.version.replay_id: found for found in self._named(query, *query.named.values())}
        unknown = {name: replay_id for name, replay_id in query.named.items() if replay_id not in stored}
        if unknown:
            raise _no_version(query, **unknown)
        return self._explained(stored[query.from_]), self._explained(stored[query.to])

    def _explained(self, stored: AggregateVersion) -> AggregateVersion:
        """A version with the metrics that its replay pins: the replay is read only if it pins some."""
        job = None if stored.packed is None else self.replays.get(stored.version.replay_id)
        return with_metrics(stored, job, self.definitions)

    def _named(self, query: AggregatesQuery, *replay_ids: str) -> list[AggregateVersion]:
        return self.history.named(query.entity_id, Day(query.day), replay_ids, query.calendar)

    def _comparison(self, sides: list[Side], limit: int) -> Comparison:
        reads, found = PaidReads(self.concurrently, REQUEST_US), Comparison()
        while found.differences < limit:
            lagging = [side for side in sides if side.lags]
            try:
                pages = reads(lambda side: self._page(side.version, side.metric, side.after, ROWS_A_READ), lagging)
            except ReadsSpent:
                break
            for side, page in zip(lagging, pages, strict=True):
                side.take_in(page)
            if not any(side.lags for side in sides) and not found.add(*sides):
                break
        return found


def _positions(both: str | None) -> list[str | None]:
    if both is None:
        return [None, None]
    positions = both.split(_BETWEEN)
    if len(positions) != len(("from", "to")):
        raise invalid_cursor()
    return [position or None for position in positions]


def _no_version(query: AggregatesQuery, **replay_ids: str) -> NotFound:
    names = " and ".join(replay_ids.values())
    faults = [Fault(field, "names no version of this entity and day") for field in replay_ids]
    return NotFound(f"This entity's aggregate of {query.day} has no version {names}.", faults)
