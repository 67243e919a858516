"""The API of `make local` answers programs, and no web page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from embedded.layout import LOOPBACK, free_port
from infra.command import wait_until

ROOT = Path(__file__).parents[3]
REPLAY = b'{"entity_id": "a", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}'


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    where = ["--no-autoreload", "--host", LOOPBACK, "--port", str(port), "--stage", "dev"]
    with subprocess.Popen(  # noqa: S603  # our own interpreter, our own module
        [sys.executable, "-m", "embedded.local_api", *where],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        base = f"http://{LOOPBACK}:{port}"
        try:
            assert wait_until(lambda: process.poll() is not None or status(f"{base}/health") == 200, 90.0)
            yield base
        finally:
            process.terminate()


def status(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        return urllib3.request(method, url, body=body, headers=named, retries=False, timeout=90.0).status
    except urllib3.exceptions.HTTPError:
        return 0


def test_a_program_and_an_address_that_the_user_typed_are_answered(url: str) -> None:
    assert status(f"{url}/health") == 200
    assert status(f"{url}/health", Sec_Fetch_Site="none") == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_a_web_page_is_refused_on_every_route(url: str, method: str, headers: dict[str, str]) -> None:
    for route in ("/health", "/replay", "/nowhere"):
        answered = status(url + route, method, REPLAY, Content_Type="application/json", **headers)

        assert answered == 403


def test_the_body_of_a_refused_request_is_not_read_as_the_next_request(url: str) -> None:
    pool = urllib3.HTTPConnectionPool(LOOPBACK, int(url.rpartition(":")[2]), maxsize=1)
    inner = f"GET /health HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode()
    refused = pool.request("POST", "/replay", body=inner, headers={"Origin": "null", "Connection": "keep-alive"})

    assert refused.status == 403
    assert refused.headers["Connection"] == "close"
