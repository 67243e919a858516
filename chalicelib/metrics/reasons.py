"""Why an event has nothing to contribute to a metric that it belongs to."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """What is wrong with the value that a pointer leads to. It is no text, which an event could contain."""

    MISSING = "missing"
    """It is absent or null."""
    NOT_A_NUMBER = "not_a_number"
    TOO_MANY_DIGITS = "too_many_digits"
    EXPONENT_TOO_LARGE = "exponent_too_large"
    NOT_A_SCALAR = "not_a_scalar"
    """It is an object or an array."""
    TOO_LONG = "too_long"
    """It is a text of too many bytes."""
