"""Computes what an event contributes to metrics, from its own text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.core.errors import PermanentError
from chalicelib.core.lossless_json import JsonValue
from chalicelib.events.cloudevents import json_data_of
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ONE, Exact
from chalicelib.metrics.json_pointer import ABSENT, Absent, Reason, found_at
from chalicelib.metrics.metric_kinds import Amount, Takes
from chalicelib.metrics.scalars import MAX_TEXT_BYTES, group_text_of, number_of, text_of

Group: TypeAlias = tuple[str, ...]
"""The texts that a definition groups by; empty if it groups by none."""


class NothingToContribute(PermanentError):
    """An event lacks what a definition with `"on_missing": "fail"` needs."""

    def __init__(self, message: str, skipped: Skipped) -> None:
        super().__init__(message)
        self.skipped = skipped


@dataclass(frozen=True, slots=True)
class Measured:
    """What metrics look at of an event. `payload` is ABSENT of a CloudEvent without JSON data."""

    event_id: str
    source: str
    event_type: str
    payload: JsonValue | Absent


@dataclass(frozen=True, slots=True)
class Contribution:
    """What an event adds to a group."""

    group: Group
    amount: Amount


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why an event that a definition selects has nothing to contribute, and where."""

    reason: Reason
    path: str

    def __str__(self) -> str:
        """The reason in words."""
        return f"{self.path or 'the payload'} {_WORDS[self.reason]}"


_WORDS = {
    Reason.MISSING: "is missing",
    Reason.NOT_A_NUMBER: "is not a number",
    Reason.TOO_MANY_DIGITS: "has too many digits",
    Reason.EXPONENT_TOO_LARGE: "has too large an exponent",
    Reason.NOT_A_SCALAR: "is an object or an array",
    Reason.TOO_LONG: f"is longer than {MAX_TEXT_BYTES} bytes",
}

Contributed: TypeAlias = Contribution | Skipped

EVERY_EVENT = Contribution((), ONE)
"""What each event contributes to a definition that counts them all."""


def contributions(definitions: Iterable[Definition], event: Measured) -> dict[str, Contributed]:
    """What an event contributes, by the hashes of the definitions that select it; raises NothingToContribute."""
    selecting = (definition for definition in definitions if _selects(definition, event))
    return {definition.sha256: _contributed(definition, event) for definition in selecting}


def _selects(definition: Definition, event: Measured) -> bool:
    if definition.source not in (None, event.source):
        return False
    if definition.event_types is not None and event.event_type not in definition.event_types:
        return False
    return all(condition.is_met_by(event.payload) for condition in definition.where)


def _contributed(definition: Definition, event: Measured) -> Contributed:
    found = _found(definition, event.payload)
    if isinstance(found, Skipped) and definition.fails_on_missing:
        raise NothingToContribute(
            f"The metric {definition.name} needs a value of the event {event.event_id} that it lacks: {found}."
            ' Send the event with it, or define the metric with "on_missing": "skip".',
            found,
        )
    return found


def _found(definition: Definition, payload: JsonValue | Absent) -> Contributed:
    group = []
    for pointer in definition.group_by:
        text = group_text_of(found_at(pointer, payload))
        if isinstance(text, Reason):
            return Skipped(text, pointer.text)
        group.append(text)
    amount = _amount(definition, payload)
    if isinstance(amount, Skipped):
        return amount
    # The sum of such numbers has a thousand digits: one fits into a version's row, and a hundred groups of them do not.
    is_wide = definition.kind.grows and isinstance(amount, Exact) and amount.is_wide
    return Contribution(() if is_wide else tuple(group), amount)


def _amount(definition: Definition, payload: JsonValue | Absent) -> Amount | Skipped:
    pointer, takes = definition.value, definition.kind.takes
    if pointer is None or takes is Takes.NOTHING:
        return ONE
    value = found_at(pointer, payload)
    numbers = takes is Takes.NUMBERS
    amount = number_of(value, also_in_text=definition.reads_numbers_in_text) if numbers else text_of(value)
    return Skipped(amount, pointer.text) if isinstance(amount, Reason) else amount


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
