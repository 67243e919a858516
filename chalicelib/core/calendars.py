"""Days in the calendar of a time zone: they are 23 or 25 hours long where clocks change.

The zones are those of the package tzdata and never those of the machine, so that each machine cuts days alike.
"""

from __future__ import annotations

from datetime import UTC as ZERO
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from io import BytesIO
from zoneinfo import ZoneInfo

from chalicelib.core.timestamps import (
    END_OF_TIME,
    Day,
    Instant,
    Window,
    day_after,
    day_of,
    end_of,
    start_of,
    window_of,
)

UTC = "UTC"
"""The calendar of days that are not said to be of another."""

_FIRST_DAY, _LAST_DAY = Day("0001-01-01"), Day("9999-12-31")


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def day_in(calendar: str, instant: Instant) -> Day:
    """The day of a calendar that an instant falls on: the last whose start is not after it."""
    if calendar == UTC or instant == END_OF_TIME:
        return day_of(instant)
    day = _local_day(calendar, instant)
    # A clock that is put back at midnight shows the end of a day for a second time: that is part of the next day.
    if day != _LAST_DAY and instant >= _start_in(calendar, day_after(day, 1)):
        return day_after(day, 1)
    return day


def window_in(calendar: str, day: Day) -> Window:
    """All of a day of a calendar."""
    if calendar == UTC:
        return window_of(day)
    end = END_OF_TIME if day == _LAST_DAY else _start_in(calendar, day_after(day, 1))
    return Window(_start_in(calendar, day), end)


def utc_days_of(window: Window) -> list[Day]:
    """The UTC days that a window touches."""
    days = [day_of(window.start)]
    while end_of(days[-1]) < window.end:
        days.append(day_after(days[-1], 1))
    return days


def _local_day(calendar: str, instant: Instant) -> Day:
    try:
        return Day(datetime.fromisoformat(f"{instant[:19]}+00:00").astimezone(_zone(calendar)).date().isoformat())
    except OverflowError:  # the day before the first of all days, or after the last
        return day_of(instant)


@lru_cache(maxsize=4_096)
def _start_in(calendar: str, day: Day) -> Instant:
    """The first instant at which the clock shows the day. The first of all days begins with UTC's everywhere."""
    if day == _FIRST_DAY:
        return start_of(day)
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), _zone(calendar))
    return Instant(f"{midnight.astimezone(ZERO).replace(tzinfo=None).isoformat()}.000000000Z")


@lru_cache(maxsize=64)
def _zone(calendar: str) -> ZoneInfo:
    rules = resources.files("tzdata").joinpath("zoneinfo", *calendar.split("/")).read_bytes()
    return ZoneInfo.from_file(BytesIO(rules), calendar)
