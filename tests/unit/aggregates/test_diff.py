"""What two versions do not share is what set arithmetic says, in whatever pages it is asked for and read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates import tracing
from chalicelib.aggregates.aggregate import Aggregate, Definitions, Version
from chalicelib.aggregates.inputs import Input, InputKey
from chalicelib.aggregates.ports import AggregateVersion, InputsPage, VersionsPage
from chalicelib.aggregates.queries import DiffQuery
from chalicelib.aggregates.tracing import Difference, TraceVersions
from chalicelib.core.read_budget import ROUND_US
from chalicelib.core.timestamps import Day, Instant
from chalicelib.events.raw_objects import StoredEvent
from tests.unit.aggregates.values_in_memory import stored_metrics
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Jobs, one_by_one
from tests.unit.json_trees import randoms

JOBS_US = ROUND_US
"""What reading the jobs of both versions takes of a request, before any of their inputs."""

Contents = dict[InputKey, str | None]
"""The content of each input; None for a message that is no input."""


@dataclass
class History:
    """Two versions, of which a read brings as many messages as it is let."""

    sides: dict[str, Contents]
    page_size: Callable[[], int] = lambda: 1_000
    reads: list[str | None] = field(default_factory=list)

    def named(
        self, entity_id: str, day: Day, replay_ids: Collection[str], calendar: str = "UTC"
    ) -> list[AggregateVersion]:
        found = [Version(entity_id, day, replay_id) for replay_id in replay_ids if replay_id in self.sides]
        return [AggregateVersion(version, Aggregate(), INGESTED) for version in found]

    def inputs(self, version: Version, after: str | None, limit: int, definitions: Definitions = ()) -> InputsPage:
        self.reads.append(after)
        rows = sorted(self.sides[version.replay_id].items())
        rest = [(key, content) for key, content in rows if after is None or "/".join(key) > after]
        some = rest[: min(limit, self.page_size())]
        read_to = "/".join(some[-1][0]) if len(some) < len(rest) else None
        return InputsPage(tuple(an_input(key, content) for key, content in some if content), read_to)

    def position_of(self, single: Input) -> str:
        return "/".join(single.key)

    def versions(self, entity_id: str, day: Day, after: str | None, limit: int, calendar: str = "UTC") -> VersionsPage:
        raise NotImplementedError

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        raise NotImplementedError


def an_input(key: InputKey, content: str) -> Input:
    return Input(key[0], key[1], "order.paid", content)


def pages_of(history: History, limit: int = 100) -> list[Difference]:
    """The comparison of both versions, page by page."""
    compare, pages, cursor = (
        TraceVersions(history, Jobs(), stored_metrics(history), one_by_one).difference,
        list[Difference](),
        None,
    )
    asked = {"entity_id": "order-1", "day": "2026-11-21", "from": "from", "to": "to", "limit": limit}
    while not pages or cursor is not None:
        pages.append(compare(DiffQuery.model_validate({**asked, "cursor": cursor})))
        cursor = pages[-1].cursor
        assert len(pages) < 1_000, "each page goes on"
    return pages


# Few times, ids and contents, so that input_keys meet, times tie and contents differ.
input_keys = st.tuples(st.sampled_from("123").map(Instant), st.sampled_from("abcdef"))
sides = st.dictionaries(input_keys, st.sampled_from(["x", "y", None]))


@given(sides, sides, st.integers(1, 12), randoms, st.integers(1, 6))
def test_all_pages_together_are_what_set_arithmetic_says(
    left: Contents, right: Contents, limit: int, rng: Random, rounds: int
) -> None:
    history = History({"from": left, "to": right}, lambda: rng.randint(1, 4))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tracing, "REQUEST_US", JOBS_US + rounds * ROUND_US)
        pages = [page.comparison for page in pages_of(history, limit)]

    left, right = (dict(filter(lambda row: row[1] is not None, side.items())) for side in (left, right))
    both = left.keys() & right.keys()
    changed = sorted(key for key in both if left[key] != right[key])
    assert [one.key for page in pages for one in page.only_in_from] == sorted(left.keys() - right.keys())
    assert [one.key for page in pages for one in page.only_in_to] == sorted(right.keys() - left.keys())
    assert [pair.before.key for page in pages for pair in page.changed] == changed
    assert [(pair.before.content_sha256, pair.after.content_sha256) for page in pages for pair in page.changed] == [
        (left[key], right[key]) for key in changed
    ]
    assert sum(page.shared for page in pages) == len(both) - len(changed)
    assert all(page.differences <= limit for page in pages)


def test_a_page_without_differences_has_a_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "REQUEST_US", JOBS_US + 2 * ROUND_US)
    equal: Contents = {(Instant(f"{number:04}"), "a"): "x" for number in range(100)}

    pages = pages_of(History({"from": equal, "to": equal | {(Instant("9"), "b"): "y"}}, lambda: 10))

    assert [(page.comparison.shared, page.comparison.differences) for page in pages[:3]] == [(20, 0)] * 3
    assert sum(page.comparison.differences for page in pages) == 1


def test_messages_that_are_no_inputs_are_passed_over_however_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "REQUEST_US", JOBS_US + ROUND_US)
    none: Contents = {(Instant(f"{number:04}"), "a"): None for number in range(100)}

    pages = pages_of(History({"from": none, "to": none}, lambda: 10))

    assert sum(page.comparison.differences for page in pages) == 0
    assert len(pages) == 10


def test_a_page_reads_no_further_than_its_differences() -> None:
    history = History({"from": {(Instant(f"{number:04}"), "a"): "x" for number in range(100)}, "to": {}}, lambda: 5)

    first, *_ = pages_of(history, 5)

    assert len(first.comparison.only_in_from) == 5
    assert history.reads[:3] == [None, None, "0004/a"]
