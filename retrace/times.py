"""Times as people write them: `2h`, `yesterday`, `12:00`, `2026-11-21`, or RFC 3339."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from chalicelib.core.timestamps import Day, Instant, day_of, instant_of, parse_instant, shifted, start_of

EXAMPLES = "15m, 2h, 3d, 1w, now, today, yesterday, 09:30, 2026-11-21, 2026-11-21T09:30, 2026-11-21T09:30:00Z"

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])(?:\s+ago)?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?", re.ASCII)
_CLOCK = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?", re.ASCII)
_DAY_NS = 86_400 * 1_000_000_000
_RELATIVE_DAYS = {"today": 0, "yesterday": 1, "tomorrow": -1}


def parse_time(text: str, now: datetime) -> Instant:
    """The instant that a text means, in UTC; raises ValueError with a text fit for a user."""
    wanted = text.strip()
    if wanted.lower() == "now":
        return instant_of(now)
    ago = _ago(wanted, now)
    if ago is not None:
        return parse_instant(ago.isoformat())  # which pads years before 1000
    day = _day(wanted, now)
    if day is not None:
        return start_of(day)
    if _CLOCK.fullmatch(wanted):
        wanted = f"{now.date().isoformat()}T{wanted}"
    local = _LOCAL.fullmatch(wanted)
    try:
        # A time without an offset is UTC, as all times of Retrace are.
        return parse_instant(f"{local[1]}T{local[2]}{local[3] or ':00'}Z" if local else wanted)
    except ValueError as error:
        why = f"it {error}" if local or "RFC 3339" not in str(error) else f"write one such as {EXAMPLES}"
        raise ValueError(f"{text!r} is not a time: {why}") from error


def parse_end(text: str, now: datetime, start: Instant | None) -> Instant:
    """The instant that a text means as the end of a window: of a time of day, the first after the start."""
    clock = text.strip()
    if start is None or not _CLOCK.fullmatch(clock):
        return parse_time(text, now)
    found = parse_time(f"{day_of(start)}T{clock}", now)
    try:
        return found if found > start else shifted(found, _DAY_NS)
    except OverflowError as error:
        raise ValueError(f"{text!r} is after the year 9999, the last that there is") from error


def parse_day(text: str, now: datetime) -> Day:
    """The UTC day that a text means; raises ValueError with a text fit for a user."""
    wanted = text.strip()
    day = _day(wanted, now)
    if day is None:
        ago = _ago(wanted, now) if wanted.lower().removesuffix("ago").strip()[-1:] in ("d", "w") else None
        if ago is None:
            raise ValueError(f"{text!r} is not a day: write one such as today, yesterday, 3d or 2026-11-21")
        day = Day(ago.date().isoformat())
    return day


def _ago(wanted: str, now: datetime) -> datetime | None:
    match = _AGO.fullmatch(wanted.lower())
    if match is None:
        return None
    try:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError as error:
        raise ValueError(f"{wanted!r} is before the year 1, the first that there is") from error


def _day(wanted: str, now: datetime) -> Day | None:
    if wanted.lower() in _RELATIVE_DAYS:
        return Day((now - timedelta(days=_RELATIVE_DAYS[wanted.lower()])).date().isoformat())
    if _DAY.fullmatch(wanted) is None:
        return None
    try:
        return Day(date.fromisoformat(wanted).isoformat())
    except ValueError as error:
        raise ValueError(f"{wanted!r} is not a real day") from error
