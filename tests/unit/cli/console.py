"""A console on a real port in front of a scripted API, and requests as its own page or somebody else makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import urllib3

from retrace.client import Client
from retrace.console.admission import HEADER
from retrace.console.application import Console
from retrace.target import Target
from tests.unit.cli.scripted_api import Script, ScriptedApi, serving

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
NOT_LET_IN = {HEADER: "none"}
"""What the page says in a browser that has not the token."""


@dataclass(frozen=True)
class Served:
    """A console that answers, and the API behind it."""

    console: Console
    api: ScriptedApi

    @property
    def let_in(self) -> dict[str, str]:
        """What the page says in a browser that was let in."""
        return {HEADER: self.console.token}

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> urllib3.BaseHTTPResponse:
        """A request with these headers and no others of meaning."""
        return urllib3.request(
            method,
            f"{self.console.url}{path.removeprefix('/')}",
            headers=headers,
            body=body,
            redirect=False,
            retries=False,
            timeout=60,
        )

    def page(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> urllib3.BaseHTTPResponse:
        """A request as the console's own page makes it."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(method, path, {**self.let_in, **given}, body)


@contextmanager
def console(script: Script, **target: Any) -> Iterator[Served]:
    """A console on a free port."""
    with serving(script) as api:
        client = Client(
            Target(api.url, "test", "eu-central-1", access_key=("key", "secret"), **target), sleep=lambda _: None
        )
        served = Console(client, 0, lambda: NOW)
        thread = Thread(target=served.serve)
        thread.start()
        try:
            yield Served(served, api)
        finally:
            served.stop()
            thread.join()
