"""What a function does at the same time: all of it has ended when the function answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest

from chalicelib.runtime import system


@pytest.fixture(autouse=True)
def _four_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONCURRENCY", "4")
    system.settings.cache_clear()
    system._pool.cache_clear()  # noqa: SLF001  # its size is that of the settings
    yield
    system.settings.cache_clear()
    system._pool.cache_clear()  # noqa: SLF001  # likewise


def test_results_are_in_the_order_of_the_items() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert second.wait(60)
        else:
            second.set()
        return item * 10

    assert system.concurrently(work, [1, 2]) == [10, 20]


def test_a_failure_is_raised_once_what_is_under_way_has_ended() -> None:
    answered, under_way = threading.Event(), threading.Event()
    written: list[str] = []

    def work(item: str) -> None:
        if item == "fails":
            assert under_way.wait(60)
            raise RuntimeError("throttled")
        under_way.set()
        answered.wait(0.2)  # for as long as an answer would take that does not wait
        written.append(item)

    with pytest.raises(RuntimeError, match="throttled"):
        system.concurrently(work, ["fails", "slow"])
    at_the_answer = list(written)
    answered.set()

    assert at_the_answer == ["slow"]


def test_after_a_failure_what_is_not_begun_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_for_the_rest = threading.Event()
    begun: list[str] = []

    def watched(futures: list[Future[None]], **until: Any) -> Any:
        if not until:
            waits_for_the_rest.set()
        return wait(futures, **until)

    def work(item: str) -> None:
        begun.append(item)
        if item == "fails":
            raise RuntimeError("throttled")
        assert waits_for_the_rest.wait(60)

    monkeypatch.setattr(system, "wait", watched)
    with pytest.raises(RuntimeError, match="throttled"):
        system.concurrently(work, ["fails", *"abcdefgh"])

    in_threads, by_the_thread_of_the_failure = 3, 1
    assert len(begun) <= 1 + in_threads + by_the_thread_of_the_failure


def test_the_first_failure_in_the_order_of_the_items_is_raised() -> None:
    both = threading.Barrier(2)

    def work(item: str) -> None:
        both.wait(60)
        raise RuntimeError(item)

    with pytest.raises(RuntimeError, match="one"):
        system.concurrently(work, ["one", "two"])
