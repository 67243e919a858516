"""Instants as fixed-width UTC text with nine fractional digits, so that text order is time order."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NewType

Instant = NewType("Instant", str)
"""`2026-11-21T23:59:59.123456789Z`: always 30 characters, always UTC."""

Day = NewType("Day", str)
"""`2026-11-21`: a UTC day."""

PERIOD, CALENDAR = "P1D", "UTC"
"""What aggregates cover: a duration of ISO 8601, in the days of a time zone."""

CLOCKS_DIFFER_MS = 300_000
"""What a producer's clock may be ahead, as signatures allow it: beyond that its times are not believed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY = timedelta(days=1)

# RFC 3339, section 5.6; its note allows a lower-case "t" and "z".
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII)
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?", re.ASCII)
_LEAP_SECOND = (
    "is a leap second, which Retrace does not accept because it cannot order it: send the second before it (:59) or"
    " the one after it (:00 of the next minute)"
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_END = re.compile(r"9999-12-31[Tt]24:00:00(?:\.0+)?[Zz]")

END_OF_TIME = Instant("9999-12-31T24:00:00.000000000Z")
"""The end of the last day that there is."""


def parse_instant(text: str) -> Instant:
    """Normalise an RFC 3339 timestamp to UTC.

    Zeros beyond nanoseconds change no instant, and are left out. Raises ValueError, with a text fit for a producer, for
    a missing offset, other digits there, a leap second (no clock here can order it), or a date, time or offset that
    does not exist.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        if _WITHOUT_OFFSET.fullmatch(text):
            raise ValueError("has no offset: end it with Z or an offset such as +01:00")
        raise ValueError("is not an RFC 3339 timestamp such as 2026-11-21T23:59:59.123Z")
    day, clock, fraction, sign, offset_hours, offset_minutes = match.groups(default="")
    if fraction[9:].strip("0"):
        raise ValueError("is finer than nanoseconds: beyond nine fractional digits only zeros are accepted")
    leaps = clock.endswith(":60")
    if clock >= "24":  # Python 3.14 reads 24:00 as the next day
        raise ValueError("is not a real instant")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock[:-2]}59" if leaps else f"{day}T{clock}")
        if sign:
            moment -= _offset(sign, int(offset_hours), int(offset_minutes))
    except (ValueError, OverflowError):
        raise ValueError("is not a real instant") from None
    if leaps:
        raise ValueError(_LEAP_SECOND if _ends_a_month(moment) else "is not a real instant")
    return Instant(f"{moment.isoformat()}.{fraction[:9]:0<9}Z")


def parse_end(text: str) -> Instant:
    """The end of a window, which is excluded: an instant, or the end of the calendar as `end_of` has it."""
    return END_OF_TIME if _END.fullmatch(text) else parse_instant(text)


def _ends_a_month(moment: datetime) -> bool:
    """Whether this is the last second of a month in UTC: a leap second comes only after that."""
    return (moment.hour, moment.minute) == (23, 59) and moment.day == monthrange(moment.year, moment.month)[1]


def _offset(sign: str, hours: int, minutes: int) -> timedelta:
    if hours > 23 or minutes > 59:
        raise ValueError("offset out of range")
    offset = timedelta(hours=hours, minutes=minutes)
    return offset if sign == "+" else -offset


def parse_day(text: str) -> Day:
    """Check a calendar day; raises ValueError with a text fit for a caller."""
    if _DAY.fullmatch(text) is None:
        raise ValueError("is not a day such as 2026-11-21")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a real day") from None
    return Day(text)


def instant_of(moment: datetime) -> Instant:
    """The instant of an aware datetime (microseconds are all that Python's clock gives)."""
    return Instant(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z")


def day_of(instant: Instant) -> Day:
    """The UTC day that an instant falls on."""
    return Day(instant[:10])


def start_of(day: Day) -> Instant:
    """The first instant of a day."""
    return Instant(f"{day}T00:00:00.000000000Z")


def end_of(day: Day) -> Instant:
    """The first instant after a day, which half-open windows exclude.

    The last day of the calendar has no day after it; ISO 8601's 24:00 stands in for it and keeps text order.
    """
    if day == "9999-12-31":
        return END_OF_TIME
    return start_of(Day((date.fromisoformat(day) + _ONE_DAY).isoformat()))


@dataclass(frozen=True, slots=True)
class Window:
    """A period of time, start included and end excluded."""

    start: Instant
    end: Instant


ALL_TIME = Window(Instant("0001-01-01T00:00:00.000000000Z"), END_OF_TIME)
"""All that an event's time can be."""


def window_of(day: Day) -> Window:
    """A whole day."""
    return Window(start_of(day), end_of(day))


def whole_days_of(window: Window) -> Window:
    """The days that a window touches, as one window."""
    last_day = day_of(window.end)
    starts_a_day = window.end == start_of(last_day)
    return Window(start_of(day_of(window.start)), window.end if starts_a_day else end_of(last_day))


def days_in(window: Window) -> int:
    """How many UTC days a window touches."""
    last_day = day_of(window.end)
    between = date.fromisoformat(last_day) - date.fromisoformat(day_of(window.start))
    return between.days + (window.end > start_of(last_day))


def day_after(first: Day, count: int) -> Day:
    """The day `count` days after `first`."""
    return Day((date.fromisoformat(first) + count * _ONE_DAY).isoformat())


def start_of_hour(instant: Instant) -> Instant:
    """The beginning of the UTC hour that an instant falls in."""
    return Instant(f"{instant[:13]}:00:00.000000000Z")


def hour_after(instant: Instant) -> Instant:
    """The beginning of the UTC hour after the one that an instant falls in."""
    if instant[11:13] == "23":
        return end_of(day_of(instant))
    return Instant(f"{instant[:11]}{int(instant[11:13]) + 1:02d}:00:00.000000000Z")


@lru_cache(maxsize=2_048)  # a request has a thousand events at most; rows, metrics and answer ask for the lag of each
def nanoseconds(instant: Instant) -> int:
    """Nanoseconds since 1970-01-01 UTC, exact."""
    moment = datetime.fromisoformat(f"{instant[:19]}+00:00")
    since_epoch = moment - _EPOCH
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000_000 + int(instant[20:29])


def lag_ms(event_time: Instant, ingest_time: Instant) -> int:
    """Milliseconds from event to ingest, rounded down; negative when a producer's clock runs ahead."""
    return (nanoseconds(ingest_time) - nanoseconds(event_time)) // 1_000_000


def shifted(instant: Instant, by: int) -> Instant:
    """The instant this many nanoseconds later, or earlier if negative; raises OverflowError outside the calendar."""
    seconds, fraction = divmod(nanoseconds(instant) + by, 1_000_000_000)
    return Instant(f"{(_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()}.{fraction:09d}Z")
