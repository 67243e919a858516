"""Exact decimal numbers: an integer and a scale. No float is involved anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.metrics.json_pointer import Reason

MAX_DIGITS = 128
MAX_EXPONENT = 400
MAX_LITERAL = 300
"""Characters. A longer literal has more digits, or an exponent padded with zeros."""

_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)0*([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Exact:
    """`coefficient` divided by ten to the power of `scale`. Equal numbers are equal objects."""

    coefficient: int
    scale: int = 0

    def __add__(self, other: Exact) -> Exact:
        """The sum, exact."""
        left, right, scale = _aligned(self, other)
        return exact(left + right, scale)

    def __sub__(self, other: Exact) -> Exact:
        """The difference, exact."""
        return self + Exact(-other.coefficient, other.scale)

    def __lt__(self, other: Exact) -> bool:
        """Whether it is less, exactly."""
        left, right, _ = _aligned(self, other)
        return left < right

    @property
    def is_wide(self) -> bool:
        """Whether it has more digits on a side of its point than numbers are written with."""
        return max(self.scale, len(str(abs(self.coefficient))) - self.scale) > MAX_DIGITS

    def to_bytes(self) -> bytes:
        """As rows have it, in two fifths of the bytes of its digits: two of its scale, then its coefficient."""
        size = self.coefficient.bit_length() // 8 + 1
        return self.scale.to_bytes(2, signed=True) + self.coefficient.to_bytes(size, signed=True)

    def __str__(self) -> str:
        """Plain decimal digits, without an exponent and without zeros that mean nothing."""
        digits = str(abs(self.coefficient)) + "0" * -self.scale
        whole, fraction = digits, ""
        if self.scale > 0:
            padded = digits.rjust(self.scale + 1, "0")
            whole, fraction = padded[: -self.scale], "." + padded[-self.scale :]
        return ("-" if self.coefficient < 0 else "") + whole + fraction


ZERO = Exact(0)
ONE = Exact(1)


def exact(coefficient: int, scale: int) -> Exact:
    """The number in its one form: the coefficient ends in no zero, and zero has no scale."""
    if not coefficient:
        return ZERO
    digits = str(coefficient)
    zeros = len(digits) - len(digits.rstrip("0"))
    return Exact(coefficient // 10**zeros, scale - zeros)


def exact_of(literal: str) -> Exact | Reason:
    """The number of a decimal literal, or the reason why it is not used. Its cost does not grow with its exponent."""
    if len(literal) > MAX_LITERAL:
        return Reason.TOO_MANY_DIGITS
    found = _DECIMAL.fullmatch(literal)
    if found is None:
        return Reason.NOT_A_NUMBER
    sign, whole, fraction, exponent_sign, exponent = found.groups("")
    if len(whole) + len(fraction) > MAX_DIGITS:
        return Reason.TOO_MANY_DIGITS
    if len(exponent) > len(str(MAX_EXPONENT)) or int(exponent or "0") > MAX_EXPONENT:
        return Reason.EXPONENT_TOO_LARGE
    return exact(int(sign + whole + fraction), len(fraction) - int((exponent_sign + exponent) or "0"))


def read_exact(text: str) -> Exact:
    """The number that `str` wrote, which may have more digits than a literal."""
    whole, _, fraction = text.partition(".")
    return exact(int(whole + fraction), len(fraction))


def exact_of_bytes(stored: bytes) -> Exact:
    """The number that `to_bytes` wrote."""
    return Exact(int.from_bytes(stored[2:], signed=True), int.from_bytes(stored[:2], signed=True))


def quotient(number: Exact, divisor: int, digits: int) -> Exact:
    """A number divided by a positive integer, rounded half to even to this many significant digits."""
    magnitude = abs(number.coefficient)
    shift = max(digits + len(str(divisor)) - len(str(magnitude)) + 1, 0)
    whole, rest = divmod(magnitude * 10**shift, divisor)
    excess = len(str(whole)) - digits
    if excess > 0:
        whole, dropped = divmod(whole, 10**excess)
        twice, unit = 2 * (dropped * divisor + rest), divisor * 10**excess
        whole += twice > unit or (twice == unit and whole % 2 == 1)
        shift -= excess
    return exact(whole if number.coefficient > 0 else -whole, number.scale + shift)


def _aligned(one: Exact, other: Exact) -> tuple[int, int, int]:
    """Both coefficients at the scale of the finer one, and that scale."""
    scale = max(one.scale, other.scale)
    return (
        one.coefficient * 10 ** (scale - one.scale),
        other.coefficient * 10 ** (scale - other.scale),
        scale,
    )
