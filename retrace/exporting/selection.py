"""Selects what is exported, type by type: each part has its own queries, and a file of its own if that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.core.pagination import chunks
from chalicelib.core.percent_encoding import for_path
from chalicelib.core.timestamps import Day, Instant, Window, end_of, start_of, window_of
from chalicelib.events.index_pages import days_of
from chalicelib.search.queries import MAX_DAYS_BY_TYPE
from retrace.client import Client
from retrace.known_names import known_pairs, require_known

Period = Mapping[str, str | None]
Query = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """The events of a source and type, or of an entity, which queries find one after the other."""

    name: str
    path: str
    """Of its file in a directory, without its suffix."""
    queries: Sequence[Query]
    window: Window | None = None

    def reached(self, event_time: str) -> float:
        """The share of the window before an event, from 0 to 1."""
        if self.window is None:
            return 0.0
        start, end, now = map(_days, (self.window.start, self.window.end, event_time))
        return min(1.0, max(0.0, (now - start) / (end - start))) if end > start else 0.0


def of_entity(entity: str, source: str | None, types: Sequence[str], period: Period) -> list[Part]:
    """The events of an entity, or of some types of it."""
    query = {"entity_id": entity, "source": source, **period}
    if not types:
        return [Part(entity, f"entity={for_path(entity)}/events", [{**query, "event_type": None}])]
    return [
        Part(f"{entity} {each}", f"entity={for_path(entity)}/{for_path(each)}", [{**query, "event_type": each}])
        for each in types
    ]


def of_sources(client: Client, source: str | None, types: Sequence[str], period: Period) -> list[Part]:
    """Every type of a source or of all sources, or those that are named. Raises Problem if one is unknown."""
    if source is not None and len(types) == 1:
        return [_of_type(source, types[0], period)]
    known = [pair for pair in known_pairs(client) if source in (None, pair[0])]
    if not known:
        require_known(client, source)
    if set(types) - {kind for _, kind in known}:
        require_known(client, source, *types)
    return [_of_type(*pair, period) for pair in known if not types or pair[1] in types]


def _of_type(source: str, event_type: str, period: Period) -> Part:
    window = window_of_period(period)
    queries = [{"source": source, "event_type": event_type, **each} for each in _in_years(period, window)]
    path = f"source={for_path(source)}/{for_path(event_type)}"
    return Part(f"{source} {event_type}", path, queries, window)


def window_of_period(period: Period) -> Window:
    """The window that a day, or a beginning and an end, say."""
    if period["day"] is not None:
        return window_of(Day(period["day"]))
    return Window(Instant(period["start_time"] or ""), Instant(period["end_time"] or ""))


def _in_years(period: Period, window: Window) -> Iterator[Period]:
    """A window in parts that one query may have."""
    years = list(chunks(days_of(window), MAX_DAYS_BY_TYPE))
    if len(years) < 2:
        yield period
        return
    for days in years:
        start, end = max(window.start, start_of(days[0])), min(window.end, end_of(days[-1]))
        yield {"day": None, "start_time": start, "end_time": end}


def _days(instant: str) -> float:
    return date.fromisoformat(instant[:10]).toordinal() + int(instant[11:13]) / 24 + int(instant[14:16]) / 1440
