"""Which days of other calendars than UTC a replay covers only in part, so that their versions will be partial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.core.calendars import UTC, day_in, window_in
from chalicelib.core.timestamps import Day, Window
from chalicelib.metrics.definition import Definition
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.request import ReplayRequest


@dataclass(frozen=True, slots=True)
class PartialDays:
    """Days of a calendar, each with the window that covers it. None if they are all that the replay touches."""

    calendar: str
    days: Sequence[tuple[Day, Window]] | None


def partial_days(request: ReplayRequest, pinned: Iterable[Definition]) -> list[PartialDays]:
    """Partial days of the calendars of the metrics that a replay computes.

    Of an entity's window they are at its edges. A replay of whole UTC days, or of a source and type, leaves out a part
    of each. Filters leave out parts of days of every calendar, which is told otherwise.
    """
    if request.destination != TO_AGGREGATES or (request.filtered and not request.selects_whole_days):
        return []
    calendars = sorted({each.time_zone for each in pinned} - {UTC})
    if request.entity_id is None or request.selects_whole_days:
        return [PartialDays(each, None) for each in calendars]
    found = [PartialDays(each, list(_at_edges(request.window, each))) for each in calendars]
    return [each for each in found if each.days]


def _at_edges(window: Window, calendar: str) -> Iterator[tuple[Day, Window]]:
    first, last = (day_in(calendar, each) for each in (window.start, window.end))
    for day in dict.fromkeys((first, last)):
        whole = window_in(calendar, day)
        if whole.start < window.start or whole.start < window.end < whole.end:
            yield day, whole
