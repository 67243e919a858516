"""Hours or days without events, found by asking where the next event is rather than by reading them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chalicelib.domain.event_query import Unit
from chalicelib.domain.timestamps import Instant, Window, day_of, end_of, hour_after, start_of, start_of_hour

NextEvent = Callable[[Window], Instant | None]
"""The time of the first event in a window, None if there is none."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without events, from the edge of an hour or day (or of what was asked about) to another."""

    start: Instant
    end: Instant


def gaps_in(window: Window, unit: Unit, next_event: NextEvent) -> Iterator[Gap]:
    """The hours or days of a window without events, neighbouring ones as one gap; one question for each with events."""
    at = window.start
    while at < window.end:
        event_time = next_event(Window(at, window.end))
        until = window.end if event_time is None else _start(event_time, unit)
        if until > at:
            yield Gap(at, until)
        if event_time is None:
            return
        at = _end(event_time, unit)


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
