"""Explains one number: its value, its versions, the events that make it, and those that made it change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

import typer

from chalicelib.core.calendars import UTC
from retrace.client import Client
from retrace.commands.aggregates import Entity, OfCalendar, OfDay, at_least, replay_command, version_pages
from retrace.commands.diff import compared
from retrace.context import AsJson, command_context
from retrace.explanation import show_explanation
from retrace.known_names import near_names, require_known_entity
from retrace.output import Json, Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting

_VERSIONS = 20
"""The newest of these are looked at, for one that is complete and the one before it."""
_BIGGEST = "5"

OfMetric = Annotated[str, typer.Argument(help="The name of a metric.")]


def explain(
    context: typer.Context,
    metric: OfMetric,
    entity: Entity,
    of_day: OfDay,
    calendar: OfCalendar = None,
    as_json: AsJson = None,
) -> None:
    """Explain a number: its value, whether it is complete, its biggest contributions, and why it changed.

    retrace explain revenue merchant-42 2025-11-28

    It shows the newest complete version that has the metric, or else the newest, and compares the two newest complete
    ones. The last line says what is wrong with the number, with the command that mends it. The day is that of the
    metric's time zone.
    """
    call, output = command_context(context), Output(as_json=as_json)
    known = _metric(call.client, metric)
    calendar = calendar or str(known["definition"]["time_zone"])
    of = {"entity_id": entity, "day": call.day(of_day, "DAY") or "", "calendar": calendar, "metric": metric}
    command = _mending(of, known)
    page = next(version_pages(call.client, of, _VERSIONS))
    versions = [version for version in page["versions"] if version["metrics"]]
    if not versions:
        raise _nothing(call.client, of, page["versions"], command)
    shown, before = _shown(versions)
    definition = _definition(shown, known)
    found: Json = {
        **of,
        "version": shown,
        "versions": versions,
        "definition": definition,
        "newest_definition_sha256": known["definition_sha256"],
        "biggest": _biggest(call.client, of, shown, definition),
        "change": None,
        **_state(shown, known),
        "command": command,
    }
    if before is not None:
        with Counting(output.notes, "Comparing") as progress:
            query = {**of, "from": before["replay_id"], "to": shown["replay_id"]}
            found["change"] = compared(call.client, query, None, progress)
    if output.as_json:
        output.json(found)
    else:
        show_explanation(output, found)


def _shown(versions: list[Json]) -> tuple[Json, Json | None]:
    """The newest complete version, else the newest, and the complete one before it. What-if ones last."""
    own = [version for version in versions if not version.get("what_if")] or versions
    complete = [version for version in own if version["complete"]]
    return (complete or own)[0], complete[1] if len(complete) > 1 else None


def _metric(client: Client, name: str) -> Json:
    """A metric as it is defined now; raises Problem with near names if there is none."""
    try:
        found: Json = client.get(f"/metrics/{quote(name, safe='')}")
    except Problem as problem:
        if problem.exit_code is not Exit.NOT_FOUND:
            raise
        names = [str(each["name"]) for each in client.pages("/metrics", {"limit": "1000"})]
        remedy = f"{near_names(name, names)}Run `retrace metrics list` to list all."
        raise Problem(f"Unknown metric: {name} is not defined.", remedy, Exit.NOT_FOUND) from problem
    return found


def _mending(of: Json, known: Json) -> str:
    """The command that computes the number again: a retired metric only if it is named."""
    named = f" --metric {known['name']}" if known["state"] == "RETIRED" else ""
    calendar = f" --calendar {of['calendar']}" if of["calendar"] != UTC else ""
    return f"{replay_command(of['entity_id'], of['day'])}{calendar}{named}"


def _nothing(client: Client, of: Json, versions: list[Json], command: str) -> Problem:
    """Why there is no value, and the command that computes one."""
    where = f"{shlex.quote(of['entity_id'])} {of['day']}"
    if versions:
        what = f"No version of {where} has {of['metric']}: it was defined later, or the replays computed other metrics."
    else:
        require_known_entity(client, of["entity_id"])
        what = f"There is no version of {where} in the calendar {of['calendar']} yet."
    return Problem(what, f"Compute one: {command}", Exit.NOT_FOUND)


def _definition(version: Json, known: Json) -> Json | None:
    """The definition that a version's metric was computed by; None if it is not among those that the metric had."""
    sha256 = version["metrics"][0]["definition_sha256"]
    every = {each["definition_sha256"]: each["definition"] for each in (known, *known["versions"])}
    return every.get(sha256)


def _biggest(client: Client, of: Json, version: Json, definition: Json | None) -> Json | None:
    """The inputs that contributed most; None of texts, which have no order."""
    if definition is None or definition["aggregate"] == "distinct":
        return None
    query = {**of, "replay_id": version["replay_id"], "by": "contribution", "limit": _BIGGEST}
    found: Json = client.get("/aggregates/inputs", query)
    return {"items": found["items"], "exact": found["exact"]}


def _state(version: Json, known: Json) -> Json:
    """How far the number can be trusted, in one word, and in sentences."""
    unknown = [each["unknown_because"] for each in version["metrics"] if "unknown_because" in each][:1]
    stale = list(_came_since(version))
    if version["metrics"][0]["definition_sha256"] != known["definition_sha256"]:
        stale.append("It was computed by an earlier definition.")
    partial = version.get("partial_because", [])
    state = "unknown" if unknown else "partial" if partial else "stale" if stale else "complete"
    return {"state": state, "because": [*unknown, *partial, *stale]}


def _came_since(version: Json) -> Iterator[str]:
    came = version["arrived_since"]
    if came:
        yield f"{at_least(version, came)} event{'' if came == 1 else 's'} of the day came since it was computed."
    elif not version["exact"]:
        yield "Whether more events came since is not counted: the day has more than a request reads."
