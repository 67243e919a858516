"""Requests a replay: makes a request of options, counts it, asks, and sends it once."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import typer

from chalicelib.core.calendars import UTC, time_zones, window_in
from chalicelib.core.timestamps import Day, end_of, start_of
from chalicelib.metrics.definition import Definition
from retrace.answer import Answer
from retrace.client import Client
from retrace.context import CommandContext, nothing_selected
from retrace.events_file import events_file_of
from retrace.known_names import near_names
from retrace.output import Json, Output
from retrace.problem import Exit, Problem
from retrace.replay_progress import amount, ask, show_preview
from retrace.replay_table import whole_replay_id


def selection(
    call: CommandContext,
    entity: str | None,
    source: str | None,
    event_types: Sequence[str],
    times: tuple[str | None, str | None],
    days: tuple[str | None, str | None, str | None],
    calendar: str | None = None,
) -> Json:
    """Which events: those of an entity in a window, or those of a source and types in a window or on days.

    `times` are --since and --until, `days` are --day, --from-day and --to-day, of the calendar.
    """
    named = _range(call, days)
    _require_calendar(calendar, named)
    if entity is not None:
        if source is not None or event_types:
            raise _wrong("--source, --type", "choose among an entity's events by --include-source and --include-type")
        return {"entity_id": entity, **_window(call, times, named, calendar)}
    if source is None or not event_types:
        raise nothing_selected(source, event_types)
    if named is None or times != (None, None) or calendar is not None:
        bounds = _window(call, times, named, calendar)
    else:
        bounds = {"day": named[0]} if named[0] == named[1] else {"start_day": named[0], "end_day": named[1]}
    types = {"event_type": event_types[0]} if len(event_types) == 1 else {"event_types": list(event_types)}
    return {"source": source, **types, **bounds}


class Only(StrEnum):
    """What is missing, as options say it."""

    UNPROCESSED = "unprocessed"
    NOT_SENT_TO = "not-sent-to"


def of_replay(call: CommandContext, replay: str, *chosen: object) -> Json:
    """The replay whose unprocessed messages are asked for. It says which events, so nothing else may."""
    if chosen != _NOTHING_CHOSEN:
        raise _wrong("--of", "leave out ENTITY, --source, --type, days and times: the replay says which events")
    return {"of": whole_replay_id(call.client, replay)}


_NOTHING_CHOSEN: tuple[object, ...] = (None, None, [], (None, None), (None, None, None), None)


def selected_by_file(call: CommandContext, name: str, *others: object) -> Json:
    """The events of a file, which is uploaded. `others` are what would select events otherwise."""
    if any(part for other in others for part in (other if isinstance(other, tuple) else [other])):
        raise _wrong("--events", "names the events. Leave out ENTITY, --source, --type, days and times")
    return {"events_file": events_file_of(call.client, name, Output())}


def criteria(
    sources: Sequence[str], event_types: Sequence[str], event_ids: Sequence[str], min_lag_ms: int | None
) -> Json | None:
    """What a filter of the request says; None if it says nothing."""
    given = {
        "sources": list(sources),
        "event_types": list(event_types),
        "event_ids": list(event_ids),
        "min_lag_ms": min_lag_ms,
    }
    return {name: value for name, value in given.items() if value not in ([], None)} or None


def request_of(**members: Any) -> Json:
    """The body of a request: what was given, and nothing for what was not."""
    given = {name: value for name, value in members.items() if value is not None and value is not False}
    return given | ({"only": given["only"].replace("-", "_")} if "only" in given else {})


def _wrong(option: str, why: str) -> typer.BadParameter:
    return typer.BadParameter(why, param_hint=option)


def _range(call: CommandContext, days: tuple[str | None, str | None, str | None]) -> tuple[str, str] | None:
    """The first and the last day; a range without an end goes on until today."""
    day, first, last = days
    if day is not None:
        if first is not None or last is not None:
            raise _wrong("--day", "is one day; --from-day and --to-day are a range")
        only = call.day(day, "--day") or ""
        return only, only
    if first is None:
        if last is not None:
            raise _wrong("--to-day", "needs --from-day")
        return None
    begins, ends = call.day(first, "--from-day") or "", call.day(last or "today", "--to-day") or ""
    if begins > ends:
        raise _wrong("--from-day", f"must not lie after --to-day: {begins} is after {ends}")
    return begins, ends


def _require_calendar(calendar: str | None, named: tuple[str, str] | None) -> None:
    if calendar is None:
        return
    if calendar not in time_zones():
        near = near_names(calendar, time_zones())
        raise _wrong("--calendar", f"{calendar} is not a time zone. {near}Such are Europe/Paris and UTC")
    if named is None:
        raise _wrong("--calendar", "needs --day, or --from-day and --to-day")


def _window(
    call: CommandContext,
    times: tuple[str | None, str | None],
    named: tuple[str, str] | None,
    calendar: str | None,
) -> Json:
    since, until = times
    if named is not None:
        if times != (None, None):
            raise _wrong("--since, --until", "give either days or times")
        first, last = (window_in(calendar or UTC, Day(each)) for each in named)
        return {"start_time": first.start, "end_time": last.end}
    if since is None:
        raise _wrong("--since", "say which events: --day, --since (and --until), or --from-day and --to-day")
    start, end = call.window(since, until or "now")
    return {"start_time": start, "end_time": end}


_RECOUNTS = 3
_JSON = {"Content-Type": "application/json"}


def counted(client: Client, request: Json) -> Json:
    """What a replay would send; nothing is sent."""
    query = {"dry_run": "true"}
    return client.expect("POST", "/replay", query=query, body=body_of(request), headers=_JSON).json


def sent(client: Client, output: Output, request: Json, preview: Json, *, yes: bool) -> Json:
    """Send what was agreed to; where the API has counted something else meanwhile, that is shown and asked for."""
    most = request.get("max_messages", _named(request, preview))
    for _ in range(_RECOUNTS):
        # Where counting stopped early, what it found is not the size of the replay; max_messages bounds that.
        agreed = preview["messages"] if preview["exact"] or most is None else most
        if not yes:
            _agree(output, preview, most)
        # A key for each body: sending it again after a lost answer starts no second replay.
        headers = {**_JSON, "Idempotency-Key": f"retrace-cli-{uuid4()}"}
        body = body_of({**request, "confirm": agreed})
        try:
            answer = client.call("POST", "/replay", body=body, headers=headers)
        except KeyboardInterrupt:
            output.note("It may have been requested already. Run `retrace replay list` to see it.", "yellow")
            raise
        if _recounted(answer, agreed):
            preview = answer.json["preview"]
            output.note("The events have changed:", "yellow")
            show_preview(output.notes, preview)
        elif answer.status >= HTTPStatus.BAD_REQUEST:
            raise client.problem_of("POST /replay", answer)
        else:
            return answer.json
    raise Problem("The number of events kept changing.", "Let the window end before now, or try again.")


def _named(request: Json, preview: Json) -> int | None:
    """How many events a file names, if the replay sends none beside them and none twice."""
    more = request.get("whole_days") or request.get("include_duplicates")
    return None if more or "events_file" not in preview else int(preview["events_file"]["events"])


def _recounted(answer: Answer, agreed: int) -> bool:
    """Whether something else was counted now. The same again means that this number confirms nothing."""
    return answer.status == HTTPStatus.CONFLICT and answer.json.get("preview", {}).get("messages", agreed) != agreed


def _agree(output: Output, preview: Json, most: int | None) -> None:
    if not sys.stdin.isatty():
        raise Problem(
            "There is no terminal to ask on, so nothing was sent.",
            "Add --yes to send it. To count only: retrace replay preview",
            Exit.USAGE,
        )
    at_most = "" if preview["exact"] or most is None else f", at most {most:,}"
    if not ask(output, f"Send {amount(preview)}{at_most}? [y/N]"):
        output.note("Nothing was sent.")
        raise typer.Exit(Exit.DIFFERENT)


def body_of(body: Json) -> bytes:
    """The request as JSON. Drafts are in it as their canonical texts, so that no number of them changes."""
    members = json.dumps({name: value for name, value in body.items() if name != "metrics"}, ensure_ascii=False)
    if "metrics" not in body:
        return members.encode()
    metrics = (each.canonical if isinstance(each, Definition) else json.dumps(each) for each in body["metrics"])
    return f'{members[:-1]}, "metrics": [{", ".join(metrics)}]}}'.encode()


def command_of(request: Json) -> str:
    """The command that sends a request which an answer names."""
    types = request.get("event_types") or [each for each in (request.get("event_type"),) if each is not None]
    words = ["--source", request["source"]] if "source" in request else []
    words += [word for each in types for word in ("--type", each)]
    words += _bounds(request) + ["--whole-days"] * ("whole_days" in request)
    words += [word for each in request.get("metrics", ()) for word in ("--metric", each)]
    if "include" in request:
        words += ["--include-min-lag-ms", str(request["include"]["min_lag_ms"])]
    entity = ["--", request["entity_id"]] if "entity_id" in request else []
    return shlex.join(["retrace", "replay", "create", *words, *entity])


def _bounds(request: Json) -> list[str]:
    if "day" in request:
        return ["--day", request["day"]]
    if "start_day" in request:
        return ["--from-day", request["start_day"], "--to-day", request["end_day"]]
    day = Day(request["start_time"][:10])
    if (request["start_time"], request["end_time"]) == (start_of(day), end_of(day)):
        return ["--day", day]
    return ["--since", request["start_time"], "--until", request["end_time"]]
