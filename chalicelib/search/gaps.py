"""Hours or days without events, found by asking where the next event is rather than by reading them all."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from chalicelib.core.timestamps import Instant, Window, day_of, end_of, hour_after, start_of, start_of_hour
from chalicelib.search.queries import Unit


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without events, from the edge of an hour or day (or of what was asked about) to another."""

    start: Instant
    end: Instant


Search = Generator[Window, Instant | None, list[Gap]]
"""Asks for the time of the first event in a window, None if there is none, until it knows all gaps."""


def gaps_in(window: Window, unit: Unit) -> Search:
    """The hours or days of a window without events, neighbouring ones as one gap; one question for each with events."""
    at, gaps = window.start, list[Gap]()
    while at < window.end:
        event_time = yield Window(at, window.end)
        until = window.end if event_time is None else _start(event_time, unit)
        if until > at:
            gaps.append(Gap(at, until))
        at = window.end if event_time is None else _end(event_time, unit)
    return gaps


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps in order, those that touch as one: windows may have been looked at one by one."""
    whole: list[Gap] = []
    for gap in gaps:
        if whole and whole[-1].end == gap.start:
            whole[-1] = Gap(whole[-1].start, gap.end)
        else:
            whole.append(gap)
    return whole


def _start(instant: Instant, unit: Unit) -> Instant:
    return start_of_hour(instant) if unit is Unit.HOUR else start_of(day_of(instant))


def _end(instant: Instant, unit: Unit) -> Instant:
    return hour_after(instant) if unit is Unit.HOUR else end_of(day_of(instant))
