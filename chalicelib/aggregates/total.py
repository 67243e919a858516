"""The total of a day: the fold of the versions that one replay made of it, one for each entity.

A version is folded where the earliest of its inputs is met in the index. That happens once, so folding can end after
any event of the day and go on from there, and need not remember which entities it has had.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from chalicelib.aggregates.aggregate import Aggregate, Definitions, merge
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.calendars import window_in
from chalicelib.core.timestamps import CALENDAR, Day, Instant, Window

BEGINNING = ""
"""Where folding begins."""


@dataclass(frozen=True, slots=True)
class ReplayedDay:
    """A day of a calendar, as one replay computed it for all entities."""

    replay_id: str
    day: Day
    calendar: str = CALENDAR

    @property
    def window(self) -> Window:
        """All of the day."""
        return window_in(self.calendar, self.day)


@dataclass(frozen=True, slots=True)
class Total:
    """What the versions of a replayed day come to, as far as they are folded.

    `folded_to` is the position up to which they are, None if all are. `processed` is how many messages of the replay
    were processed: if it has processed more since, as after a redrive, the total is not that of its versions any more.
    Revision 0 is that of one that is not kept.
    """

    of: ReplayedDay
    processed: int
    aggregate: Aggregate = field(default_factory=Aggregate)
    versions: int = 0
    folded_to: str | None = BEGINNING
    computed_at: Instant | None = None
    revision: int = 0

    def with_versions(self, versions: Iterable[AggregateVersion], definitions: Definitions) -> Total:
        """The total with more versions, none of which it has."""
        aggregate, count = self.aggregate, self.versions
        for version in versions:
            aggregate, count = merge(aggregate, version.aggregate, definitions), count + 1
        return replace(self, aggregate=aggregate, versions=count)


class Totals(Protocol):
    """Totals, each kept once it is made."""

    def kept(self, days: Collection[ReplayedDay], definitions: Mapping[str, Definitions]) -> dict[ReplayedDay, Total]:
        """Those of at most 100 totals that there are, with the definitions of each replay, by its id."""

    def keep(self, total: Total, now: Instant) -> Total:
        """Keep a total in place of the one it was made from. Raises WriteConflict if another was kept meanwhile."""
