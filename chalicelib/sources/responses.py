"""Answers about sources."""

from __future__ import annotations

from typing import Annotated

from chalicelib.core.schemas import Cursor, Day, JsonSchema, Shape, Time
from chalicelib.sources.use_cases import FoundSources


class SourceItem(Shape):
    """A source and type."""

    source: str
    event_type: str
    first_seen: Annotated[Time, JsonSchema(description="When its first event was received.")]
    last_seen: Annotated[
        Time | None,
        JsonSchema(
            description="When the newest event, by event time, was received. Null if none is as new as looked_back_to."
        ),
    ]


class SourceList(Shape):
    """A page of sources and types."""

    items: list[SourceItem]
    cursor: Cursor
    looked_back_to: Day


def sources(listed: FoundSources) -> SourceList:
    """Sources and types, and when each was seen."""
    return {
        "items": [
            {
                "source": each.source,
                "event_type": each.event_type,
                "first_seen": each.first_seen,
                "last_seen": listed.last_seen.get(each),
            }
            for each in listed.found
        ],
        "cursor": listed.cursor,
        "looked_back_to": listed.looked_back_to,
    }
