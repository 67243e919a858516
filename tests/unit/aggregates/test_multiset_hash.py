"""The inputs hash: a product in a prime field that depends on the set alone, and on all of it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given

from chalicelib.aggregates import multiset_hash
from chalicelib.aggregates.inputs import Input
from tests.unit import one_shot
from tests.unit.json_trees import randoms


def state_of(inputs: list[Input]) -> int:
    return multiset_hash.combine(multiset_hash.element(single.event_id, single.content_sha256) for single in inputs)


def test_the_field_is_a_prime_one() -> None:
    """By Miller and Rabin: no composite number passes these bases but with a chance below any that matters."""
    odd, twos = multiset_hash.PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1

    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        powers = [pow(base, odd * 2**exponent, multiset_hash.PRIME) for exponent in range(twos)]
        assert powers[0] == 1 or multiset_hash.PRIME - 1 in powers
    assert multiset_hash.PRIME.bit_length() == 3072


@given(one_shot.inputs_sets)
def test_the_digest_is_what_anybody_computes_from_the_inputs(inputs: list[Input]) -> None:
    assert multiset_hash.digest(state_of(inputs)) == one_shot.inputs_hash(inputs)


@given(one_shot.inputs_sets, randoms)
def test_the_order_does_not_matter(inputs: list[Input], rng: Random) -> None:
    assert state_of(rng.sample(inputs, len(inputs))) == state_of(inputs)


@given(one_shot.inputs_sets, one_shot.inputs_sets)
def test_any_other_set_has_another_digest(one: list[Input], other: list[Input]) -> None:
    def identities(inputs: list[Input]) -> set[tuple[str, str]]:
        return {(single.event_id, single.content_sha256) for single in inputs}

    digests = {multiset_hash.digest(state_of(one)), multiset_hash.digest(state_of(other))}

    assert (len(digests) == 1) == (identities(one) == identities(other))


def test_an_input_counted_twice_shows() -> None:
    once = multiset_hash.element("a" * 64, "b" * 64)

    assert multiset_hash.digest(multiset_hash.combine([once, once])) != multiset_hash.digest(once)


@pytest.mark.parametrize("state", [multiset_hash.PRIME - 1, multiset_hash.PRIME - 2, 2**3071, 1])
def test_the_state_is_the_product_in_the_field_however_many_there_are(state: int) -> None:
    assert multiset_hash.combine([state] * 300) == pow(state, 300, multiset_hash.PRIME)


def test_id_and_content_are_not_interchangeable() -> None:
    assert multiset_hash.element("a" * 64, "b" * 64) != multiset_hash.element("b" * 64, "a" * 64)


@given(one_shot.inputs_sets)
def test_a_state_survives_being_stored(inputs: list[Input]) -> None:
    state = state_of(inputs)

    assert multiset_hash.from_bytes(multiset_hash.to_bytes(state)) == state
    assert len(multiset_hash.to_bytes(state)) == 384


def test_of_nothing_there_is_a_digest_too() -> None:
    assert multiset_hash.digest(multiset_hash.EMPTY) == one_shot.inputs_hash([])
