"""Chooses the replays that the values of a metric are taken from, and says why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chalicelib.aggregates.aggregate import Definitions, definitions_in
from chalicelib.aggregates.ports import DefinitionsByHash
from chalicelib.core.calendars import window_in
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.pagination import every_page
from chalicelib.core.read_budget import PaidReads
from chalicelib.core.replay_ids import is_what_if
from chalicelib.core.timestamps import Day
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.ports import ReplayStore
from chalicelib.totals.arrivals import TypesOfDays
from chalicelib.totals.coverage import SEVERAL_SOURCES, Computed, has_several_sources, is_complete, is_of_all_entities
from chalicelib.totals.queries import ValuesQuery
from chalicelib.totals.values import Missing

REPLAYS_A_READ = 100
LOOKED_BACK = 500
"""Replays. One that was requested before these counts only if it is named."""


@dataclass(frozen=True)
class ChooseReplays:
    """Finds complete replays that pin a metric. `exactly` asks for one definition of its name."""

    replays: ReplayStore
    definitions: DefinitionsByHash
    asked: Definition
    exactly: bool
    types: TypesOfDays

    def pinned(self, job: ReplayJob) -> Definition | None:
        """The definition of this name and calendar that a replay computes."""
        if self.asked in BUILT_IN:
            return self.asked
        hashes = [each.definition_sha256 for each in job.metrics if each.name == self.asked.name]
        for sha256 in hashes if not self.exactly else [each for each in hashes if each == self.asked.sha256]:
            for definition in self._known(sha256):
                if definition.time_zone == self.asked.time_zone:
                    return definition
        return None

    def all_of(self, job: ReplayJob) -> Definitions:
        """All that a replay's versions of this calendar have. Raises NotFound if a definition is lost."""
        return definitions_in(
            self.asked.time_zone, self.definitions.by_hash([each.definition_sha256 for each in job.metrics])
        )

    def of_days(self, days: Sequence[Day], reads: PaidReads) -> dict[Day, Computed]:
        """The newest complete replay of each day that covers the whole of it, else the newest that covers a part."""
        found: dict[Day, Computed] = {}
        todo = list(days)
        for job in self._newest_first(reads) if todo else ():
            definition = self.pinned(job) if is_complete(job) else None
            if definition is None:
                continue
            for day in list(todo):
                computed = self._computed(job, definition, day)
                if computed.is_of_all_entities and computed.overlaps:
                    if not computed.partial_because:
                        found[day] = computed
                        todo.remove(day)
                    found.setdefault(day, computed)
            if not todo:
                break
        return found

    def for_query(self, query: ValuesQuery, days: Sequence[Day], reads: PaidReads) -> dict[Day, Computed]:
        """The replay that each day's values are taken from: the one that a query names, if it names one."""
        if query.replay_id is None:
            return self.of_days(days, reads)
        job, definition = self.named(query.replay_id, of_entity=False)
        computed = (self._computed(job, definition, day) for day in days)
        return {each.day: each for each in computed if each.overlaps}

    def _computed(self, job: ReplayJob, definition: Definition, day: Day) -> Computed:
        found = Computed(job, definition, day)
        if found.is_of_all_entities and found.overlaps and found.partial_because:
            return replace(found, needed=self.types.needed(definition, day))
        return found

    def missing(self, query: ValuesQuery, day: Day) -> Missing:
        """A day without a value, why, and what a replay of it has to send: nothing, if clocks left the day out."""
        window = window_in(self.asked.time_zone, day)
        if window.start == window.end:
            return Missing(day, f"The clocks of {self.asked.time_zone} left this day out.", frozenset())
        needed = self.types.needed(self.asked, day) if query.entity_id is None else None
        several = f" {SEVERAL_SOURCES}" if has_several_sources(needed) else ""
        return Missing(day, f"{self._why_missing(query)}{several}", needed)

    def _why_missing(self, query: ValuesQuery) -> str:
        name = self.asked.name
        if query.replay_id is not None:
            return f"The replay {query.replay_id} sent no event of this day that {name} takes."
        which = "complete replay" if query.entity_id is not None else "complete replay by source and type"
        return f"No {which} computed {name} for this day."

    def named(self, replay_id: str, *, of_entity: bool) -> tuple[ReplayJob, Definition]:
        """A replay that is named, with the definition that it pins. Raises NotFound or Conflict if it has no values."""
        job = self.replays.get(replay_id)
        if job is None:
            raise NotFound(f"There is no replay {replay_id}. GET /replay lists all.")
        if not job.destination.is_aggregates:
            raise NotFound(f"The replay {replay_id} was sent to {job.destination.name}, so it computed nothing.")
        definition = self.pinned(job)
        if definition is None:
            names = sorted({*(each.name for each in BUILT_IN), *(each.name for each in job.metrics)})
            which = f"{self.asked.name} of this definition" if self.exactly else self.asked.name
            raise NotFound(f"The replay {replay_id} did not compute {which}. It computed {', '.join(names)}.")
        if not is_complete(job):
            raise Conflict(_unfinished(job))
        if not (of_entity or is_of_all_entities(job)):
            raise Conflict(
                f"The replay {replay_id} sent days of chosen entities, so its versions make no total. Give entity_id,"
                " or name a replay by source and type."
            )
        return job, definition

    def _known(self, sha256: str) -> list[Definition]:
        try:
            return self.definitions.by_hash([sha256])
        except NotFound:
            return []

    def _newest_first(self, reads: PaidReads) -> Iterator[ReplayJob]:
        seen = 0
        for page in every_page(lambda after: reads(lambda at: self.replays.newest(at, REPLAYS_A_READ), [after])[0]):
            jobs = reads(self.replays.get, [each for each in page.items if not is_what_if(each)])
            yield from (job for job in jobs if job is not None and job.destination.is_aggregates)
            seen += len(page.items)
            if seen >= LOOKED_BACK:
                return


def _unfinished(job: ReplayJob) -> str:
    state = job.public_state
    if state in (JobState.CANCELLED, JobState.FAILED):
        return f"The replay {job.replay_id} is {state.value}, so its versions make no total. Request a replay again."
    return (
        f"The replay {job.replay_id} is {state.value}, with {job.processed} of {job.sent} sent messages processed. Its"
        f" versions make a total once it is COMPLETE: retrace replay get {job.replay_id} --wait"
    )
