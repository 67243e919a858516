"""Answers about replays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.core.schemas import Count, Cursor, Problem, Shape, Time
from chalicelib.replays.request import ReplayRequest


class ReplayAnswer(Shape):
    """A replay and how far it is."""

    replay_id: str
    state: Literal["PLANNING", "SENDING", "SENT", "COMPLETE", "CANCELLED", "FAILED"]
    request: ReplayRequest
    requested_by: str
    created_at: Time
    updated_at: Time
    index_read_to: Annotated[
        Time | None,
        Field(description="By type: every event acknowledged before this was in the index. Null until all is read."),
    ]
    cancelled_by: str | None
    may_change_until: Annotated[
        Time | None,
        Field(
            description="Of a cancelled replay: until then, a batch that a processor had in hand may still count in"
            " `processed` and in aggregates. Afterwards neither changes."
        ),
    ]
    failure: Annotated[str | None, Field(description="Why nobody goes on with it.")]
    scanned: Annotated[int, Field(ge=0, description="Rows of the index that were read.")]
    matched: Annotated[int, Field(ge=0, description="Events among them that are sent.")]
    sent: Annotated[int, Field(ge=0, description="Messages that were sent.")]
    processed: Annotated[int, Field(ge=0, description="Of these, those that were processed.")]
    failed: Annotated[int, Field(ge=0, description="Of these, those that failed: dead letters, until these expire.")]
    dropped: Annotated[int, Field(ge=0, description="Of these, those that came after a cancel and were dropped.")]
    dead_letters_until: Annotated[
        Time | None, Field(description="By when the last of its dead letters has expired; null if it has none.")
    ]
    advice: Annotated[str | None, Field(description="What to do where it does not get on by itself, or found nothing.")]


class ReplayList(Shape):
    """Replays, newest first."""

    items: list[ReplayAnswer]
    cursor: Cursor


class PreviewAnswer(Shape):
    """What a replay would send."""

    request: ReplayRequest
    messages: Annotated[int, Field(ge=0, description="How many messages; at least, if `exact` is false.")]
    exact: Annotated[bool, Field(description="False if counting stopped before the end.")]
    index_read_to: Annotated[
        Time | None, Field(description="By type: every event acknowledged before this is in the index.")
    ]
    scanned: Annotated[int, Field(ge=0, description="Rows of the index that were read.")]
    by_day: dict[str, Count]
    by_source: Annotated[dict[str, Count], Field(description="The 100 with most messages.")]
    by_type: Annotated[dict[str, Count], Field(description="The 100 with most messages.")]
    estimated_seconds: Count
    estimated_cost_usd: Annotated[float, Field(ge=0, description="At most, at list prices.")]
    advice: Annotated[str | None, Field(description="Where to look, if it would send nothing.")]


class UnconfirmedProblem(Problem):
    """The replay is large, and was not confirmed with the number of its messages."""

    preview: PreviewAnswer
