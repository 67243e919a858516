"""The members of a definition, each with its limits. The JSON Schema of definitions is made of these models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)

from chalicelib.core.calendars import UTC, time_zones
from chalicelib.core.fields import EventType, Source
from chalicelib.core.lossless_json import JsonValue, Number
from chalicelib.metrics.exact_number import MAX_DIGITS, MAX_EXPONENT, ZERO, exact, exact_of
from chalicelib.metrics.json_pointer import ABSENT, MAX_BYTES, Pointer, Reason, found_at, parse_pointer
from chalicelib.metrics.scalars import MAX_TEXT_BYTES, Scalar, scalar_of

NAME = r"^[a-z][a-z0-9_]{0,63}$"
MAX_NAMED = 20
"""Event types and conditions of a definition."""
MAX_VALUES = 100
"""Values of a condition."""
MAX_GROUP_POINTERS = 3

_HUNDRED = exact(100, 0)
_WRONG = {
    Reason.TOO_LONG: f"is longer than {MAX_TEXT_BYTES} bytes",
    Reason.TOO_MANY_DIGITS: f"has more than {MAX_DIGITS} digits",
    Reason.EXPONENT_TOO_LARGE: f"has an exponent beyond {MAX_EXPONENT}",
    Reason.NOT_A_SCALAR: "must be a string, a number, true, false or null",
    Reason.NOT_A_NUMBER: "must be a decimal number",
}


def _a_pointer(text: str) -> str:
    return parse_pointer(text).text


def _a_scalar(value: JsonValue) -> JsonValue:
    match scalar_of(value):
        case Reason() as reason:
            raise ValueError(_WRONG[reason])
    return value


def _a_percentile(value: JsonValue) -> str:
    literal = value.literal if isinstance(value, Number) else value
    found = exact_of(literal) if isinstance(literal, str) else Reason.NOT_A_NUMBER
    if isinstance(found, Reason) or not found > ZERO or found > _HUNDRED:
        raise ValueError('must be a number above 0 and at most 100, such as "99.9"')
    return str(found)


def _a_time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("is not a time zone of the IANA database, such as Europe/Paris")
    return name


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must not be empty")
    if len({value if isinstance(value, str) else scalar_of(value) for value in values}) < len(values):
        raise ValueError("names a value twice")
    return values


_LENIENT = Strict(strict=False)  # JSON has arrays only; strictness holds for what is in them
_ONCE = AfterValidator(_once)

PointerText = Annotated[
    str,
    AfterValidator(_a_pointer),
    WithJsonSchema({"type": "string", "pattern": r"^(/([^~/]|~[01])*)*$", "maxLength": MAX_BYTES}),
]
ScalarValue = Annotated[
    Any,
    BeforeValidator(_a_scalar),
    WithJsonSchema({"not": {"anyOf": [{"type": "object"}, {"type": "array"}]}, "maxLength": MAX_TEXT_BYTES}),
]


class ConditionMembers(BaseModel):
    """What the payload of an event must have at a path: one of `equals`, `in` and `exists`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    path: PointerText
    equals: ScalarValue = None
    in_: Annotated[tuple[ScalarValue, ...], Field(max_length=MAX_VALUES), _ONCE, _LENIENT] | None = Field(
        None, alias="in"
    )
    exists: bool | None = None

    @model_validator(mode="after")
    def _has_one_test(self) -> ConditionMembers:
        if len(self.model_fields_set - {"path"}) != 1:
            raise ValueError("needs one of equals, in and exists")
        return self


class DefinitionMembers(BaseModel):
    """A metric: which events it is computed from, and what of them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    name: Annotated[str, Field(pattern=NAME)]
    aggregate: Literal["count", "sum", "min", "max", "avg", "distinct", "percentile"]
    source: Source | None = None
    event_types: Annotated[tuple[EventType, ...], Field(max_length=MAX_NAMED), _ONCE, _LENIENT] | None = None
    where: Annotated[tuple[ConditionMembers, ...], Field(max_length=MAX_NAMED), _LENIENT] = ()
    value: PointerText | None = None
    parse: Literal["decimal"] | None = None
    percentile: (
        Annotated[
            str,
            BeforeValidator(_a_percentile),
            WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0, "maximum": 100}]}),
        ]
        | None
    ) = None
    group_by: Annotated[tuple[PointerText, ...], Field(max_length=MAX_GROUP_POINTERS), _LENIENT] = ()
    time_zone: Annotated[str, AfterValidator(_a_time_zone)] = UTC
    on_missing: Literal["skip", "fail"] = "skip"


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
