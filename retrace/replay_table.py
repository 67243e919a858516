"""Lists replays in tables, with shortened ids, and finds a replay by such an id."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from chalicelib.core.timestamps import Day, day_after
from retrace.answer import with_commands
from retrace.client import Client
from retrace.output import Column, Json, Output, on_one_line, short_time
from retrace.problem import Exit, Problem
from retrace.what_if import is_what_if

_DIGITS = len("0199b0f4-5a1c")
"""Of an id in a table: the millisecond in which the replay was asked for."""
_BEGINNING = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]{0,26})?")
_TOO_SHORT = re.compile(r"[0-9a-f]{1,7}")
_PAGE = "25"

_UNCOUNTED = (
    "Counting stopped at the limit of a request, so there may be more of everything. Set --max-messages for a bound."
)
_WHAT_IF = "This is a what-if: its versions are listed behind all others, and none becomes the newest."
_PARTIAL = (
    "The newest version of each UTC day that it touches will be partial, computed from these events only. "
    "Add --whole-days for complete numbers, or --destination to send to your own consumer."
)

_ONLY = {"unprocessed": "only what {of} left unprocessed", "not_sent_to": "only what was not sent there"}

COUNTS = ("sent", "processed", "failed", "dropped")
_STYLES = {"COMPLETE": "green", "FAILED": "red", "CANCELLED": "yellow"}
_HASH_SHOWN = 12
_MINUTE = len("2025-11-28T10:00")
_MIDNIGHT = "T00:00:00.000000000Z"


def replay_column(output: Output) -> Column:
    """The column of ids: whole where there is room, otherwise as much as commands need."""
    digits = None if output.is_wide else _DIGITS
    return Column("replay", lambda item: item["replay_id"][:digits], whole=True)


def job_columns(output: Output) -> tuple[Column, ...]:
    """The columns of a list of replays, with requester and reason where there is room."""
    columns = (
        replay_column(output),
        Column("asked (UTC)", lambda job: short_time(job["created_at"])[len("2025-") : _MINUTE], whole=True),
        Column("state", lambda job: job["state"], style=lambda job: _STYLES.get(job["state"], ""), whole=True),
        Column("done", _done, whole=True),
        Column("of", lambda job: what(job["request"]), cut=True),
    )
    more = (
        Column("by", lambda job: job["requested_by"].rpartition("/")[2]),
        Column("reason", lambda job: job["request"].get("reason", "")),
    )
    return (*columns, *more) if output.is_wide else columns


def _done(job: Json) -> str:
    """How many messages were processed of those that were sent, and how many failed or were dropped."""
    lost = [f"{job[name]:,} {name}" for name in ("failed", "dropped") if job[name]]
    return ", ".join([f"{job['processed']:,}/{job['sent']:,}", *lost])


def what(request: Json) -> str:
    """Which events a request names, in words."""
    of = ", ".join(_selected(request))
    how = [name.replace("_", " ") for name in ("include_duplicates", "whole_days") if request.get(name)]
    how += [f"{name} {request[name]}" for name in ("max_messages", "rate") if name in request]
    how += [_ONLY[request["only"]].format(**request)] if "only" in request else []
    how += ["filtered"] if "include" in request or "exclude" in request else []
    how += [f"to {request['destination']}"] if "destination" in request else []
    return f"{of} ({', '.join(how)})" if how else of


def _selected(request: Json) -> Iterator[str]:
    if "events_file" in request:
        yield f"events of the file {request['events_file'][:_HASH_SHOWN]}"
        return
    types = request.get("event_types", [request.get("event_type")])
    yield request.get("entity_id") or f"{request['source']} {', '.join(types)}"
    yield _when(request)


def goes_elsewhere(request: Json) -> bool:
    """Whether a replay goes to a consumer of your own, and not to the processor."""
    return "destination" in request


def advice_of(shown: Json) -> str:
    """What to do about a replay or its preview, with commands in place of routes; empty if nothing."""
    told, looks, _ = (shown["advice"] or "").partition("; GET /")
    return f"{with_commands(told)}. {newest_event(shown['request'])}" if looks else with_commands(told)


def newest_event(request: Json) -> str:
    """The command that shows the newest event of the entity, or of the source and first type, that a request names."""
    if "entity_id" in request:
        look = ["events", "--newest", "--limit", "1", "--", request["entity_id"]]
    else:
        event_type = request.get("event_type") or request["event_types"][0]
        look = ["freshness", "--source", request["source"], "--type", event_type, "--look-back-days", "366"]
    return f"The newest event: retrace {on_one_line(shlex.join(look))}"


def command_for_missing(job: Json) -> str | None:
    """The command that sends again what a consumer failed with or has not reported: long ago, or before a cancel."""
    silent = job["state"] == "SENT" and job["advice"] is not None
    cancelled = job["state"] == "CANCELLED" and job["reports"] and job["sent"] > job["processed"]
    missing = cancelled or (job["state"] in {"SENT", "COMPLETE"} and (job["failed"] or silent))
    if not missing or not goes_elsewhere(job["request"]):
        return None
    return f"retrace replay create --only unprocessed --of {job['replay_id']}"


def computes_partial_versions(request: Json) -> bool:
    """Whether a replay omits events of the days that it computes again: by its window, its filters or its type."""
    if request.get("whole_days") or goes_elsewhere(request):
        return False
    return not _is_of_days(request) or not {"source", "events_file", "include", "exclude", "only"}.isdisjoint(request)


def partial_days_text(request: Json, partial: Json) -> str:
    """Which days of a calendar will be partial, and the command that covers one of them."""
    calendar, days = partial["calendar"], partial["days"]
    if days is None:
        which, entity, day = f"All days of {calendar} that it touches", "ENTITY", "DAY"
    else:
        which = f"In {calendar}, {' and '.join(each['day'] for each in days)}"
        entity, day = shlex.quote(request["entity_id"]), days[0]["day"]
    command = f"retrace replay create {entity} --day {day} --calendar {calendar}"
    return f"{which} will be partial, as the replay covers only a part. For a whole day: {command}"


def remarks(preview: Json) -> Iterator[tuple[str, str]]:
    """What to know before it is sent, and in which style it is shown."""
    request = preview["request"]
    if not preview["exact"]:
        yield _UNCOUNTED, "yellow"
    if "events_file" in preview:
        yield _about_file(preview["events_file"]), "yellow" if preview["events_file"]["not_found"] else ""
    if preview.get("metrics"):
        yield f"It computes {', '.join(each['name'] for each in preview['metrics'])}.", ""
    if is_what_if(request):
        yield _WHAT_IF, ""
    elif preview["messages"] > 0:
        if computes_partial_versions(request):
            yield _PARTIAL, "yellow"
        yield from ((partial_days_text(request, each), "yellow") for each in preview.get("partial_days", ()))


def _about_file(file: Json) -> str:
    said = f"The file names {file['events']:,} events ({file['bytes']:,} bytes)."
    if not file["not_found"]:
        return said
    do = "does" if file["not_found"] == 1 else "do"
    more = ", …" if file["not_found"] > len(file["not_found_ids"]) else ""
    return f"{said} {file['not_found']:,} of them {do} not exist: {', '.join(file['not_found_ids'])}{more}"


def _is_of_days(request: Json) -> bool:
    bounds = [str(request[name]) for name in ("start_time", "end_time") if name in request]
    return all(bound.endswith(_MIDNIGHT) for bound in bounds)


def _when(request: Json) -> str:
    """Days if they are whole ones, otherwise times."""
    if "start_time" not in request:
        return str(request.get("day") or f"{request['start_day']} to {request['end_day']}")
    start, end = str(request["start_time"]), str(request["end_time"])
    if not _is_of_days(request):
        return f"{short_time(start)} to {short_time(end)}"
    first, last = start[:10], day_after(Day(end[:10]), -1)
    return first if first == last else f"{first} to {last}"


def replays_beginning(client: Client, beginning: str) -> Iterator[Json]:
    """Replays whose id begins so, with at least 8 digits; none if it is not how one begins."""
    if _BEGINNING.fullmatch(beginning) is None:
        return
    for job in client.pages("/replay", {"limit": _PAGE}):
        if str(job["replay_id"]).startswith(beginning):
            yield job
        elif job["replay_id"] < beginning:
            return  # they are listed newest first, and a newer one has a greater id


def whole_replay_id(client: Client, given: str) -> str:
    """The id that begins as given; raises Problem if there is none, or several."""
    if _TOO_SHORT.fullmatch(given) is not None:
        remedy = "Give at least its first 8 digits. Run `retrace replay list` to see the ids there are."
        raise Problem(f"{given} is too short for the beginning of a replay id.", remedy, Exit.USAGE)
    if _BEGINNING.fullmatch(given) is None:
        return given
    found = [str(job["replay_id"]) for job in replays_beginning(client, given)]
    if not found:
        remedy = "Run `retrace replay list` to see the ids there are."
        raise Problem(f"No replay has an id that begins with {given}.", remedy, Exit.NOT_FOUND)
    if len(found) > 1:
        raise Problem(
            f"Several replays have an id that begins with {given}.", f"Give one: {', '.join(found)}", Exit.USAGE
        )
    return found[0]
