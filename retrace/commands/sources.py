"""`retrace sources`: lists sources and types with accepted events."""

from __future__ import annotations

from typing import Annotated

import typer

from retrace.answer import Answer, Json
from retrace.context import AsJson, Limit, command_context
from retrace.output import Column, Output, short_time

_PAGE = 25
"""Of fewer, a request looks further back."""
_MOST_DAYS = 366


def sources(
    context: typer.Context,
    look_back: Annotated[
        int, typer.Option("--look-back-days", min=0, help="Look this many days back for the newest events.")
    ] = 31,
    limit: Limit = 1_000,
    as_json: AsJson = None,
) -> None:
    """List every source and type with accepted events, and when each was first and last seen.

    retrace sources
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {"look_back_days": str(look_back), "limit": str(min(limit, _PAGE))}
    columns = (
        Column("source", lambda item: item["source"]),
        Column("type", lambda item: item["event_type"]),
        Column("first seen (UTC)", lambda item: short_time(item["first_seen"])[:16], whole=True),
        Column("last seen", lambda item: short_time(item["last_seen"] or "-")[:16], whole=True),
    )
    looked_back_to: list[str] = []

    def read(answer: Answer) -> tuple[list[Json], str | None]:
        looked_back_to.append(answer.json["looked_back_to"])
        return answer.items_and_cursor()

    found = [item for page in call.client.each_page("/sources", query, limit, read) for item in page]
    output.rows(found, columns, "No event was accepted yet: retrace ingest --help")
    if any(item["last_seen"] is None for item in found):
        further = f" Look further back: --look-back-days {_MOST_DAYS}" if look_back < _MOST_DAYS else ""
        output.note(f"`last seen` is `-` if no event time is on or after {max(looked_back_to)}.{further}")
    if len(found) == limit:
        output.note(f"Cut off at {limit}. There may be more: --limit")
