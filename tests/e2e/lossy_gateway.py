"""A proxy before the deployed API that loses answers and answers 503: the first two requests, and others by a seed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from random import Random
from urllib.parse import urlsplit

from tests.http_servers import Handler, served


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

    class LosingHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            body, fate = self.whole_body(), gateway.fate()
            if body is None:
                self.close_connection = True
            elif fate == "503":
                self.answer(503, b'{"message": "Service Unavailable"}')
            else:
                status, said = self._forwarded(body)
                self.close_connection = fate == "lost"
                if fate != "lost":
                    self.answer(status, said)

        def _forwarded(self, body: bytes) -> tuple[int, bytes]:
            """The signed headers include the host, so it stays."""
            connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=300)
            try:
                connection.request("POST", self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

    with served(LosingHandler) as port:
        gateway.url = f"http://127.0.0.1:{port}{parts.path}"
        yield gateway
