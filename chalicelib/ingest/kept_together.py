"""Which objects keep the refused events of a request: few events each have their own, many share some."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil

from chalicelib.core.batching import chunked
from chalicelib.core.errors import Fault, first_faults
from chalicelib.events.event import Form
from chalicelib.ingest.rejection import Rejection
from chalicelib.ingest.request import BATCH, NDJSON

MOST_OBJECTS = 20
"""Of one request and status: two kilobytes of broken lines would otherwise make a thousand objects, kept for ever."""


def objects_of(refused: Iterable[Rejection]) -> dict[str, Rejection]:
    """What keeps each refused event of a request, by the id that the event has alone.

    It depends on the refused events and their order and on nothing else, so the same request finds the same objects.
    """
    kinds: dict[tuple[str, str | None], list[Rejection]] = defaultdict(list)
    for event in {event.rejected_id: event for event in refused}.values():
        kinds[event.status, event.content_type].append(event)
    parts = [part for events in kinds.values() for part in chunked(events, ceil(len(events) / MOST_OBJECTS))]
    return {event.rejected_id: kept for part in parts for kept in [_together(part)] for event in part}


def _as_lines(bodies: Iterable[bytes]) -> bytes:
    return b"\n".join(bodies)


def _as_array(bodies: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"


_SEVERAL: Mapping[str | None, tuple[str, Callable[[Iterable[bytes]], bytes]]] = {
    NDJSON: (NDJSON, _as_lines),
    Form.NATIVE: (Form.NATIVE, _as_array),
    Form.CLOUDEVENT: (BATCH, _as_array),
}
"""How several events of a content type are sent in one request. Of any other a request has only one."""


def _together(events: Sequence[Rejection]) -> Rejection:
    if len(events) == 1:
        return events[0]
    content_type, joined = _SEVERAL[events[0].content_type]
    faults = tuple(_counted(events))
    conflicts = tuple(conflict for event in events for conflict in event.conflicts)
    body = joined(event.body for event in events)
    return replace(events[0], body=body, faults=faults, content_type=content_type, conflicts=conflicts)


def _counted(events: Sequence[Rejection]) -> Iterable[Fault]:
    """Each reason once: all of them in the order of the events were told to the producer, and a retry tells them."""
    counts = Counter(fault for event in events for fault in event.faults)
    return first_faults(
        Fault(fault.field, f"{fault.message} ({count} of {len(events)} events)") for fault, count in counts.items()
    )
