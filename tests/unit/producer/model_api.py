"""A model of POST /ingest, version 1, on a real port: each event once, refusals below 4 KB, and faults as a test wants.

An event is refused if its payload says "refuse", and conflicts if its key belongs to another text.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.core import lossless_json
from retrace import Producer
from tests.http_servers import Handler, served

MOST_ANSWER_BYTES = 3_500
Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What happens in place of an answer: a status, or 0 to break the connection."""

    status: int = 0
    takes: float = 0.0
    """Which part of the events is taken in before."""
    retry_after: str | None = None
    body: bytes = b'{"message": "no"}'


@dataclass
class ModelApi:
    """What it took in, and what it was asked."""

    fault: Callable[[Sequence[bytes]], Fault | None] = lambda _: None
    url: str = ""
    taken: Counter[bytes] = field(default_factory=Counter)
    """How often each event was accepted: once, or the model is wrong."""
    refused: set[bytes] = field(default_factory=set)
    requests: list[list[bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    _by_key: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """A status, headers and a body; None breaks the connection."""
        wanted = parse_qs(urlsplit(path).query).get("results", ["refused"])[0]
        texts = _texts(gzip.decompress(body), headers["content-type"])
        with self._lock:
            self.requests.append(texts)
            self.headers.append(headers)
            self.queries.append(wanted)
            fault = self.fault(texts)
            if fault is None:
                return 200, {}, _small(texts, [self._result(text) for text in texts], wanted)
            for text in texts[: int(len(texts) * fault.takes)]:
                self._result(text)
        told = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        return (fault.status, told, fault.body) if fault.status else None

    def _result(self, text: bytes) -> Json:
        if b"refuse" in text:
            self.refused.add(text)
            errors = [{"field": "payload", "message": "is not allowed"}]
            return {"status": "REJECTED", "errors": errors, "rejected_id": f"r-{abs(hash(text))}"}
        event = json.loads(text)
        key = event.get("idempotency_key") or event.get("id") or text.decode()
        known = self._by_key.setdefault(key, text)
        if known != text:
            self.refused.add(text)
            return {"status": "CONFLICT", "event_id": "e", "errors": [], "rejected_id": f"c-{abs(hash(text))}"}
        if self.taken[text]:
            return {"status": "DUPLICATE"}
        self.taken[text] += 1
        return {"status": "ACCEPTED"}


def _texts(body: bytes, content_type: str) -> list[bytes]:
    if content_type == "application/cloudevents-batch+json":
        texts = [element.text.encode() for element in lossless_json.parse_elements(body.decode())]
        assert all(b'"specversion"' in text for text in texts)
        return texts
    assert content_type == "application/x-ndjson"
    return body.split(b"\n")


def _small(texts: Sequence[bytes], results: list[Json], wanted: str) -> bytes:
    statuses = Counter(result["status"] for result in results)
    counts = {name.lower(): statuses[name] for name in ("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED")}
    placed = [{"position": position, **result} for position, result in enumerate(results)]
    if wanted == "all":
        return json.dumps({"counts": counts, "results": placed, "more_refused": 0}).encode()
    listed = [result for result in placed if result["status"] in ("CONFLICT", "REJECTED")]
    shown = list(listed)
    while len(json.dumps(shown)) > MOST_ANSWER_BYTES:
        shown.pop()
    return json.dumps({"counts": counts, "results": shown, "more_refused": len(listed) - len(shown)}).encode()


@contextmanager
def serving(api: ModelApi) -> Iterator[ModelApi]:
    """Serve it on a port of its own."""

    class ModelHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            body = self.whole_body()
            headers = {name.lower(): said for name, said in self.headers.items()}
            answer = None if body is None else api.answer(self.path, headers, body)
            if answer is None:
                self.close_connection = True
            else:
                status, given, said = answer
                self.answer(status, said, given)

    with served(ModelHandler) as port:
        api.url = f"http://127.0.0.1:{port}/api"
        yield api


def producer(api: ModelApi, spool: Any, **options: Any) -> Producer:
    """A producer that pauses for milliseconds."""
    return Producer(api.url, spool=spool, **{"region": "eu-west-1", "max_pause_s": 0.01, **options})


def numbered(count: int, first: int = 0) -> list[bytes]:
    """So many events, each another one."""
    return [
        b'{"source":"shop","event_type":"paid","entity_id":"order-%d","event_time":"2026-11-21T10:00:00Z","payload":%d}'
        % (number, number)
        for number in range(first, first + count)
    ]
