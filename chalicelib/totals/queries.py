"""Queries of the values of a metric."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from chalicelib.core.fields import DayText, EntityId, Limit, ReplayId, Sha256Text, WrongField
from chalicelib.core.timestamps import Day, Window, day_after, days_in, end_of, start_of

MAX_DAYS = 366


def _group(text: str) -> str:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise ValueError('must be a JSON object of texts by the paths of the group, such as {"/currency":"EUR"}')
    return text


GroupText = Annotated[
    str,
    Field(max_length=4_096),
    AfterValidator(_group),
    WithJsonSchema({"type": "string", "description": 'Texts by paths, as JSON: {"/currency":"EUR"}.'}),
]


class ValuesQuery(BaseModel):
    """GET /metrics/{name}/values: one for each day and group, day, or entity."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    start_day: DayText
    end_day: DayText
    by: Literal["group", "day", "entity"] = "group"
    entity_id: EntityId | None = None
    group: GroupText | None = None
    replay_id: ReplayId | None = None
    definition_sha256: Sha256Text | None = None
    limit: Limit = 100
    cursor: str | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> ValuesQuery:
        if self.start_day > self.end_day:
            raise WrongField("start_day", "must not lie after end_day, which is included")
        if len(self.days) > MAX_DAYS:
            raise WrongField("end_day", f"is {len(self.days)} days on: at most {MAX_DAYS} can be asked for at once")
        if self.by == "day" and self.group is not None:
            raise WrongField("group", "cannot be combined with by=day, which is over all groups")
        if self.by == "entity" and self.entity_id is not None:
            raise WrongField("by", "cannot be entity with entity_id: ask by group or day")
        return self

    @property
    def days(self) -> Sequence[Day]:
        """The requested days, in order."""
        first = Day(self.start_day)
        window = Window(start_of(first), end_of(Day(self.end_day)))
        return [day_after(first, number) for number in range(days_in(window))]

    @property
    def wanted_group(self) -> Mapping[str, str]:
        """What the groups of values must have."""
        said: Mapping[str, str] = json.loads(self.group or "{}")
        return said
