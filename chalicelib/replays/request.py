"""Requests for replays: their selection and partitions, and the queries of their routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.core.fields import (
    DayText,
    EndTime,
    EntityId,
    EventType,
    Reason,
    ReplayId,
    Sha256Text,
    Source,
    Time,
    TrueOrFalse,
    WrongField,
)
from chalicelib.core.timestamps import (
    ALL_TIME,
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    days_in,
    end_of,
    start_of,
    whole_days_of,
)
from chalicelib.events.index_pages import EntityPartition, Partition, shards_of_day
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.chosen_metrics import ChosenMetrics, Draft
from chalicelib.replays.destinations import MAX_NAME, NAME_PATTERN, TO_AGGREGATES
from chalicelib.replays.events_file import MAX_EVENTS
from chalicelib.replays.filters import LENIENT, MAX_NAMES, NOT_EMPTY, ReplayFilter

MAX_DAYS = 3_660
MIN_RATE, MAX_RATE = 0.1, 10_000
MAX_MESSAGES = 10_000_000
"""Of `max_messages`. It can confirm itself, which a number beyond every replay must not do."""
MAX_CONFIRMED = 10**12
"""More events than can be counted."""

MAX_REPLAYS = 25
"""Each may name a thousand events and eighty sources and types; together they must stay below Lambda's 6 MB."""

_SELECTIONS: tuple[set[str], ...] = (
    {"events_file"},
    {"entity_id", "start_time", "end_time"},
    *(
        {"source", types} | when
        for types in ("event_type", "event_types")
        for when in ({"start_time", "end_time"}, {"day"}, {"start_day", "end_day"})
    ),
)


SELECTION = tuple(sorted(frozenset().union(*_SELECTIONS)))
"""The members that say which events a replay covers."""


class ReplayRequest(BaseModel):
    """By entity and window, by source, type(s) and a window, `day` or days (`end_day` included), or by a file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    entity_id: EntityId | None = None
    start_time: Time | None = None
    end_time: EndTime | None = None
    source: Source | None = None
    event_type: EventType | None = None
    event_types: Annotated[tuple[EventType, ...], Field(max_length=MAX_NAMES), NOT_EMPTY, LENIENT] | None = Field(
        None, description="Instead of `event_type`."
    )
    day: DayText | None = None
    start_day: DayText | None = None
    end_day: DayText | None = None
    events_file: Sha256Text | None = Field(None, description="The events of a file, uploaded before, by its hash.")
    include: ReplayFilter | None = Field(None, description="Takes only events that meet all of these criteria.")
    exclude: ReplayFilter | None = Field(None, description="Leaves out events that meet any of these criteria.")
    max_messages: Annotated[int, Field(ge=1, le=MAX_MESSAGES)] | None = Field(
        None, description="Sends at most this many messages."
    )
    include_duplicates: bool = Field(False, description="Sends an event again for each time it arrived again.")
    whole_days: bool = Field(False, description="Sends all events of each entity and UTC day that is touched.")
    rate: Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)] | None = Field(None, description="Messages a second.")
    destination: Annotated[str, Field(max_length=MAX_NAME, pattern=NAME_PATTERN)] = Field(
        TO_AGGREGATES, description="Sends to this destination of the stage, and nowhere else."
    )
    only: Literal["unprocessed", "not_sent_to"] | None = Field(
        None,
        description="Sends only what is missing: the messages of the replay `of` that were neither processed nor"
        " reported done, or the events that no replay ever sent to `destination`.",
    )
    of: ReplayId | None = Field(
        None, description="With `unprocessed`: the replay. Its selection and destination are this one's."
    )
    metrics: ChosenMetrics | None = Field(
        None,
        description="Computes only these: names, or definitions (a what-if, never the newest version). Default: all"
        " that are active.",
    )
    reason: Reason | None = Field(None, description="Why you request the replay, stored with it.")
    confirm: Annotated[int, Field(ge=0, le=MAX_CONFIRMED)] | None = Field(
        None, description="The number of messages that a large replay was told it would send."
    )

    @model_validator(mode="after")
    def _names_one_selection(self) -> ReplayRequest:
        given = {name for name in SELECTION if getattr(self, name) is not None}
        self._check_only()
        if self.of is not None and not given:
            return self
        if given not in _SELECTIONS:
            raise ValueError(
                "name what to replay by entity_id, start_time and end_time, or by source, event_type (or event_types)"
                " and day (or start_day and end_day, or start_time and end_time), or by events_file"
            )
        if self.events_file is None:
            self._check_window()
        return self

    def _check_only(self) -> None:
        if (self.only == "unprocessed") != (self.of is not None):
            raise WrongField("of", 'goes with "only": "unprocessed", and names the replay')
        if self.only is not None and self.include_duplicates:
            raise WrongField("include_duplicates", "does not go with only")
        if self.only == "not_sent_to" and self.destination == TO_AGGREGATES:
            told = "names a destination other than aggregates with only. GET /stale lists what aggregates lack"
            raise WrongField("destination", told)
        if self.only == "not_sent_to" and self.whole_days:
            raise WrongField("whole_days", 'does not go with "only": "not_sent_to"')

    def _check_window(self) -> None:
        if self.window.start >= self.window.end:
            if self.start_day is not None:
                raise WrongField("start_day", "must not lie after end_day")
            raise WrongField("start_time", "must lie before end_time, which is excluded")
        count = days_in(self.window)
        if self.entity_id is None and count > MAX_DAYS:
            end = "end_day" if self.end_time is None else "end_time"
            raise WrongField(end, f"is {count} days on: at most {MAX_DAYS} can be replayed at once")

    @property
    def window(self) -> Window:
        """The span of event time in which events are selected; all of time for a file."""
        if self.events_file is not None:
            return ALL_TIME
        if self.start_time is None:
            return Window(start_of(Day(self.start_day or self.day or "")), end_of(Day(self.end_day or self.day or "")))
        asked = Window(Instant(self.start_time), Instant(self.end_time or ""))
        grows = self.whole_days and not self.selects_whole_days
        return whole_days_of(asked) if grows else asked

    @property
    def types(self) -> Sequence[str]:
        """The types of a source that are selected, each once; none for an entity."""
        return list(dict.fromkeys(self.event_types or [self.event_type or ""]))

    @property
    def filtered(self) -> bool:
        """Whether not every selected event is taken."""
        return self.include is not None or self.exclude is not None or self.only is not None

    @property
    def reads_index_by_type(self) -> bool:
        """Whether its events are found in the index by type, which shows them only after a while."""
        return self.source is not None and self.of is None

    @property
    def selects_whole_days(self) -> bool:
        """Whether selected events only decide which entity-days to send, so that those must be found first."""
        return self.whole_days and (self.entity_id is None or self.filtered)

    @property
    def is_what_if(self) -> bool:
        """Whether it computes definitions that were given with it."""
        return any(isinstance(chosen, Draft) for chosen in self.metrics or ())

    def takes(self, event: StoredEvent) -> bool:
        """Whether a selected event passes the filters."""
        included = self.include is None or self.include.meets_all(event)
        return included and not (self.exclude is not None and self.exclude.meets_any(event))

    @property
    def in_time_order(self) -> bool:
        """Whether events of an entity are sent in the order of their times; those of a file are in order of ids.

        What another replay left is in the order in which that one sent it.
        """
        return self.events_file is None or self.whole_days or self.of is not None

    def settles_in(self, index_lag_s: int) -> int:
        """Seconds until all that this reads shows what is acknowledged now; all else is read consistently."""
        return index_lag_s if self.reads_index_by_type else 0

    def group(self, number: int, shards: int) -> Sequence[Partition] | None:
        """The n-th group of partitions to read, counting from 0; None after the last.

        The partitions of a group are read at once and merged. A replay by type reads day by day: all shards of all
        types of a day, and of each only the rows in its window. Naming groups by number keeps a job's cursor small.
        """
        if self.entity_id is not None:
            return [EntityPartition(self.entity_id, self.window)] if number == 0 else None
        if number >= days_in(self.window):
            return None
        day = day_after(day_of(self.window.start), number)
        source = self.source or ""
        return [part for name in self.types for part in shards_of_day(source, name, day, self.window, shards)]

    def as_asked(self) -> dict[str, object]:
        """The request as JSON, without what it leaves to the defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ReplayQuery(BaseModel):
    """POST /replay: with `dry_run` it answers what would be sent, and sends nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    dry_run: TrueOrFalse = False


class ReplaysQuery(BaseModel):
    """GET /replay: newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYS)] = 20
    cursor: str | None = None


class EventsFileQuery(BaseModel):
    """PUT /events-files/{sha256}: how many ids the file has, each in a line."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    events: Annotated[int, Field(ge=1, le=MAX_EVENTS)]
