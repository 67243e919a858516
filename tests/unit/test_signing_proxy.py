"""The proxy in examples/producers/ signs and compresses what a program posts, and passes every answer back."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

import pytest
import urllib3

from tests.http_servers import Handler, running, served
from tests.shippers.configured import signing_proxy

LINES = b'{"source": "shop/checkout"}\n' * 100


@dataclass
class Stage:
    """A stage that records requests, and answers with a status; 0 hangs up."""

    status: int = 200
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def handler(stage) -> type[Handler]:  # noqa: N805  # two selves meet here
        """The class that serves its requests."""

        class StageHandler(Handler):
            def do_POST(self) -> None:  # noqa: N802  # the server calls it so
                stage.paths.append(self.path)
                stage.headers.append({name.lower(): value for name, value in self.headers.items()})
                stage.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.close_connection = not stage.status
                if stage.status:
                    self.answer(stage.status, b"{}", {"Retry-After": "7", "Retrace-Refused": "3"})

        return StageHandler


def posted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str]
) -> urllib3.BaseHTTPResponse:
    """The answer to one POST through the proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program = signing_proxy()
    with served(stage.handler()) as behind:
        proxy = program.SigningProxy(0, f"http://127.0.0.1:{behind}/api/", "eu-west-1")
        with running(proxy) as port:
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
