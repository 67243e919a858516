"""What may be replayed: the request, and the partitions of the index that it covers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from chalicelib.domain.errors import Fault, InvalidRequest
from chalicelib.domain.fields import DayText, EntityId, EventType, Source, Time, WrongField, faults_of
from chalicelib.domain.json_text import JsonSyntaxError, parse
from chalicelib.domain.partitions import EntityPartition, Partition, TypeDayPartition
from chalicelib.domain.timestamps import (
    Day,
    Instant,
    Window,
    day_after,
    days_between,
    end_of,
    start_of,
    window_of,
)

MAX_DAYS = 3_660


class ReplayRequest(BaseModel):
    """By entity and window, or by source, event_type and `day` (or `start_day` to `end_day`, both included)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    entity_id: EntityId | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    source: Source | None = None
    event_type: EventType | None = None
    day: DayText | None = None
    start_day: DayText | None = None
    end_day: DayText | None = None

    @model_validator(mode="after")
    def _names_one_selection(self) -> ReplayRequest:
        given = self.model_fields_set & {name for name, value in self if value is not None}
        if given == {"entity_id", "start_time", "end_time"}:
            if str(self.start_time) >= str(self.end_time):
                raise WrongField("start_time", "must lie before end_time, which is excluded")
        elif given in ({"source", "event_type", "day"}, {"source", "event_type", "start_day", "end_day"}):
            self._check_days()
        else:
            raise ValueError(
                "name what to replay by entity_id, start_time and end_time,"
                " or by source, event_type and day (or start_day and end_day)"
            )
        return self

    def _check_days(self) -> None:
        first, last = self.days
        count = days_between(first, last)
        if count < 1:
            raise WrongField("start_day", "must not lie after end_day")
        if count > MAX_DAYS:
            raise WrongField("end_day", f"is {count} days on; at most {MAX_DAYS} can be replayed at once")

    @property
    def days(self) -> tuple[Day, Day]:
        """First and last day of a replay by type."""
        return Day(self.start_day or self.day or ""), Day(self.end_day or self.day or "")

    @property
    def window(self) -> Window:
        """The stretch of event time that the replay covers."""
        if self.entity_id is not None:
            return Window(Instant(self.start_time or ""), Instant(self.end_time or ""))
        first, last = self.days
        return Window(start_of(first), end_of(last))

    def partition(self, number: int, shards: int) -> Partition | None:
        """The n-th partition of the index to read, counting from 0; None after the last.

        A type replay reads day by day and shard by shard. Naming partitions by number keeps a job's cursor small.
        """
        if self.entity_id is not None:
            return EntityPartition(self.entity_id, self.window) if number == 0 else None
        first, last = self.days
        day_number, shard = divmod(number, shards)
        if day_number >= days_between(first, last):
            return None
        day = day_after(first, day_number)
        return TypeDayPartition(self.source or "", self.event_type or "", day, shard, window_of(day))


def parse_replay_request(body: bytes) -> ReplayRequest:
    """Read a request, as strictly as an event is read; raises InvalidRequest with every fault."""
    try:
        json = parse(body.decode())
    except (UnicodeDecodeError, JsonSyntaxError) as error:
        at_fault = f"UTF-8 at byte {error.start}" if isinstance(error, UnicodeDecodeError) else f"JSON: {error}"
        raise InvalidRequest("The body is not JSON.", (Fault("body", f"is not {at_fault}"),)) from error
    if json.faults:
        raise InvalidRequest("The replay request is not valid.", json.faults)
    if not isinstance(json.value, dict):
        raise InvalidRequest("The body is not a JSON object.", (Fault("body", "must be a JSON object"),))
    try:
        return ReplayRequest.model_validate(json.value)
    except ValidationError as error:
        raise InvalidRequest("The replay request is not valid.", faults_of(error)) from error
