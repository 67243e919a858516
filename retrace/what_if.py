"""What-ifs: definitions of a file that a replay computes as drafts, and how to compare what comes of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from chalicelib.core.calendars import UTC, day_in
from chalicelib.core.timestamps import Instant
from chalicelib.metrics.definition import Definition
from retrace.client import Client
from retrace.output import Json


def is_what_if(request: Json) -> bool:
    """Whether a request, as the API answers it, computes drafts: such a version is never the newest."""
    return any(isinstance(each, dict) for each in request.get("metrics", ()))


def drafts_in(request: Json) -> list[Definition]:
    """The drafts of a request that is to be sent."""
    return [each for each in request.get("metrics", ()) if isinstance(each, Definition)]


def comparisons(client: Client, job: Json, drafts: Sequence[Definition]) -> Iterator[str]:
    """For each draft the command that compares it with the newest version, or shows it if that has no such metric.

    Nothing for a replay of a source, as it computes the days of many entities.
    """
    request = job["request"]
    if "entity_id" not in request:
        return
    for draft in drafts:
        day = day_in(draft.time_zone, Instant(request["start_time"]))
        of_day = {"entity_id": request["entity_id"], "day": day, "calendar": draft.time_zone}
        versions = client.get("/aggregates", {**of_day, "metric": draft.name, "limit": "1"})["versions"]
        newest = [each["replay_id"] for each in versions if each["metrics"] and not each.get("what_if")]
        command, compared = ("diff", f" {newest[0]} {job['replay_id']}") if newest else ("get", "")
        calendar = "" if draft.time_zone == UTC else f" --calendar {draft.time_zone}"
        where = f"{shlex.quote(request['entity_id'])} {day}"
        yield f"retrace aggregates {command} {where}{compared} --metric {draft.name}{calendar}"
