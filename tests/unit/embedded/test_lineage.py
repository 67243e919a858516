"""Two implementations of the inputs hash, written apart, agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates import multiset_hash
from embedded.lineage import Input, inputs_hash

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
INPUTS = st.builds(Input, st.just("2026-11-21T00:00:00.000000000Z"), HASHES, st.just("order.paid"), HASHES)


@given(st.sets(INPUTS, max_size=5))
def test_the_hash_computed_by_the_contract_is_the_one_the_application_computes(inputs: set[Input]) -> None:
    elements = [multiset_hash.element(single.event_id, single.content_sha256) for single in inputs]

    assert inputs_hash(inputs) == multiset_hash.digest(multiset_hash.combine(elements))
