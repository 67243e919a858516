"""The aggregate of a set of inputs, computed in one go from its definition and from nothing of Retrace's."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate
from chalicelib.aggregates.inputs import Input
from chalicelib.core.timestamps import Instant
from tests.unit.examples import hashes

# The multiplicative group that MuHash works in: 3072 bits, as in Bitcoin Core.
PRIME = 2**3072 - 1103717


def inputs_hash(inputs: Iterable[Input]) -> str:
    """SHA-256 of the product of SHAKE256 expansions."""
    product = 1
    for single in inputs:
        seed = f"retrace:inputs-hash\n{single.event_id}\n{single.content_sha256}\n".encode()
        product = product * int.from_bytes(hashlib.shake_256(seed).digest(384), "little") % PRIME
    return hashlib.sha256(product.to_bytes(384, "little")).hexdigest()


def computed(inputs: Iterable[Input]) -> dict[str, Any]:
    """What an aggregate must say of distinct inputs."""
    distinct = sorted(set(inputs), key=lambda single: (single.event_time, single.event_id))
    return {
        "event_count": len(distinct),
        "inputs_hash": inputs_hash(distinct),
        "sample_event_ids": [single.event_id for single in distinct[:10]],
        **counts_by_type(single.event_type for single in distinct),
    }


def counts_by_type(types: Iterable[str]) -> dict[str, Any]:
    """How many inputs there are of each of the first hundred types, and of all others together."""
    counts = sorted(Counter(types).items())
    return {"counts_by_type": dict(counts[:100]), "other_types_count": sum(count for _, count in counts[100:])}


def said_by(aggregate: Aggregate) -> dict[str, Any]:
    """What an aggregate does say."""
    return {
        "event_count": aggregate.event_count,
        "inputs_hash": aggregate.inputs_hash,
        "sample_event_ids": aggregate.sample_event_ids,
        "counts_by_type": dict(aggregate.counts_by_type),
        "other_types_count": aggregate.other_types_count,
    }


# Few times, so that ids often have to decide; distinct ids, as an event is in an aggregate once.
inputs_sets = st.lists(
    st.builds(
        Input,
        st.sampled_from([Instant(f"2026-11-21T10:00:00.00000000{digit}Z") for digit in range(4)]),
        hashes,
        st.sampled_from(["order.paid", "order.void", "cart.filled"]),
        hashes,
    ),
    max_size=25,
    unique_by=lambda single: single.event_id,
)
