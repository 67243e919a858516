"""Reads from an event's own text what metrics need."""

from __future__ import annotations

from chalicelib.core.lossless_json import JsonValue
from chalicelib.events.cloudevents import json_data_of
from chalicelib.metrics.contribution import Measured
from chalicelib.metrics.json_pointer import ABSENT, Absent


def measured(event_id: str, event_type: str, members: JsonValue) -> Measured:
    """What metrics look at of an event that was checked before, given what its text was parsed to."""
    if not isinstance(members, dict):
        raise TypeError("an event is a JSON object")
    return Measured(event_id, str(members.get("source")), event_type, _payload(members))


def _payload(members: dict[str, JsonValue]) -> JsonValue | Absent:
    """The `payload` of a native event, or the data of a CloudEvent, ABSENT if they are not JSON."""
    if "specversion" not in members:
        return members.get("payload", ABSENT)
    return next(iter(json_data_of(members)), ABSENT)
