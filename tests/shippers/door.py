"""A door on this machine that a program posts to: it answers as it is told, or hangs up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.http_servers import Handler, served
from tests.shippers.delivery import Road


@contextmanager
def open_door(road: Road) -> Iterator[int]:
    """Yield the port of a door."""

    class Knock(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            """Hand the body on, and answer; without an answer, close the connection."""
            answer = road(self.rfile.read(int(self.headers["Content-Length"])))
            if answer is None:
                self.close_connection = True
            else:
                self.answer(answer.status)

    with served(Knock) as port:
        yield port
