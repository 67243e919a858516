"""What definitions come to over raw events, computed in one go with fractions and from nothing of Retrace's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Any

REST = "all others"

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Literal(str):
    """A JSON number as it is written."""

    __slots__ = ()


def number(given: Any) -> Fraction | None:
    """The number that a literal says, if it has at most 128 digits and an exponent of at most 400."""
    if not isinstance(given, Literal) or not _NUMBER.fullmatch(given):
        return None
    digits, _, exponent = given.lower().partition("e")
    if sum(map(str.isdigit, digits)) > 128 or abs(int(exponent or "0")) > 400:
        return None
    return Fraction(digits) * Fraction(10) ** int(exponent or "0")


def computed(
    aggregate: str, events: Iterable[tuple[str, str]], percentile: Fraction = Fraction(0), *, grouped: bool = True
) -> dict[str | None, Any]:
    """By group (its `/group`, or a single empty one; None if skipped): the value of `/value`, and how many there are.

    A fraction, or of min and max with the first id that has it; of skipped ones, how many. The group of numbers to add
    that have more than 128 digits on a side of the point is REST.
    """
    found: dict[str | None, list[tuple[Fraction, str]]] = {None: []}
    for event_id, payload in events:
        members = json.loads(payload, parse_int=Literal, parse_float=Literal)
        value, group = number(members.get("value")), members.get("group") if grouped else ""
        sound = (aggregate == "count" or value is not None) and isinstance(group, str)
        if (
            grouped
            and aggregate in ("sum", "avg")
            and value
            and not (abs(value) < 10**128 and (value * 10**128).denominator == 1)
        ):
            group = REST if isinstance(group, str) else None
        found.setdefault(group if sound else None, []).append((value or Fraction(0), event_id))
    skipped = len(found.pop(None))
    return {group: (_folded(aggregate, values, percentile), len(values)) for group, values in found.items()} | {
        None: skipped
    }


def _is_wide(value: Fraction) -> bool:
    return not (abs(value) < 10**128 and (value * 10**128).denominator == 1)


def _folded(aggregate: str, found: list[tuple[Fraction, str]], percentile: Fraction) -> Any:
    values = sorted(value for value, _ in found)
    extreme = {"min": values[0], "max": values[-1]}.get(aggregate)
    match aggregate:
        case "count":
            return len(values)
        case "sum" | "avg":
            return sum(values, Fraction(0)) / (len(values) if aggregate == "avg" else 1)
        case "min" | "max":
            return extreme, min(event_id for value, event_id in found if value == extreme)
        case "distinct":
            return len(set(values))
        case _:
            return values[ceil(percentile * len(values) / 100) - 1]
