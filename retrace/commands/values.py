"""`retrace metrics values`: what a metric comes to by day, how far it can be trusted, and what mends it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from retrace.client import Client
from retrace.context import AsJson, CommandContext, Limit, command_context
from retrace.known_names import require_known_entity
from retrace.metric_diff import group_text
from retrace.output import Column, Json, Output
from retrace.replay_request import command_of
from retrace.replay_table import replay_column, whole_replay_id

_PAGE = 1_000
_OF_VALUE = ("day", "entity_id")
_COUNTED = (
    *("value", "inputs", "skipped", "replay_id", "definition_sha256", "versions", "inputs_hash", "complete"),
    "arrived_since",
)


class By(StrEnum):
    """What values are of."""

    GROUP = "group"
    DAY = "day"
    ENTITY = "entity"


def _pair(text: str) -> tuple[str, str]:
    path, is_there, value = text.partition("=")
    if not is_there:
        raise typer.BadParameter(f"{text!r} is not PATH=TEXT, such as /currency=EUR", param_hint="--group")
    return path, value


def values(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of a metric.")],
    entity: Annotated[str | None, typer.Argument(help="Only of this entity. Default: over all.")] = None,
    day: Annotated[str | None, typer.Option("--day", "-d", help="On this day: yesterday, 3d, 2026-11-21.")] = None,
    from_day: Annotated[str | None, typer.Option("--from-day", help="From this day on. Default: 7d.")] = None,
    to_day: Annotated[str | None, typer.Option("--to-day", help="To this day, included. Default: today.")] = None,
    by: Annotated[By | None, typer.Option("--by", help="A value of each group (default), day or entity.")] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="PATH=TEXT", help="Only of groups with it, repeatable.")
    ] = None,
    replay: Annotated[str | None, typer.Option("--replay", help="From the versions of this replay.")] = None,
    limit: Limit = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    as_json: AsJson = None,
) -> None:
    """Show what a metric came to on each day, over all entities, and whether the values are complete.

    retrace metrics values revenue --day yesterday
    retrace metrics values revenue --from-day 30d --by day
    retrace metrics values revenue merchant-42 --day 2025-11-28

    Days are those of the metric's time zone. A total is folded from the versions of one complete replay by source and
    type. `came since` counts events that came after that replay had read the index.
    """
    call, output = command_context(context), Output(as_json=as_json)
    if as_csv and as_json is not None:
        raise typer.BadParameter("cannot be combined with --json or --table", param_hint="--csv")
    group = dict(map(_pair, groups or []))
    query = {
        **_days(call, day, from_day, to_day),
        "entity_id": entity,
        "by": by,
        "group": json.dumps(group) if group else None,
        "replay_id": None if replay is None else whole_replay_id(call.client, replay),
        "limit": str(min(limit, _PAGE)),
    }
    found = _Found()
    rows = _values(call.client, name, query, limit, found)
    shown = write_csv(list(rows)) if as_csv else output.rows(rows, _columns(output, query), _nothing(name))
    if not shown and entity is not None:
        require_known_entity(call.client, entity)
    _explain(output, found, cut=shown == limit)


def write_csv(found: Sequence[Json]) -> int:
    """Write values as the API's CSV has them, with one heading whatever groups they have; answers how many."""
    paths = dict.fromkeys(path for each in found for path in each["group"])
    rows = csv.writer(sys.stdout)
    rows.writerow([*_OF_VALUE, *paths, *_COUNTED])
    for each in found:
        known = {**each, "complete": str(each["complete"]).lower()}
        rows.writerow(
            [known.get(name) for name in _OF_VALUE]
            + [each["group"].get(path) for path in paths]
            + [known[name] for name in _COUNTED]
        )
    return len(found)


@dataclass
class _Found:
    """What the pages of an answer say beside their values."""

    missing: list[Json] = field(default_factory=list)
    replays: list[Json] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    calendar: str = ""


def _days(call: CommandContext, day: str | None, first: str | None, last: str | None) -> dict[str, str | None]:
    if day is not None and (first, last) != (None, None):
        raise typer.BadParameter("is one day; --from-day and --to-day are a range", param_hint="--day")
    start, end = call.day(day or first or "7d", "--day or --from-day"), call.day(day or last or "today", "--to-day")
    return {"start_day": start, "end_day": end}


def _values(client: Client, name: str, query: Mapping[str, str | None], limit: int, found: _Found) -> Iterator[Json]:
    left, cursor = limit, None
    while left > 0:
        page = client.get(f"/metrics/{quote(name, safe='')}/values", {**query, "cursor": cursor})
        found.calendar = page["calendar"]
        found.missing += page["missing"]
        found.replays += [each for each in page["replays"] if each not in found.replays]
        found.unknown += [each["unknown_because"] for each in page["values"][:left] if "unknown_because" in each]
        stale = (each for each in page["values"][:left] if each["arrived_since"])
        found.counts += [each.get("arrived_since_counts", "") for each in stale]
        yield from page["values"][:left]
        left, cursor = left - len(page["values"]), page["cursor"]
        if cursor is None:
            return


def _columns(output: Output, query: Mapping[str, str | None]) -> Sequence[Column]:
    of_entities = [Column("entity", lambda item: item["entity_id"])] if query["by"] is By.ENTITY else []
    of_groups = [] if query["by"] is By.DAY else [Column("group", lambda item: group_text(item["group"]))]
    return (
        Column("day", lambda item: item["day"], whole=True),
        *of_entities,
        *of_groups,
        Column("value", lambda item: item["value"] or "-", number=True),
        Column("inputs", lambda item: f"{item['inputs']:,}", number=True),
        Column("versions", lambda item: f"{item['versions']:,}", number=True),
        Column("came since", _came_since, number=True, style=_stale),
        Column("holds the day", _standing, style=lambda item: "" if item["complete"] else "yellow"),
        replay_column(output),
    )


def _came_since(item: Json) -> str:
    return "?" if item["arrived_since"] is None else f"{item['arrived_since']:,}"


def _stale(item: Json) -> str:
    return "yellow" if item["arrived_since"] else ""


def _standing(item: Json) -> str:
    return "complete" if item["complete"] else "partial: " + " ".join(item["partial_because"])


def _nothing(name: str) -> str:
    return f"{name} has no value on these days."


def _explain(output: Output, found: _Found, *, cut: bool) -> None:
    """Say which days have no value and why, and which replays mend days."""
    for reason in dict.fromkeys(each["reason"] for each in found.missing):
        days = [each["day"] for each in found.missing if each["reason"] == reason]
        when = days[0] if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"
        output.note(f"{when}: {reason}", "yellow")
    for reason in dict.fromkeys(found.unknown):
        output.note(f"A value is unknown. {reason}", "yellow")
    for counts in filter(None, dict.fromkeys(found.counts)):
        output.note(f"came since: {counts}.", "yellow")
    for request in found.replays:
        output.note(f"Compute it again: {command_of(request)}")
    if found.calendar not in ("", "UTC"):
        output.note(f"Days are those of {found.calendar}.")
    if cut:
        output.note("There may be more: --limit")
