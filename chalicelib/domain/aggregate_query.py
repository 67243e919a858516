"""What investigators may ask of daily aggregates: the versions of a day, the inputs of one, what two do not share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.domain.aggregation import Version
from chalicelib.domain.event import MAX_ENTITY_ID_BYTES
from chalicelib.domain.event_query import DayText, Limit
from chalicelib.domain.percent_encoding import for_key
from chalicelib.domain.timestamps import Day

MAX_REPLAY_ID_BYTES = 256


def _fits_a_key(limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(for_key(value).encode()) > limit:
            raise ValueError(f"is longer than the {limit:,} bytes that it can have")
        return value

    return AfterValidator(check)


# No stored name is longer, and DynamoDB refuses a longer key.
EntityId = Annotated[str, Field(min_length=1), _fits_a_key(MAX_ENTITY_ID_BYTES)]
ReplayId = Annotated[str, Field(min_length=1), _fits_a_key(MAX_REPLAY_ID_BYTES)]


class AggregatesQuery(BaseModel):
    """GET /aggregates: an entity's daily aggregate, in all versions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity_id: EntityId
    day: DayText

    def version(self, replay_id: str) -> Version:
        """The version that a replay computed."""
        return Version(self.entity_id, Day(self.day), replay_id)


class InputsQuery(AggregatesQuery):
    """GET /aggregates/inputs: the events of one version."""

    replay_id: ReplayId
    limit: Limit = 100
    cursor: str | None = None


class DiffQuery(AggregatesQuery):
    """GET /aggregates/diff: what two versions do not share; `limit` is that of each list of differences."""

    from_: Annotated[ReplayId, Field(alias="from")]
    to: ReplayId
    limit: Limit = 100
