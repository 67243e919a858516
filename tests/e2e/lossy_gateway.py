"""A proxy before the deployed API that loses answers and answers 503: the first two requests, and others by a seed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit


@dataclass
class LossyGateway:
    """Where it is, how often each thing happens, and how often each happened."""

    upstream: str
    random: Random
    lost_answers: float = 0.3
    refusals: float = 0.05
    url: str = ""
    happened: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fate(self) -> str:
        """What happens to the next request."""
        with self.lock:
            drawn = self.random.random()
            lost = drawn < self.lost_answers
            fate = "lost" if lost else "503" if drawn < self.lost_answers + self.refusals else "answered"
            fate = next((each for each in ("503", "lost") if not self.happened[each]), fate)
            self.happened[fate] += 1
        return fate


@contextmanager
def lossy_gateway(upstream: str, random: Random) -> Iterator[LossyGateway]:
    """Serve it on a port of its own."""
    parts = urlsplit(upstream)
    gateway = LossyGateway(upstream, random)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            fate = gateway.fate()
            if len(body) < length:  # the producer was killed; no gateway hands such a request on
                self.close_connection = True
            elif fate == "503":
                self._answer(503, b'{"message": "Service Unavailable"}')
            else:
                status, said = self._forwarded(body)
                self.close_connection = fate == "lost"
                if fate != "lost":
                    self._answer(status, said)

        def _forwarded(self, body: bytes) -> tuple[int, bytes]:
            """The signed headers include the host, so it stays."""
            connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=300)
            try:
                connection.request("POST", self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

        def _answer(self, status: int, said: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the base class
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A producer that was killed reads no answer."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    gateway.url = f"http://127.0.0.1:{server.server_port}{parts.path}"
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
