"""Values that conditions compare, groups are named after and `distinct` tells apart: texts, numbers, booleans, null."""

from __future__ import annotations

from typing import TypeAlias

from chalicelib.core.lossless_json import JsonValue, Number
from chalicelib.metrics.exact_number import Exact, exact_of
from chalicelib.metrics.json_pointer import Absent, Reason

MAX_TEXT_BYTES = 256

Scalar: TypeAlias = str | bool | Exact | None
"""Equal values are equal objects, however a number is written: 1.0 and 1E0 are one."""


def scalar_of(value: JsonValue | Absent) -> Scalar | Reason:
    """The scalar that a JSON value is, or why it is none."""
    match value:
        case str():
            return value if len(value.encode("utf-8", "replace")) <= MAX_TEXT_BYTES else Reason.TOO_LONG
        case bool() | None:
            return value
        case Number():
            return exact_of(value.literal)
        case Absent():
            return Reason.MISSING
        case _:
            return Reason.NOT_A_SCALAR


def text_of(value: JsonValue | Absent) -> str | Reason:
    """A scalar as text; null has none."""
    match scalar_of(value):
        case None:
            return Reason.MISSING
        case bool() as truth:
            return str(truth).lower()
        case Exact() as number:
            return str(number)
        case found:
            return found


def group_text_of(value: JsonValue | Absent) -> str | Reason:
    """The text that names a group. A number whose digits are too many bytes names none."""
    text = text_of(value)
    return Reason.TOO_LONG if isinstance(text, str) and len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES else text


def number_of(value: JsonValue | Absent, *, also_in_text: bool) -> Exact | Reason:
    """The number that a JSON value is, or that its text says."""
    match value:
        case Number():
            return exact_of(value.literal)
        case str() if also_in_text:
            return exact_of(value)
        case Absent() | None:
            return Reason.MISSING
        case _:
            return Reason.NOT_A_NUMBER
