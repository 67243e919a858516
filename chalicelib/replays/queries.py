"""What callers may ask of replays as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_REPLAYS = 25
"""Each may name a thousand events and eighty sources and types; together they must stay below Lambda's 6 MB."""


class ReplaysQuery(BaseModel):
    """GET /replay: newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYS)] = 20
    cursor: str | None = None
