"""Runs many tasks at once in bounded memory: never more are begun, or wait to be taken, than a limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8


def in_order(work: Callable[[T], R], items: Iterable[T], at_once: int = AT_ONCE) -> Iterator[R]:
    """What `work` makes of each item, in the order of the items; at most twice `at_once` are begun and not taken."""
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for item in items:
                begun.append(threads.submit(work, item))
                if len(begun) >= 2 * at_once:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, of which the next one is made while the last one is used."""
    left = iter(items)
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, left, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, left, None)
            yield item


def begun(makers: Iterable[Callable[[], Iterator[T]]], at_once: int = AT_ONCE) -> Iterator[Iterator[T]]:
    """What each of these makes, in their order; of those that come next the first item is made meanwhile."""
    waiting: deque[tuple[Future[T | None], Iterator[T]]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for make in makers:
                items = make()
                waiting.append((threads.submit(next, items, None), items))
                if len(waiting) > at_once:
                    yield _resumed(*waiting.popleft())
            while waiting:
                yield _resumed(*waiting.popleft())
        finally:
            threads.shutdown(cancel_futures=True)


def _resumed(first: Future[T | None], items: Iterator[T]) -> Iterator[T]:
    item = first.result()
    if item is not None:
        yield item
        yield from items


def concurrently(work: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """What `work` makes of each item, in the order of the items; the first error is raised."""
    return list(in_order(work, items))


def walked(step: Callable[[T], tuple[R, T | None]], starts: Iterable[T]) -> Iterator[R]:
    """The results of every step of several walks at once, in no order; a step answers where its walk goes on."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = {threads.submit(step, start) for start in starts}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result, following = future.result()
                    if following is not None:
                        running.add(threads.submit(step, following))
                    yield result
        finally:
            threads.shutdown(cancel_futures=True)
