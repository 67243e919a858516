"""The largest requests fit into the memory of the function that takes them in."""

from __future__ import annotations

import pytest

from infra.merge import FUNCTIONS, load
from tests.bench.large_requests import BODIES, measured_apart

FUNCTION_MB: int = load(FUNCTIONS)["Resources"]["IngestHandler"]["Properties"]["MemorySize"]


@pytest.mark.parametrize("name", BODIES)
def test_the_largest_requests_need_less_than_half_of_the_functions_memory(name: str) -> None:
    found = measured_apart(name)

    assert found["mb"] < FUNCTION_MB / 2
