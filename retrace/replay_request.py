"""What `retrace replay` is asked for, as a request to the API."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from chalicelib.core.timestamps import Day, day_after, day_of, end_of, start_of
from retrace.context import Calling
from retrace.output import Json


def selection(
    call: Calling,
    entity: str | None,
    source: str | None,
    event_type: str | None,
    times: tuple[str | None, str | None],
    days: tuple[str | None, str | None, str | None],
) -> Json:
    """Which events: those of an entity in a window, or those of a source and type on days.

    `times` are --since and --until, `days` are --day, --from-day and --to-day.
    """
    if entity is not None:
        if source is not None or event_type is not None:
            raise _wrong("--source, --type", "choose among an entity's events by --include-source and --include-type")
        return {"entity_id": entity, **_window(call, times, _range(call, days))}
    if source is None or event_type is None:
        raise _wrong("ENTITY", "name an entity, or give --source and --type")
    if times != (None, None) and days != (None, None, None):
        raise _wrong("--since, --until", "give either days or times")
    first, last = _range(call, days) or _whole_days(call, times)
    stretch = {"day": first} if first == last else {"start_day": first, "end_day": last}
    return {"source": source, "event_type": event_type, **stretch}


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


def request_of(**members: object) -> Json:
    """The body of a request: what was given, and nothing for what was not."""
    return {name: value for name, value in members.items() if value is not None and value is not False}


def _wrong(option: str, why: str) -> typer.BadParameter:
    return typer.BadParameter(why, param_hint=option)


def _range(call: Calling, days: tuple[str | None, str | None, str | None]) -> tuple[str, str] | None:
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
    return call.day(first, "--from-day") or "", call.day(last or "today", "--to-day") or ""


def _whole_days(call: Calling, times: tuple[str | None, str | None]) -> tuple[str, str]:
    """The first and the last day of a window of whole days; without an end it goes on until today."""
    first, end = _day_begun(call, times[0], "--since"), _day_begun(call, times[1], "--until")
    if first is None:
        raise _wrong("--day", "give --day, --since (and --until), or --from-day and --to-day")
    return first, call.day("today", "--until") or "" if end is None else day_after(end, -1)


def _day_begun(call: Calling, text: str | None, option: str) -> Day | None:
    time = call.time(text, option)
    if time is None:
        return None
    if time != start_of(day_of(time)):
        raise _wrong(
            option, f"a source and type is replayed by whole UTC days: {option} {day_of(time)}, or another day"
        )
    return day_of(time)


def _window(call: Calling, times: tuple[str | None, str | None], named: tuple[str, str] | None) -> Json:
    since, until = times
    if named is not None:
        if times != (None, None):
            raise _wrong("--since, --until", "give either days or times")
        return {"start_time": start_of(Day(named[0])), "end_time": end_of(Day(named[1]))}
    if since is None:
        raise _wrong("--since", "say which events: --day, --since (and --until), or --from-day and --to-day")
    return {"start_time": call.time(since, "--since"), "end_time": call.time(until or "now", "--until")}
