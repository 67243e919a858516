"""`retrace sources` lists sources and types with accepted events, `retrace freshness` shows the newest event of one."""

from __future__ import annotations

from typing import Annotated

import typer

from retrace.answer import Answer, Json
from retrace.context import AsJson, Limit, command_context
from retrace.event_table import event_columns, lag
from retrace.known_names import require_known
from retrace.output import Column, Output, duration, short_time
from retrace.problem import Exit

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


def freshness(
    context: typer.Context,
    source: Annotated[str, typer.Option("--source", "-s", help="Of this source.")],
    event_type: Annotated[str, typer.Option("--type", "-t", help="Of this type.")],
    max_age: Annotated[
        int | None, typer.Option("--max-age-s", min=0, help="Exit with 1 if the newest is older.")
    ] = None,
    look_back: Annotated[
        int | None, typer.Option("--look-back-days", min=1, help="Look back this many days. Default: 31.")
    ] = None,
    as_json: AsJson = None,
) -> None:
    """Show the newest event of a source and type, also for monitors.

    retrace freshness --source shop/checkout --type order.paid --max-age-s 600
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {
        "source": source,
        "event_type": event_type,
        "max_age_s": None if max_age is None else str(max_age),
        "look_back_days": None if look_back is None else str(look_back),
    }
    # A stale one is answered with 503, for monitors that read the status alone.
    found = call.client.expect("GET", "/freshness", query=query, expected=lambda answer: answer.has("fresh")).json
    if found["newest"] is None:
        require_known(call.client, source, event_type)
    if output.as_json:
        output.json(found)
    elif found["newest"] is None:
        further = "" if look_back == _MOST_DAYS else f" Look further back: --look-back-days {_MOST_DAYS}"
        output.say(f"Nothing since {found['looked_back_to']}.{further}", "red")
    else:
        output.say(f"The newest is {duration(found['age_s'] * 1_000)} old.", "" if found["fresh"] else "red")
        output.rows([found["newest"]], event_columns(output), "")
    if not output.as_json and found.get("ahead") is not None:
        output.note(f"The newest event, {lag(found['ahead'])}, does not count: a producer's clock is wrong.")
    if not found["fresh"]:
        raise typer.Exit(Exit.DIFFERENT)
