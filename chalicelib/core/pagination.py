"""Reading page by page, lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar


class Paged(Protocol):
    """A page that says up to which position it was read."""

    @property
    def read_to(self) -> str | None:
        """The position to go on after; None at the end."""


P = TypeVar("P", bound=Paged)


def every_page(read: Callable[[str | None], P], after: str | None = None) -> Iterator[P]:
    """Pages from the first, or the one after a position, to the last; each read when it is asked for."""
    page = read(after)
    yield page
    while page.read_to is not None:
        page = read(page.read_to)
        yield page
