"""A condition of a definition: what the payload of an event must have at a path."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.core.lossless_json import JsonValue
from chalicelib.metrics.json_pointer import ABSENT, Pointer, Reason, found_at, parse_pointer
from chalicelib.metrics.members import ConditionMembers
from chalicelib.metrics.scalars import Scalar, scalar_of


@dataclass(frozen=True, slots=True)
class Condition:
    """Either `values`, one of which must be there, or whether anything is there."""

    path: Pointer
    values: frozenset[Scalar] | None
    exists: bool = True

    def is_met_by(self, payload: JsonValue) -> bool:
        """Whether an event with this payload meets it. A value that is no scalar equals none."""
        found = found_at(self.path, payload)
        if self.values is None:
            return (found is not ABSENT) == self.exists
        return scalar_of(found) in self.values


def condition_of(members: ConditionMembers) -> Condition:
    """The condition that checked members describe."""
    path = parse_pointer(members.path)
    if members.exists is not None:
        return Condition(path, None, members.exists)
    given = (members.equals,) if members.in_ is None else members.in_
    return Condition(path, frozenset(found for found in map(scalar_of, given) if not isinstance(found, Reason)))
