"""Every read of a selection is made through the concurrency it is handed, so that a preview can bound them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.pagination import PageOf
from chalicelib.events.arrivals import Arrival
from chalicelib.events.index_pages import Page
from chalicelib.replays import selection
from chalicelib.replays.job import beginning_of
from chalicelib.replays.preview import DaysInMemory
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.selection import ReadSelection
from tests.unit.in_memory import Rows, origins_of
from tests.unit.json_trees import randoms
from tests.unit.replays.test_planner import BY_ENTITY, BY_TYPE, IN_WINDOW, World


@dataclass
class Watched(Rows):
    """Rows that count the reads that are made past it."""

    alone: int = 0
    at_once: bool = field(default=False, compare=False)

    def page(self, *args: Any, **how: Any) -> Page:
        self.alone += not self.at_once
        return super().page(*args, **how)

    def duplicates(self, event_id: str, after: str | None, limit: int) -> PageOf[Arrival]:
        self.alone += not self.at_once
        return super().duplicates(event_id, after, limit)

    def concurrently(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> list[Any]:
        """Calls at once."""
        self.at_once = True
        answers = [function(item) for item in items]
        self.at_once = False
        return answers


@given(
    st.sampled_from([BY_ENTITY, BY_TYPE, IN_WINDOW]),
    st.fixed_dictionaries({}, optional={"whole_days": st.booleans(), "include_duplicates": st.booleans()}),
    st.integers(0, 20),
    randoms,
)
def test_no_read_is_made_past_the_concurrency_that_is_handed_in(
    request: dict[str, str], how: dict[str, bool], count: int, rng: Random
) -> None:
    index = Watched(page_size=lambda: rng.randint(1, 5))
    world = World(index=index)
    for number in range(count):
        [event] = world.index_events(
            f"2026-11-2{rng.randint(1, 2)}T00:{number:02}:00Z", entity_id=rng.choice(["order-1007", "order-2"])
        )
        world.arrive_again(event, rng.randint(0, 7))
    asked, days = ReplayRequest.model_validate(request | how), DaysInMemory()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selection, "EVENTS_A_LOOK_UP", 3)
        patched.setattr(selection, "DAYS_A_READ", 2)
        for row in ReadSelection(asked, origins_of(index), days, 2, index.concurrently).rows(beginning_of(asked)):
            if row.touched_day is not None:
                days.add([row.touched_day])

    assert index.alone == 0
