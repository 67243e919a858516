"""A page of somebody else's, and all that it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.http_servers import Handler, served


@dataclass(frozen=True)
class Evil:
    """A page of somebody else's."""

    url: str
    told: list[str]
    """Path and headers of all that its server was asked for."""


@contextmanager
def evil_page(content: str) -> Iterator[Evil]:
    """A page of somebody else's on another port of this machine, which is another origin and yet the same site."""
    told: list[str] = []

    class EvilHandler(Handler):
        def do_GET(self) -> None:  # noqa: N802  # the server calls it so
            told.append(f"{self.path} {self.headers}")
            self.answer(200, content.encode(), {"Content-Type": "text/html"})

    with served(EvilHandler) as port:
        yield Evil(f"http://127.0.0.1:{port}/", told)
