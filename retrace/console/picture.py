"""Draws events as a picture whose size does not depend on their number."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntFlag
from itertools import pairwise
from math import copysign, log10
from typing import Any

Json = dict[str, Any]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
WIDTHS = (
    *(n * SECOND for n in (1, 5, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28)),
)
"""Of a bin, in milliseconds: such that bins begin at times that people say."""

MOST_BINS = 120
MOST_POINTS = 2_000
"""So many events are drawn one by one; more are drawn as cells."""
COLUMNS, ROWS = 240, 60
LONGEST_OF_HOURS = 14 * DAY
"""In longer windows a gap is of days."""
LONGEST_HEAT = 62 * DAY
"""Longer windows have no heat map: it has a row for each day."""
MOST_NAMES = 50
_ALWAYS = 10**15
"""Milliseconds: later than any window."""


class Mark(IntFlag):
    """What is marked of an event."""

    DUPLICATE = 1
    CONFLICT = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """The window that is drawn, in milliseconds since 1970, and from which lag on an event is late."""

    start: int
    end: int
    late_ms: int
    bin_ms: int = 0

    @property
    def width(self) -> int:
        """Of a bin: as asked for, or the narrowest that makes few enough."""
        if self.bin_ms:
            return self.bin_ms
        in_centuries = WIDTHS[-1] * -(-self.span // (MOST_BINS * WIDTHS[-1]))
        return next((width for width in WIDTHS if self.span / width <= MOST_BINS), in_centuries)

    @property
    def span(self) -> int:
        """How long it is."""
        return self.end - self.start

    @property
    def of_hours(self) -> Frame:
        """The same window in bins of an hour."""
        return replace(self, bin_ms=HOUR)

    @property
    def first(self) -> int:
        """Where the first bin begins: a multiple of the width."""
        return self.start // self.width * self.width

    @property
    def bins(self) -> int:
        """How many there are."""
        return max(1, -(-(self.end - self.first) // self.width))


@dataclass
class Gathered:
    """Events in order of event time: columns rather than objects, so that a hundred thousand are a few megabytes."""

    times: array[int] = field(default_factory=lambda: array("q"))
    arrivals: array[int] = field(default_factory=lambda: array("q"))
    kinds: array[int] = field(default_factory=lambda: array("l"))
    entities: array[int] = field(default_factory=lambda: array("l"))
    ids: list[str] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    entity_names: list[str] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    _entity_numbers: dict[str, int] = field(default_factory=dict)

    def add(self, items: Iterable[Mapping[str, Any]], milliseconds: Any) -> None:
        """Take a page in; `milliseconds` reads a time."""
        for item in items:
            self.times.append(milliseconds(item["event_time"]))
            self.arrivals.append(milliseconds(item["ingest_time"]))
            self.kinds.append(self._number(item["source"], item["event_type"]))
            self.entities.append(self._entity(item["entity_id"]))
            self.ids.append(item["event_id"])

    def mark(self, event_id: str, mark: Mark) -> None:
        """Say of an event that its identity arrived again."""
        self.marks[event_id] = self.marks.get(event_id, Mark(0)) | mark

    def _number(self, source: str, event_type: str) -> int:
        number = self._numbers.setdefault((source, event_type), len(self.names))
        if number == len(self.names):
            self.names.append((source, event_type))
        return number

    def _entity(self, name: str) -> int:
        number = self._entity_numbers.setdefault(name, len(self.entity_names))
        if number == len(self.entity_names):
            self.entity_names.append(name)
        return number

    def count(self, frame: Frame) -> int:
        """How many events lie in it."""
        return len(self._in(frame))

    def _in(self, frame: Frame) -> range:
        return range(bisect_left(self.times, frame.start), bisect_left(self.times, frame.end))

    def picture(self, frame: Frame, *, by_lag: bool, known_to: int = _ALWAYS) -> Json:
        """What is drawn of the frame; gaps only up to when it is known that nothing came."""
        here = self._in(frame)
        kinds = Counter(self.kinds[index] for index in here)
        entities = Counter(self.entities[index] for index in here)
        drawn = self._points(here) if len(here) <= MOST_POINTS else self._cells(here, frame, by_lag=by_lag)
        return {
            "count": len(here),
            "bins": self._bins(here, frame),
            "hours": self._bins(here, hours) if (hours := frame.of_hours).span <= LONGEST_HEAT else None,
            "gaps": gaps([self.times[index] for index in here], frame, known_to),
            "kinds": [[*self.names[number], count] for number, count in kinds.most_common(MOST_NAMES)],
            "kinds_in_all": len(kinds),
            "entities": [[self.entity_names[number], count] for number, count in entities.most_common(MOST_NAMES)],
            "entities_in_all": len(entities),
            "lag": _quantiles([self.arrivals[index] - self.times[index] for index in here]),
            **drawn,
        }

    def _bins(self, here: range, frame: Frame) -> Json:
        counts = {name: [0] * frame.bins for name in ("all", "late", "duplicate", "conflict")}
        for index in here:
            place = (self.times[index] - frame.first) // frame.width
            counts["all"][place] += 1
            counts["late"][place] += self.arrivals[index] - self.times[index] >= frame.late_ms
            if mark := self.marks.get(self.ids[index]):
                counts["duplicate"][place] += Mark.DUPLICATE in mark
                counts["conflict"][place] += Mark.CONFLICT in mark
        return {"first": frame.first, "width": frame.width, **counts}

    def _points(self, here: range) -> Json:
        return {
            "points": [
                [
                    self.times[index],
                    self.arrivals[index],
                    int(self.marks.get(self.ids[index], 0)),
                    self.kinds[index],
                    self.ids[index],
                ]
                for index in here
            ],
            "names": [list(name) for name in self.names],
        }

    def _cells(self, here: range, frame: Frame, *, by_lag: bool) -> Json:
        heights = self._heights(here, by_lag=by_lag)
        low, high = min(heights), max(heights)
        step = max(1e-9, (high - low) / ROWS)
        wide = max(1e-9, (frame.end - frame.start) / COLUMNS)
        found: dict[tuple[int, int], list[int]] = {}
        for index, height in zip(here, heights, strict=True):
            place = (int((self.times[index] - frame.start) / wide), min(ROWS - 1, int((height - low) / step)))
            cell = found.setdefault(place, [0, 0])
            cell[0] += 1
            cell[1] += self.arrivals[index] - self.times[index] >= frame.late_ms
        cells = [[column, row, *counts] for (column, row), counts in found.items()]
        return {"cells": {"columns": COLUMNS, "rows": ROWS, "low": low, "high": high, "at": cells}}

    def _heights(self, here: range, *, by_lag: bool) -> Sequence[float]:
        if by_lag:
            return [height_of_lag(self.arrivals[index] - self.times[index]) for index in here]
        return self.arrivals[here.start : here.stop]


def gaps(times: Iterable[int], frame: Frame, known_to: int = _ALWAYS) -> list[list[int]]:
    """Periods of whole hours (in long windows days) without events, cut off at the edges, as GET /gaps finds them.

    What has not come yet is none: hours that are not over when it was read are left out.
    """
    unit = HOUR if frame.end - frame.start <= LONGEST_OF_HOURS else DAY
    occupied = sorted({time // unit for time in times})
    edges = [frame.start // unit - 1, *occupied, -(-frame.end // unit)]
    edges = [min(edge, known_to // unit) for edge in edges]
    between = [(one + 1, other) for one, other in pairwise(edges) if one + 1 < other]
    return [[max(frame.start, one * unit), min(frame.end, other * unit)] for one, other in between]


def height_of_lag(lag_ms: int) -> float:
    """Where a lag is drawn: seconds and years fit one axis, and so do clocks that run ahead."""
    return copysign(log10(1 + abs(lag_ms)), lag_ms)


def _quantiles(lags: list[int]) -> Json | None:
    if not lags:
        return None
    lags.sort()
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: lags[int(part * (len(lags) - 1))] for name, part in at.items()} | {"max": lags[-1]}
