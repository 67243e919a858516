"""Exact numbers: what is written is what is computed with, within bounds that cost nothing to check."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.metrics.exact_number import ONE, ZERO, Exact, exact, exact_of, exact_of_bytes, quotient, read_exact
from chalicelib.metrics.json_pointer import Reason

exacts = st.builds(exact, st.integers(-(10**40), 10**40), st.integers(-60, 60))


def fraction(number: Exact) -> Fraction:
    return Fraction(number.coefficient) / Fraction(10) ** number.scale


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("1.10", "1.1"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("1E+3", "1000"),
        ("12e-1", "1.2"),
        ("-5e-3", "-0.005"),
        ("10141204801825835211973625643008", "10141204801825835211973625643008"),
        ("1e400", "1" + "0" * 400),
        ("1e-400", "0." + "0" * 399 + "1"),
        ("9" * 128, "9" * 128),
    ],
)
def test_a_literal_is_the_number_that_it_says_in_plain_digits(literal: str, text: str) -> None:
    found = exact_of(literal)

    assert str(found) == text
    assert isinstance(found, Exact)
    assert read_exact(text) == found


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("1e401", Reason.EXPONENT_TOO_LARGE),
        ("1e-401", Reason.EXPONENT_TOO_LARGE),
        ("1e999999999", Reason.EXPONENT_TOO_LARGE),
        ("0e" + "9" * 250, Reason.EXPONENT_TOO_LARGE),
        ("1" * 129, Reason.TOO_MANY_DIGITS),
        ("0." + "1" * 128, Reason.TOO_MANY_DIGITS),
        ("1" * 10_000_000, Reason.TOO_MANY_DIGITS),
        ("1e" + "9" * 10_000_000, Reason.TOO_MANY_DIGITS),
        *(
            (text, Reason.NOT_A_NUMBER)
            for text in ("", "1,5", "1.", ".5", "0x10", "NaN", "1_000", " 1", "\u0661", "1e")
        ),
    ],
)
def test_what_is_out_of_bounds_is_named_and_not_computed(literal: str, reason: Reason) -> None:
    assert exact_of(literal) is reason


@given(exacts, exacts)
def test_sum_and_order_are_those_of_fractions(left: Exact, right: Exact) -> None:
    assert fraction(left + right) == fraction(left) + fraction(right)
    assert (left < right) == (fraction(left) < fraction(right))
    assert (left == right) == (fraction(left) == fraction(right))


@given(exacts)
def test_a_number_is_read_as_it_was_written(number: Exact) -> None:
    assert read_exact(str(number)) == number
    assert exact_of_bytes(number.to_bytes()) == number
    assert Fraction(str(number)) == fraction(number)


@given(exacts, st.integers(1, 10**12), st.integers(1, 40))
def test_a_quotient_is_rounded_as_decimal_rounds_it(number: Exact, divisor: int, digits: int) -> None:
    context = Context(prec=digits, rounding=ROUND_HALF_EVEN, Emin=-10_000, Emax=10_000)
    expected = context.divide(Decimal(number.coefficient).scaleb(-number.scale, Context(prec=200)), Decimal(divisor))

    assert fraction(quotient(number, divisor, digits)) == Fraction(expected)


@pytest.mark.parametrize(("number", "divisor", "text"), [(ONE, 3, "0.33"), (exact(5, 0), 2, "2.5"), (ZERO, 7, "0")])
def test_a_quotient_has_no_more_digits_than_it_needs(number: Exact, divisor: int, text: str) -> None:
    assert str(quotient(number, divisor, 2)) == text
