"""Says which replays compute stale days again: few, and no more days than necessary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chalicelib.aggregates.newest_versions import EntityDay
from chalicelib.core.timestamps import day_after, end_of, start_of
from chalicelib.replays.request import MAX_DAYS, MAX_NAMES
from chalicelib.search.stale import StaleDay

Request = dict[str, object]
"""A body for POST /replay."""

Lags = dict[EntityDay, int]
"""Days that late events of a source and type belong to, and how late the latest of each is."""


def replays_for(stale: Sequence[StaleDay]) -> list[Request]:
    """Requests that together send every stale day: its late events find it, and all of the day is sent."""
    if len(stale) == 1:
        entity_id, day = stale[0].entity_day
        return [{"entity_id": entity_id, "start_time": start_of(day), "end_time": end_of(day)}]
    left, by_source = {each.entity_day for each in stale}, _by_source(stale)
    requests = list[Request]()
    while left:
        source = max(by_source, key=lambda name: (len(left & _days_of(by_source[name])), name))
        request, covered = _request(source, by_source[source], left)
        requests.append(request)
        left -= covered
    return requests


def _request(source: str, by_type: Mapping[str, Lags], left: set[EntityDay]) -> tuple[Request, set[EntityDay]]:
    """The request that covers most of the days by events of a source, and which it covers."""
    wanted = _within_one_replay(left & _days_of(by_type))
    types, lags = list[str](), Lags()
    while len(types) < MAX_NAMES and (missing := wanted - lags.keys()):
        event_type = max(by_type, key=lambda name: (len(missing & by_type[name].keys()), name))
        types.append(event_type)
        lags |= {day: by_type[event_type][day] for day in missing & by_type[event_type].keys()}
    days = sorted(day for _, day in lags)
    named: Request = {"event_type": types[0]} if len(types) == 1 else {"event_types": types}
    bounds = {"start_day": days[0], "end_day": days[-1], "whole_days": True}
    return {"source": source, **named, **bounds, "include": {"min_lag_ms": min(lags.values())}}, set(lags)


def _by_source(stale: Sequence[StaleDay]) -> Mapping[str, Mapping[str, Lags]]:
    found = defaultdict[str, dict[str, Lags]](dict)
    for each in stale:
        for event in each.late:
            lags = found[event.source].setdefault(event.event_type, {})
            lags[each.entity_day] = max(event.ingest_lag_ms, lags.get(each.entity_day, 0))
    return found


def _days_of(by_type: Mapping[str, Lags]) -> set[EntityDay]:
    return set().union(*by_type.values())


def _within_one_replay(days: set[EntityDay]) -> set[EntityDay]:
    """As many days from the first on as one replay may have."""
    end = day_after(min(day for _, day in days), MAX_DAYS)
    return {each for each in days if each[1] < end}
