"""Queries of events: in a window, late ones, gaps and freshness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.core.fields import (
    MAX_MS,
    DayText,
    EndTime,
    EntityId,
    EventType,
    IdempotencyKey,
    Limit,
    Milliseconds,
    Source,
    Time,
    WrongField,
)
from chalicelib.core.timestamps import ALL_TIME, Day, Instant, Window, days_in, window_of
from chalicelib.events.arrivals import Status
from chalicelib.events.event import event_id_of
from chalicelib.events.index_pages import EntityPartition, Partition, days_of, shards_of_day

MAX_DAYS_BY_TYPE = 366
MAX_DAYS_OF_HOURS = 31
MAX_DAYS_OF_ARRIVAL = 31


class NoParameters(BaseModel):
    """Takes no parameters, so a misplaced dry_run is an error instead of a real request."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Order(StrEnum):
    """By event time, then by event id."""

    OLDEST = "oldest"
    NEWEST = "newest"


class Include(StrEnum):
    """What a list has beside the metadata of an event."""

    EVENT = "event"


class _Selection(BaseModel):
    """Events of an entity, or of a source and type, within a day or a window."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    entity_id: EntityId | None = None
    source: Source | None = None
    event_type: EventType | None = None
    day: DayText | None = None
    start_time: Time | None = None
    end_time: EndTime | None = None

    needs_a_type: ClassVar[bool] = True

    @model_validator(mode="after")
    def _selects_something(self) -> _Selection:
        self._check_selection()
        return self

    def _check_selection(self) -> None:
        if self.entity_id is None and (self.source is None or (self.needs_a_type and self.event_type is None)):
            raise WrongField("entity_id", f"is missing; ask by it, or by source{' and event_type' * self.needs_a_type}")
        if self.day is not None and (self.start_time is not None or self.end_time is not None):
            raise WrongField("day", "cannot be combined with start_time or end_time: give either a day, or those two")
        if self.entity_id is None and self.day is None and (self.start_time is None or self.end_time is None):
            raise WrongField("day", "is missing; by source and event_type, give a day, or start_time and end_time")
        if self.window.start >= self.window.end:
            raise WrongField("start_time", "must lie before end_time, which is excluded")
        self._check_length()

    def _check_length(self) -> None:
        if self.entity_id is None and days_in(self.window) > MAX_DAYS_BY_TYPE:
            raise WrongField("end_time", f"by source and event_type, a window touches at most {MAX_DAYS_BY_TYPE} days")

    @property
    def window(self) -> Window:
        """The period of event time that is asked about; all of time if an entity's is not bounded."""
        if self.day is not None:
            return window_of(Day(self.day))
        return Window(Instant(self.start_time or ALL_TIME.start), Instant(self.end_time or ALL_TIME.end))

    def groups(self, shards: int, window: Window, order: Order = Order.OLDEST) -> Iterator[Sequence[Partition]]:
        """The partitions that hold a window, in order; those of one group are to be merged."""
        if self.entity_id is not None:
            yield [EntityPartition(self.entity_id, window)]
            return
        days = list(days_of(window))
        for day in days if order is Order.OLDEST else reversed(days):
            yield shards_of_day(self.source or "", self.event_type or "", day, window, shards)


class EventsQuery(_Selection):
    """GET /events. `source` and `event_type` filter where an entity is asked for.

    With `source`, `idempotency_key` (of a CloudEvent, its `id`) asks for the one event that they identify.
    """

    idempotency_key: IdempotencyKey | None = None
    min_lag_ms: Milliseconds | None = None
    status: Status | None = None
    order: Order = Order.OLDEST
    include: Include | None = None
    limit: Limit = 100
    cursor: str | None = None

    @model_validator(mode="after")
    def _asks_for_what_is_indexed(self) -> EventsQuery:
        if self.status is Status.REJECTED:
            raise WrongField("status", "of rejected events is not indexed; ask GET /rejected")
        return self

    @property
    def event_id(self) -> str:
        """The id of the event that a source and key identify."""
        return event_id_of(self.source or "", self.idempotency_key, "")

    def _check_selection(self) -> None:
        if self.idempotency_key is None:
            super()._check_selection()
            return
        if self.source is None:
            raise WrongField("source", "is missing; a key identifies an event together with its source")
        for name in sorted(self.model_fields_set - _WITH_A_KEY):
            raise WrongField(name, "cannot be combined with idempotency_key")


_WITH_A_KEY = {"source", "idempotency_key", "include", "order", "limit"}


class Unit(StrEnum):
    """What a gap is counted in."""

    HOUR = "hour"
    DAY = "day"


class GapsQuery(_Selection):
    """GET /gaps: by entity, or by source, of all types or one."""

    unit: Unit = Unit.HOUR

    needs_a_type: ClassVar[bool] = False

    @model_validator(mode="after")
    def _is_bounded(self) -> GapsQuery:
        if self.entity_id is not None and (self.source is not None or self.event_type is not None):
            raise WrongField("entity_id", "cannot be combined with source or event_type: give either it, or those")
        if self.day is None and (self.start_time is None or self.end_time is None):
            raise WrongField("day", "is missing; give a day, or start_time and end_time")
        longest = MAX_DAYS_OF_HOURS if self.unit is Unit.HOUR else MAX_DAYS_BY_TYPE
        if days_in(self.window) > longest:
            raise WrongField("end_time", f"gaps in {self.unit.value}s are looked for in at most {longest} days")
        return self


class ArrivalsQuery(BaseModel):
    """What came late on a day of arrival, or within a window of it; of all sources and types, or of some."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    source: Source | None = None
    event_type: EventType | None = None
    day: DayText | None = None
    start_time: Time | None = None
    end_time: EndTime | None = None
    cursor: str | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> ArrivalsQuery:
        if self.day is not None and (self.start_time is not None or self.end_time is not None):
            raise WrongField("day", "cannot be combined with start_time or end_time: give either a day, or those two")
        if self.day is None and (self.start_time is None or self.end_time is None):
            raise WrongField("day", "is missing; give a day of arrival, or start_time and end_time")
        if self.window.start >= self.window.end:
            raise WrongField("start_time", "must lie before end_time, which is excluded")
        if len(self.days) > MAX_DAYS_OF_ARRIVAL:
            raise WrongField("end_time", f"a window of arrival touches at most {MAX_DAYS_OF_ARRIVAL} days")
        return self

    @property
    def window(self) -> Window:
        """The period of arrival."""
        if self.day is not None:
            return window_of(Day(self.day))
        return Window(Instant(self.start_time or ALL_TIME.start), Instant(self.end_time or ALL_TIME.end))

    @property
    def days(self) -> Sequence[Day]:
        """The days of arrival that the window touches, the last one first."""
        return list(days_of(self.window))[::-1]


class LateQuery(ArrivalsQuery):
    """GET /late: the events."""

    limit: Limit = 100


class LateSummaryQuery(ArrivalsQuery):
    """GET /late/summary: how many of them, by source, type and hour of arrival."""


class StaleQuery(ArrivalsQuery):
    """GET /stale: days of entities whose newest version lacks events. A page ends once it has about as many."""

    limit: Limit = 100


class FreshnessQuery(BaseModel):
    """GET /freshness: the newest event of a source and type."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    source: Source
    event_type: EventType
    max_age_s: Annotated[int, Field(ge=0, le=MAX_MS // 1_000)] | None = None
    look_back_days: Annotated[int, Field(ge=1, le=MAX_DAYS_BY_TYPE)] = 31


class SourcesQuery(BaseModel):
    """GET /sources: every source and type."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    look_back_days: Annotated[int, Field(ge=0, le=MAX_DAYS_BY_TYPE)] = 31
    limit: Limit = 100
    cursor: str | None = None
