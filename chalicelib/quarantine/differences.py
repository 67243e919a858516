"""Compares a refused event with the first one of its identity, member by member."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import shown_name
from chalicelib.core.lossless_json import JsonValue, parse
from chalicelib.events.cloudevent_attributes import TRANSPORT

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that differs: its path and both values as JSON, cut if long; None where the member is not there."""

    path: str
    first: str | None
    refused: str | None


def differences(first: str, refused: str) -> Iterator[Difference]:
    """What differs between the texts of two valid events, in the order of their paths."""
    yield from _differences(_content(parse(first).value), _content(parse(refused).value), "")


def _content(event: JsonValue) -> JsonValue:
    """The event without attributes that two copies of it may differ in."""
    return {name: value for name, value in event.items() if name not in TRANSPORT} if isinstance(event, dict) else event


def _differences(first: JsonValue, refused: JsonValue, path: str) -> Iterator[Difference]:
    one, other = _parts(first), _parts(refused)
    if type(first) is not type(refused) or one is None or other is None:
        if canonical(first) != canonical(refused):
            yield Difference(path, _shown(first), _shown(refused))
        return
    for name in sorted(one.keys() | other.keys(), key=_in_order):
        within = f"{path}{name}".removeprefix(".")
        if name in one and name in other:
            yield from _differences(one[name], other[name], within)
        else:
            found = _shown(one[name] if name in one else other[name])
            yield Difference(within, *((found, None) if name in one else (None, found)))


def _parts(value: JsonValue) -> dict[str, JsonValue] | None:
    """The members of an object or the elements of an array, by what leads to them; None of anything else."""
    match value:
        case dict():
            return {f".{shown_name(name)}": member for name, member in value.items()}
        case list():
            return {f"[{number}]": element for number, element in enumerate(value)}
    return None


def _in_order(name: str) -> tuple[int, str]:
    return (len(name) if name.startswith("[") else 0, name)


def _shown(value: JsonValue) -> str:
    text = canonical(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
