"""Queries of daily aggregates: the versions of a day, the inputs of one, the differences of two."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.aggregates.aggregate import Version
from chalicelib.core.calendars import time_zones
from chalicelib.core.fields import DayText, EntityId, Limit, ReplayId
from chalicelib.core.timestamps import CALENDAR, Day
from chalicelib.metrics.members import NAME

MAX_VERSIONS = 100


def _a_time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("is not a time zone of the IANA database, such as Europe/Paris")
    return name


MetricName = Annotated[str, Field(pattern=NAME)]


class AggregatesQuery(BaseModel):
    """An entity's daily aggregate, of a UTC day unless `calendar` is another time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    entity_id: EntityId
    day: DayText
    calendar: Annotated[str, AfterValidator(_a_time_zone)] = CALENDAR

    def version(self, replay_id: str) -> Version:
        """The version that a replay computed."""
        return Version(self.entity_id, Day(self.day), replay_id, calendar=self.calendar)


class VersionsQuery(AggregatesQuery):
    """GET /aggregates: the versions, newest first, with all metrics or one."""

    metric: MetricName | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_VERSIONS)] = 20
    cursor: str | None = None


class InputsQuery(AggregatesQuery):
    """GET /aggregates/inputs: the events of one version, and what each contributed to a metric."""

    replay_id: ReplayId
    metric: MetricName | None = None
    by: Literal["time", "contribution"] = "time"
    limit: Limit = 100
    cursor: str | None = None


class DiffQuery(AggregatesQuery):
    """GET /aggregates/diff: the differences of two versions. `limit` is that of all differences of a page."""

    from_: Annotated[ReplayId, Field(alias="from")]
    to: ReplayId
    metric: MetricName | None = None
    limit: Limit = 100
    cursor: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """The versions to compare, by the parameters that name them."""
        return {"from": self.from_, "to": self.to}
