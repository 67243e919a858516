"""`retrace aggregates get` and `inputs`: the versions of a daily aggregate, and the events in one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from http import HTTPStatus
from itertools import chain
from typing import Annotated

import typer

from retrace.client import Client
from retrace.concurrency import in_order
from retrace.context import AsJson, CommandContext, command_context
from retrace.event_ids import event_id_column
from retrace.known_names import require_known_entity
from retrace.metric_diff import group_name, group_text
from retrace.output import Column, Json, Output, short_time
from retrace.problem import Exit, Problem
from retrace.replay_table import replay_column, whole_replay_id

Entity = Annotated[str, typer.Argument(help="The entity.")]
Hashes = Annotated[bool, typer.Option("--hashes", help="With the first digits of hashes. JSON has all of them.")]
OfDay = Annotated[str, typer.Argument(metavar="DAY", help="The UTC day: today, yesterday, 3d, 2026-11-21.")]

OfCalendar = Annotated[
    str | None, typer.Option("--calendar", help="The time zone of the day, such as Europe/Paris. Default: UTC.")
]

_PAGE = 1_000
_VERSIONS_A_PAGE = 100
_MINUTE = len("2025-11-28T10:00")
_HASH_DIGITS = 12
_NO_VERSION = "There is no version yet."


class Order(StrEnum):
    """What comes first."""

    TIME = "time"
    CONTRIBUTION = "contribution"


def _contributed(item: Json) -> str:
    return f"skipped: {item['skipped']}" if "skipped" in item else item["value"] or "-"


def metric_text(version: Json) -> str:
    """The values of a version's metric, by group. A group without inputs is left out if there are others."""
    found = [each for each in version["metrics"] if each["inputs"]] or version["metrics"]
    name = group_name if any(each["group"] for each in found) else group_text
    return ", ".join(f"{name(each['group'])} {each['value'] or '-'}".strip() for each in found) or "-"


def _unknown(versions: Iterable[Json], reasons: list[str]) -> Iterator[Json]:
    """The versions. Keeps why values of their metric are unknown, each reason once."""
    for version in versions:
        told = (each.get("unknown_because") for each in version["metrics"])
        reasons += dict.fromkeys(each for each in told if each and each not in reasons)
        yield version


def _standing(version: Json) -> str:
    what_if = "what-if, " if version.get("what_if") else ""
    return what_if + ("complete" if version["complete"] else "partial: " + " ".join(version["partial_because"]))


def _partial(version: Json) -> str:
    return "" if version["complete"] else "yellow"


def _columns(output: Output, metric: str | None, *, hashes: bool) -> tuple[Column, ...]:
    columns = (
        Column("computed (UTC)", lambda version: short_time(version["computed_at"][:_MINUTE]), whole=True),
        replay_column(output),
        Column("events", lambda version: f"{version['event_count']:,}", number=True),
        *([Column(metric or "", metric_text)] * (metric is not None)),
        Column("came since", lambda version: at_least(version, version["arrived_since"]), number=True),
        Column("holds the day", _standing, style=_partial),
        *([Column("inputs", lambda version: version["inputs_hash"][:_HASH_DIGITS], whole=True)] * hashes),
    )
    by = Column("asked for by", lambda version: (version["requested_by"] or "").rpartition("/")[2])
    return (*columns, by) if output.is_wide else columns


def _input_columns(output: Output, *, hashes: bool, metric: bool) -> tuple[Column, ...]:
    return (
        Column("event time (UTC)", lambda item: short_time(item["event_time"]), whole=True),
        Column("type", lambda item: item["event_type"]),
        *([Column("group", lambda item: group_text(item["group"])), Column("contributed", _contributed)] * metric),
        *([Column("content", lambda item: item["content_sha256"][:_HASH_DIGITS], whole=True)] * hashes),
        event_id_column(output),
    )


def get_aggregates(
    context: typer.Context,
    entity: Entity,
    of_day: OfDay,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="List at most this many versions.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="List every version.")] = False,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="With the values of this metric.")
    ] = None,
    hashes: Hashes = False,
    calendar: OfCalendar = None,
    as_json: AsJson = None,
) -> None:
    """List the versions of an entity's daily aggregate, newest first: their events, and whether they are complete.

    retrace aggregates get depot-lyon 2025-11-28

    A version is complete if it had every event of the day when its replay read the index. `came since` counts those
    that arrived later. On a day with more events than a request can read it says "at least".
    """
    call, output = command_context(context), Output(as_json=as_json)
    day = call.day(of_day, "DAY") or ""
    query = {"entity_id": entity, "day": day, "calendar": calendar, "metric": metric}
    at_most = None if every else limit
    pages = version_pages(call.client, query, at_most)
    newest = next(pages)
    if not newest["versions"]:
        require_known_entity(call.client, entity)
    settled: list[Json] = []
    reasons: list[str] = []
    versions = _noted(
        (version for page in chain([newest], pages) for version in _unknown(page["versions"], reasons)), settled
    )
    nothing = f"{_NO_VERSION} One is computed by {replay_command(entity, day)}"
    listed = output.rows(
        in_order(lambda version: _asked(call, version), versions), _columns(output, metric, hashes=hashes), nothing
    )
    for reason in reasons if metric is not None else ():
        output.note(f"{metric} is not shown. {reason}", "yellow")
    if listed == at_most:
        output.note(f"Cut off at {limit}. There may be more: --limit, --all")
    if settled and not settled[0]["complete"]:
        output.note(_fuller(settled, replay_command(entity, day)), "yellow")
    if newest["late_arrivals"]:
        came = f"{at_least(newest, newest['late_arrivals'])} of the day's events came after the newest version."
        output.note(f"{came} A version with them: {replay_command(entity, day)}", "yellow")
    elif listed > 1:
        output.note(f"What changed: retrace aggregates diff {shlex.quote(entity)} {day}")


def _noted(versions: Iterable[Json], kept: list[Json]) -> Iterator[Json]:
    """The versions. Keeps the newest and the newest complete one, of those that are not a what-if."""
    for version in versions:
        if not version.get("what_if") and (not kept or (version["complete"] and not kept[-1]["complete"])):
            kept.append(version)
        yield version


def _fuller(kept: Sequence[Json], command: str) -> str:
    """What to use instead of a newest version that is partial."""
    if len(kept) == 1:
        return f"The newest version is partial. A complete one: {command}"
    count, replay_id = f"{kept[1]['event_count']:,}", kept[1]["replay_id"]
    return f"The newest version is partial. The newest complete one has {count} events: replay {replay_id}"


def inputs(
    context: typer.Context,
    entity: Entity,
    of_day: OfDay,
    replay: Annotated[str | None, typer.Argument(help="The replay of a version. Default: the newest version.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="With what each contributed to this metric.")
    ] = None,
    by: Annotated[
        Order | None, typer.Option("--by", help="With --metric: in order of time (default), or the biggest first.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="List at most this many.")] = None,
    hashes: Hashes = False,
    calendar: OfCalendar = None,
    as_json: AsJson = None,
) -> None:
    """List the events that a version of an entity's daily aggregate was computed from.

    retrace aggregates inputs depot-lyon 2025-11-28
    retrace aggregates inputs merchant-42 2025-11-28 --metric revenue --by contribution --limit 10
    """
    if by is Order.CONTRIBUTION and metric is None:
        raise typer.BadParameter("needs --metric", param_hint="--by")
    call, output = command_context(context), Output(as_json=as_json)
    of_version = {"entity_id": entity, "day": call.day(of_day, "DAY") or "", "calendar": calendar}
    replay_id = _newest(call.client, of_version) if replay is None else whole_replay_id(call.client, replay)
    query = {**of_version, "limit": str(min(limit or _PAGE, _PAGE)), "replay_id": replay_id, "metric": metric, "by": by}
    columns = _input_columns(output, hashes=hashes, metric=metric is not None)
    if by is Order.CONTRIBUTION:
        found = call.client.get("/aggregates/inputs", query)
        output.rows(found["items"], columns, f"No event of this version contributed to {metric}.")
        if not found["exact"]:
            output.note(
                "The version has more events than a request reads: these are the biggest of the first.", "yellow"
            )
    else:
        items = call.client.pages("/aggregates/inputs", query, limit)
        output.rows(items, columns, "No event went into this version.")


def _newest(client: Client, of_day: Json) -> str:
    versions = client.get("/aggregates", {**of_day, "limit": "1"})["versions"]
    if not versions:
        require_known_entity(client, of_day["entity_id"])
        command = replay_command(of_day["entity_id"], of_day["day"])
        raise Problem(_NO_VERSION, f"Compute one: {command}", Exit.NOT_FOUND)
    return str(versions[0]["replay_id"])


def version_pages(client: Client, query: Json, at_most: int | None) -> Iterator[Json]:
    """Pages of versions, as they are asked for; each version says whether what came since is exact."""
    cursor, left = None, at_most
    while left is None or left > 0:
        asked = {**query, "limit": str(min(left or _VERSIONS_A_PAGE, _VERSIONS_A_PAGE)), "cursor": cursor}
        page = client.get("/aggregates", asked)
        yield {**page, "versions": [{**version, "exact": page["exact"]} for version in page["versions"]]}
        left, cursor = left and left - len(page["versions"]), page["cursor"]
        if cursor is None:
            return


def at_least(counted: Json, count: int) -> str:
    """A count, and that there may be more if it is not exact."""
    return f"{'' if counted['exact'] else 'at least '}{count:,}"


def replay_command(entity: str, day: str) -> str:
    """The command that computes a day of an entity again."""
    return f"retrace replay create {shlex.quote(entity)} --day {day}"


def _asked(call: CommandContext, version: Json) -> Json:
    """A version with the requester, time and reason of its replay, if it has one."""
    job = _job(call.client, version["replay_id"])
    return {
        **version,
        "requested_by": job.get("requested_by"),
        "requested_at": job.get("created_at"),
        "reason": job.get("request", {}).get("reason"),
    }


def _job(client: Client, replay_id: str) -> Json:
    answer = client.call("GET", f"/replay/{replay_id}")
    return answer.json if answer.status == HTTPStatus.OK else {}
