"""Several calls at once with bounded memory: never more is under way, or waits to be taken, than asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 8


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int = WORKERS) -> Iterator[R]:
    """The results of a function, in the order of the items; so many calls at once, and as many results waiting."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def concurrently(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """The results of a function, in the order of the items; the first error is raised."""
    return list(in_order(function, items))


def walked(step: Callable[[T], tuple[R, T | None]], starts: Iterable[T]) -> Iterator[R]:
    """The results of every step of several walks at once, in no order; a step answers where its walk goes on."""
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {pool.submit(step, start) for start in starts}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result, following = future.result()
                    if following is not None:
                        running.add(pool.submit(step, following))
                    yield result
        finally:
            pool.shutdown(cancel_futures=True)
