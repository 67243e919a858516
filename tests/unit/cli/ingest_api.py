"""A server that takes events in like the API: each once, the answer in order; with troubles where a test wants them."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import lossless_json
from tests.http_servers import Handler, served

Json = dict[str, Any]
Trouble = tuple[int, Json] | None
"""A status and a body in place of an answer; None breaks the connection."""


def no_trouble(lines: list[bytes]) -> tuple[()]:
    return ()


@dataclass
class IngestApi:
    """What it holds and what it was asked; `trouble` may answer a request in its place, given its lines."""

    trouble: Callable[[list[bytes]], Trouble | tuple[()]] = no_trouble
    url: str = ""
    taken: Counter[bytes] = field(default_factory=Counter)
    """How often each event was taken in; a second time must not be."""
    batches: list[list[bytes]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, lines: list[bytes]) -> Trouble:
        """Take events in; those whose text holds "refuse" or "conflict" are."""
        trouble = self.trouble(lines)
        if not isinstance(trouble, tuple) or trouble:
            return trouble
        with self.lock:
            self.queries.append(path.partition("?")[2])
            self.batches.append(lines)
            results = [self._result(line, dry="dry_run=true" in path) for line in lines]
            self.answered += len(lines)
        return (200, {"results": results})

    def _result(self, line: bytes, *, dry: bool) -> Json:
        if b"refuse" in line:
            return {"status": "REJECTED", "rejected_id": "r-1", "errors": [{"field": "payload", "message": "is bad"}]}
        if b"conflict" in line:
            return {"status": "CONFLICT", "rejected_id": "r-2", "errors": []}
        if line in self.taken:
            return {"status": "DUPLICATE"}
        if not dry:
            self.taken[line] += 1
        return {"status": "ACCEPTED"}


def _events(body: bytes, content_type: str) -> list[bytes]:
    if content_type == "application/cloudevents-batch+json":
        events = [element.text.encode() for element in lossless_json.parse_elements(body.decode())]
        assert all(b'"specversion"' in event for event in events)
        return events
    assert content_type == "application/x-ndjson"
    return body.split(b"\n")


@contextmanager
def serving(api: IngestApi) -> Iterator[IngestApi]:
    """Serve it on a port of its own."""

    class ApiHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            body = self.whole_body()
            answer = (
                None
                if body is None
                else api.answer(self.path, _events(gzip.decompress(body), self.headers["Content-Type"]))
            )
            if answer is None:
                self.close_connection = True
            else:
                self.answer(answer[0], json.dumps(answer[1]).encode())

    with served(ApiHandler) as port:
        api.url = f"http://127.0.0.1:{port}"
        yield api


def environment(home: object) -> dict[str, str]:
    """What the command needs to sign requests, and a home of its own."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "XDG_STATE_HOME": f"{home}/state",
        "XDG_CONFIG_HOME": f"{home}/config",
    }


def numbered(count: int, first: int = 0) -> list[bytes]:
    """So many events, each another one."""
    return [
        b'{"source":"shop","event_type":"paid","entity_id":"order-%d","event_time":"2026-11-21T10:00:00Z","payload":%d}'
        % (number, number)
        for number in range(first, first + count)
    ]
