"""Account for daily aggregates: how each version stands, what it was computed from, and what two do not share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.aggregate_query import AggregatesQuery, DiffQuery, InputsQuery
from chalicelib.domain.aggregation import Input, Version
from chalicelib.domain.comparison import Comparison, compare
from chalicelib.domain.completeness import Standing
from chalicelib.domain.cursor import from_cursor, to_cursor
from chalicelib.domain.errors import Fault, NotFound
from chalicelib.domain.paging import every_page
from chalicelib.domain.partitions import EntityPartition
from chalicelib.domain.ports import AggregateHistory, AggregateVersion, Concurrently, EventIndex
from chalicelib.domain.raw_line import StoredEvent
from chalicelib.domain.replay_ports import ReplayStore
from chalicelib.domain.timestamps import Day, window_of

ROWS_A_READ = 1_000


@dataclass(frozen=True, slots=True)
class Account:
    """A version, how it stands, and how many events of its day came after its replay read the index."""

    standing: Standing
    arrived_since: int


@dataclass(frozen=True, slots=True)
class DailyAggregates:
    """Every version of an entity's daily aggregate, newest first."""

    query: AggregatesQuery
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class InvestigateAggregates:
    """The use case behind GET /aggregates."""

    history: AggregateHistory
    index: EventIndex
    replays: ReplayStore
    concurrently: Concurrently

    def __call__(self, query: AggregatesQuery) -> DailyAggregates:
        """All versions there are, which may be none. Reads the events of the day once, if there are versions."""
        standings = self._standings(query)
        missed = self._missed(query, standings) if standings else []
        return DailyAggregates(query, tuple(map(Account, standings, missed)))

    def _standings(self, query: AggregatesQuery) -> list[Standing]:
        entity_id, day = query.entity_id, Day(query.day)
        replay_ids = [stored.version.replay_id for stored in self.history.versions(entity_id, day)]
        jobs = dict(zip(replay_ids, self.concurrently(self.replays.get, replay_ids), strict=True))
        # Read once more, after the jobs: what a job that is complete by now had written is then there.
        versions = self.history.versions(entity_id, day) if replay_ids else []
        return [
            Standing(stored, jobs[stored.version.replay_id]) for stored in versions if stored.version.replay_id in jobs
        ]

    def _missed(self, query: AggregatesQuery, standings: Sequence[Standing]) -> list[int]:
        # All inputs of a settled version are among what it may have missed, so they need no looking up.
        counts = [-standing.stored.aggregate.input_count if standing.settled else 0 for standing in standings]
        for events in self._events_of_day(query.entity_id, Day(query.day)):
            for number, standing in enumerate(standings):
                candidates = [event for event in events if standing.may_miss(event)]
                counts[number] += len(candidates) - self._unsettled_inputs(standing, candidates)
        return counts

    def _unsettled_inputs(self, standing: Standing, candidates: Sequence[StoredEvent]) -> int:
        if standing.settled:
            return 0
        return len(self.history.inputs_among([(standing.stored.version, event) for event in candidates]))

    def _events_of_day(self, entity_id: str, day: Day) -> Iterator[tuple[StoredEvent, ...]]:
        partition = EntityPartition(entity_id, window_of(day))
        pages = every_page(lambda after: self.index.page(partition, after, ROWS_A_READ))
        return (page.events for page in pages)


@dataclass(frozen=True, slots=True)
class FoundInputs:
    """A page of a version's inputs, and the cursor to the next."""

    inputs: tuple[Input, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions of a daily aggregate, and what they do not share."""

    from_: AggregateVersion
    to: AggregateVersion
    comparison: Comparison


@dataclass(frozen=True)
class TraceVersions:
    """The use cases behind GET /aggregates/inputs and /aggregates/diff."""

    history: AggregateHistory

    def inputs(self, query: InputsQuery) -> FoundInputs:
        """A page of inputs, by time and id; raises NotFound. It may be empty and have a cursor: then go on.

        One read, whatever the size of the version; a second one if the first messages are no inputs.
        """
        sealed = query.model_dump(exclude={"cursor", "limit"}, mode="json")
        after = from_cursor(sealed, query.cursor)
        version = query.version(query.replay_id)
        page = self.history.inputs(version, after, query.limit)
        if after is None and not page.inputs and not (page.read_to and self._holds(version)):
            raise _no_version(query, replay_id=query.replay_id)
        return FoundInputs(page.inputs, to_cursor(sealed, page.read_to))

    def _holds(self, version: Version) -> bool:
        """Whether a version has inputs: it is written together with its first."""
        return any(
            stored.version.replay_id == version.replay_id
            for stored in self.history.versions(version.entity_id, version.day)
        )

    def difference(self, query: DiffQuery) -> Difference:
        """What two versions do not share; raises NotFound. Holds a page of each at a time, however large they are."""
        versions = self.history.versions(query.entity_id, Day(query.day))
        stored = {version.version.replay_id: version for version in versions}
        unknown = {name: replay_id for name, replay_id in query.named.items() if replay_id not in stored}
        if unknown:
            raise _no_version(query, **unknown)
        from_, to = stored[query.from_], stored[query.to]
        comparison = compare(self._every_input(from_.version), self._every_input(to.version), query.limit)
        return Difference(from_, to, comparison)

    def _every_input(self, version: Version) -> Iterator[Input]:
        pages = every_page(lambda after: self.history.inputs(version, after, ROWS_A_READ))
        return (single for page in pages for single in page.inputs)


def _no_version(query: AggregatesQuery, **replay_ids: str) -> NotFound:
    names = " and ".join(replay_ids.values())
    faults = [Fault(field, "names no version of this entity and day") for field in replay_ids]
    return NotFound(f"This entity's aggregate of {query.day} has no version {names}.", faults)
