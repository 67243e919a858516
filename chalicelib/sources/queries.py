"""What callers may ask of sources."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.core.fields import Limit

_MAX_DAYS = 366


class SourcesQuery(BaseModel):
    """GET /sources: every source and type."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    look_back_days: Annotated[int, Field(ge=0, le=_MAX_DAYS)] = 31
    limit: Limit = 100
    cursor: str | None = None
