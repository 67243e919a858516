"""What each aggregate takes of an event and makes of many. One more aggregate is a `Kind` in KINDS.

What is folded of events is a commutative monoid, so that they may come in any order and batches. None is that of no
event, and that of every aggregate that needs all contributions at once, unless its value was computed from them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import add
from typing import Any, TypeAlias

from chalicelib.metrics.exact_number import Exact, quotient, read_exact

AVERAGE_DIGITS = 34
"""Significant digits of an average, as many as IEEE 754's decimal128 has."""

Amount: TypeAlias = Exact | str
"""What an event contributes: a number, or of `distinct` a text."""


@dataclass(frozen=True, slots=True)
class Extreme:
    """A smallest or largest number and the event that has it, of several the first by id."""

    number: Exact
    event_id: str


Folded: TypeAlias = Exact | Extreme | str | None
"""A text is the value of all contributions, where they cannot be folded. Rows of versions never have one."""


class Takes(Enum):
    """What a definition's `value` leads to."""

    NOTHING = "nothing"
    NUMBERS = "numbers"
    SCALARS = "scalars"


@dataclass(frozen=True, slots=True)
class Kind:
    """One aggregate."""

    takes: Takes
    of_one: Callable[[Any, str], Folded]
    """What is folded of an amount and its event's id."""
    of_two: Callable[[Any, Any], Folded]
    answer: Callable[[Any, int], dict[str, Any]]
    """The value as text, and what else answers and rows say, of what is folded and the number of inputs."""
    read: Callable[[Mapping[str, Any]], Folded]
    """What `answer` was made from."""
    grows: bool = False
    """Whether amounts are added up, so that what is folded has the digits of all of them."""
    of_all: Callable[[Collection[Any], Exact], str] | None = None
    """The value of all amounts, at least one, if it cannot be folded; of a percentile, at this one."""
    adds_up: bool = False
    """Whether the value is the sum of what events contribute."""

    def merge(self, left: Folded, right: Folded) -> Folded:
        """What is folded of both."""
        if left is None or right is None:
            return right if left is None else left
        return self.of_two(left, right)


def _amount(amount: Exact, _event_id: str) -> Exact:
    return amount


def _nothing(*_: object) -> None:
    return None


def _number(folded: Exact | None, _inputs: int) -> dict[str, Any]:
    return {"value": None if folded is None else str(folded)}


def _count(folded: Exact | None, _inputs: int) -> dict[str, Any]:
    return {"value": "0" if folded is None else str(folded)}


def _average(folded: Exact | None, inputs: int) -> dict[str, Any]:
    if folded is None:
        return {"value": None, "sum": None}
    return {"value": str(quotient(folded, inputs, AVERAGE_DIGITS)), "sum": str(folded)}


def _of_event(folded: Extreme | None, _inputs: int) -> dict[str, Any]:
    if folded is None:
        return {"value": None, "event_id": None}
    return {"value": str(folded.number), "event_id": folded.event_id}


def _computed(value: str | None, _inputs: int) -> dict[str, Any]:
    return {"value": value}


def _read(member: str) -> Callable[[Mapping[str, Any]], Exact | None]:
    return lambda said: None if said[member] is None else read_exact(said[member])


def _read_count(said: Mapping[str, Any]) -> Exact | None:
    return read_exact(said["value"]) if said["inputs"] else None


def _read_extreme(said: Mapping[str, Any]) -> Extreme | None:
    return None if said["value"] is None else Extreme(read_exact(said["value"]), said["event_id"])


def _smaller(left: Extreme, right: Extreme) -> Extreme:
    if left.number == right.number:
        return min(left, right, key=lambda each: each.event_id)
    return left if left.number < right.number else right


def _larger(left: Extreme, right: Extreme) -> Extreme:
    if left.number == right.number:
        return min(left, right, key=lambda each: each.event_id)
    return right if left.number < right.number else left


def _distinct(amounts: Iterable[str], _percentile: Exact) -> str:
    return str(len(set(amounts)))


def _nearest_rank(amounts: Collection[Exact], percentile: Exact) -> str:
    """The smallest amount that at least this share of all is not above: no number between two is made up."""
    finest = max(amount.scale for amount in amounts)
    ordered = sorted(amounts, key=lambda amount: amount.coefficient * 10 ** (finest - amount.scale))
    share = percentile.coefficient * len(ordered) * 10 ** max(-percentile.scale, 0)
    rank = -(-share // (100 * 10 ** max(percentile.scale, 0)))
    return str(ordered[rank - 1])


KINDS: Mapping[str, Kind] = {
    "count": Kind(Takes.NOTHING, _amount, add, _count, _read_count, adds_up=True),
    "sum": Kind(Takes.NUMBERS, _amount, add, _number, _read("value"), grows=True, adds_up=True),
    "min": Kind(Takes.NUMBERS, Extreme, _smaller, _of_event, _read_extreme),
    "max": Kind(Takes.NUMBERS, Extreme, _larger, _of_event, _read_extreme),
    "avg": Kind(Takes.NUMBERS, _amount, add, _average, _read("sum"), grows=True),
    "distinct": Kind(Takes.SCALARS, _nothing, _nothing, _computed, _nothing, of_all=_distinct),
    "percentile": Kind(Takes.NUMBERS, _nothing, _nothing, _computed, _nothing, of_all=_nearest_rank),
}
