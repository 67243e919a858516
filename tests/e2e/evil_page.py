"""A page of somebody else's, and all that it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the server calls it so
            told.append(f"{self.path} {self.headers}")
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Evil(f"http://127.0.0.1:{server.server_port}/", told)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
