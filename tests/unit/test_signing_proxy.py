"""The proxy in examples/producers/ signs and compresses what a program posts, and passes every answer back."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import urllib3

from tests.shippers.configured import signing_proxy

LINES = b'{"source": "shop/checkout"}\n' * 100


@dataclass
class Stage:
    """A stage that records requests, and answers with a status; 0 hangs up."""

    status: int = 200
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def handler(stage) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # two selves meet here
        """The class that serves its requests."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stage.paths.append(self.path)
                stage.headers.append({name.lower(): value for name, value in self.headers.items()})
                stage.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                if stage.status:
                    self.send_response(stage.status)
                    self.send_header("Retry-After", "7")
                    self.send_header("Retrace-Refused", "3")
                    self.end_headers()
                    self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class calls it
                """Say nothing."""

        return Handler


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    """Yield the port of a server."""
    with server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def posted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str]
) -> urllib3.BaseHTTPResponse:
    """The answer to one POST through the proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program = signing_proxy()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), stage.handler())) as behind:
        proxy = program.SigningProxy(0, f"http://127.0.0.1:{behind}/api/", "eu-west-1")
        with serving(proxy) as port:
            url = f"http://127.0.0.1:{port}/ingest?results=none"
            with urllib3.PoolManager(retries=False) as pool:
                answer = pool.request("POST", url, body=body, headers=headers)
            proxy.pool.clear()
    return answer


def test_a_request_is_signed_compressed_and_keeps_its_type_and_query(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    posted(stage, monkeypatch, LINES, {"Content-Type": "application/json"})

    [headers], [body] = stage.headers, stage.bodies
    assert stage.paths == ["/api/ingest?results=none"]
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/execute-api/aws4_request" in headers["authorization"]
    assert (headers["content-type"], headers["content-encoding"]) == ("application/json", "gzip")
    assert gzip.decompress(body) == LINES


def test_what_is_compressed_already_is_passed_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, packed = Stage(), gzip.compress(LINES)

    posted(stage, monkeypatch, packed, {"Content-Encoding": "gzip"})

    assert stage.bodies == [packed]
    assert stage.headers[0]["content-encoding"] == "gzip"
    assert stage.headers[0]["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("status", [200, 413, 503])
def test_an_answer_comes_back_with_its_status_and_what_a_program_may_need(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = posted(Stage(status), monkeypatch, LINES, {})

    assert answer.status == status
    assert (answer.headers["Retry-After"], answer.headers["Retrace-Refused"]) == ("7", "3")


def test_without_an_answer_of_the_stage_the_program_gets_502_and_sends_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert posted(Stage(0), monkeypatch, LINES, {}).status == 502
