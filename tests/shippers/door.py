"""A door on this machine that a program posts to: it answers as it is told, or hangs up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.shippers.delivery import Road


class _Door(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, road: Road) -> None:
        super().__init__(("127.0.0.1", 0), _Knock)
        self.road = road


class _Knock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Door

    def do_POST(self) -> None:
        """Hand the body on, and answer; without an answer, close the connection."""
        answer = self.server.road(self.rfile.read(int(self.headers["Content-Length"])))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class calls it
        """Say nothing."""


@contextmanager
def open_door(road: Road) -> Iterator[int]:
    """Yield the port of a door."""
    with _Door(road) as door:
        thread = Thread(target=door.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield door.server_port
        finally:
            door.shutdown()
            thread.join()
