"""HTTP servers on this machine that tests answer with: handlers that read whole requests, served on a free port."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import MappingProxyType
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """A handler that keeps connections open and prints nothing."""

    protocol_version = "HTTP/1.1"

    def whole_body(self) -> bytes | None:
        """The body, or None if its sender died while it sent: no gateway hands such a request on."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})) -> None:
        """Answer the request."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the base class
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless only the client is gone: one that was killed reads no answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve, and yield the port."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def served(handler: type[Handler]) -> Iterator[int]:
    """Serve with a handler on a free port, which is yielded."""
    with running(_Server(("127.0.0.1", 0), handler)) as port:
        yield port
