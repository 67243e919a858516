"""A real browser on a page of somebody else's: it reaches no server of Retrace on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from playwright.sync_api import Browser, Page, expect

from embedded.layout import LOOPBACK, ROOT, free_port
from infra.command import wait_until
from tests.e2e.chromium import let_in
from tests.e2e.evil_page import evil_page
from tests.e2e.stages import emulated
from tests.unit.cli.console import console
from tests.unit.cli.scripted_api import serving


@dataclass(frozen=True)
class Server:
    """A server that an intruder wants to reach."""

    port: int
    page: Page
    """In a browser that its owner uses."""
    shown: str
    """What anybody may look at, if anything."""
    act: str
    """What does or reads something."""
    rebound: int
    """How it answers to another name."""
    reached: Callable[[], int]
    """How often something was done or read."""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@contextmanager
def _console(browser: Browser, _: Path) -> Iterator[Server]:
    """The console, which has let the browser in."""
    with (
        console(lambda _: (200, {"items": [], "cursor": None})) as served,
        let_in(browser, served.console.url, served.console.link("/replays")) as context,
    ):
        [page] = context.pages
        expect(page.locator("main")).to_contain_text("There has been no replay.")  # it asks for nothing else
        yield Server(served.console.port, page, "/", "/api/replay", 421, lambda: len(served.api.asked))


@contextmanager
def _emulator(browser: Browser, directory: Path) -> Iterator[Server]:
    """The embedded AWS, asked by a key that MiniStack takes for root without looking at the signature."""
    credential = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20261121%2Feu-west-1%2Fiam%2Faws4_request"
    act = f"/?Action=CreateUser&UserName=mallory&Version=2010-05-08&{credential}"
    with emulated(directory) as aws, browser.new_page() as page:
        port = int(aws.endpoint_url.rpartition(":")[2])
        yield Server(port, page, "/health", act, 403, lambda: len(aws.admin.iam.list_users()["Users"]))


@contextmanager
def _make_local(browser: Browser, _: Path) -> Iterator[Server]:
    """The API of `make local`, with an AWS that only counts calls."""
    port = free_port()
    command = [sys.executable, "-m", "embedded.local_api", "--no-autoreload", "--host", LOOPBACK, "--port", str(port)]
    with serving(lambda _: (400, {})) as aws, browser.new_page() as page:
        environment = {**os.environ, "AWS_ENDPOINT_URL": aws.url, "NO_PROXY": LOOPBACK}
        process = subprocess.Popen(  # noqa: S603  # our own interpreter, our own module
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert wait_until(lambda: _is_healthy(port), 90.0)
            yield Server(port, page, "/health", "/replay", 403, lambda: len(aws.asked))
        finally:
            process.terminate()
            process.wait()


def _is_healthy(port: int) -> bool:
    try:
        return urllib3.request("GET", f"http://{LOOPBACK}:{port}/health", retries=False, timeout=60.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False


SERVERS: dict[str, Callable[[Browser, Path], AbstractContextManager[Server]]] = {
    "console": _console,
    "embedded AWS": _emulator,
    "make local": _make_local,
}


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with SERVERS[request.param](browser, tmp_path_factory.mktemp("server")) as server:
        yield server


OWN = {"X-Retrace-Console": "1", "Idempotency-Key": "k"}
ATTEMPTS: dict[str, dict[str, Any]] = {
    "a request without reading its answer": {"method": "POST", "mode": "no-cors", "body": "{}"},
    "a request with the headers": {"method": "POST", "headers": OWN, "body": "{}"},
    "a read": {"headers": OWN},
    "a read without being asked": {"mode": "no-cors"},
}
TRIED = """([url, options]) => {
    const answer = (one) => one.type === 'opaque' ? 'opaque' : one.text();
    return fetch(url, {credentials: 'include', ...options}).then(answer, () => 'refused');
}"""


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_page_of_another_origin_reaches_nothing_though_the_browser_was_let_in(server: Server, attempt: str) -> None:
    before = server.reached()
    with evil_page("<h1>Win a prize</h1>") as evil:
        server.page.goto(evil.url)
        said = server.page.evaluate(TRIED, [f"{server.url}{server.act}", ATTEMPTS[attempt]])

    assert said in ("refused", "opaque")
    assert server.reached() == before


def test_a_form_of_another_origin_reaches_nothing(server: Server) -> None:
    before = server.reached()
    action = f"{server.url}{server.act}"
    form = f'<form method="post" enctype="text/plain" action="{action}"><button>Win</button></form>'
    with evil_page(form) as evil:
        server.page.goto(evil.url)
        with server.page.expect_response(action) as answered:
            server.page.click("button")

    assert answered.value.status == 403
    assert server.reached() == before


def test_a_name_that_was_rebound_to_this_machine_shows_nothing(server: Server) -> None:
    before = server.reached()
    answer = server.page.goto(f"http://rebound.example:{server.port}{server.shown}")

    assert answer is not None
    assert answer.status == server.rebound
    asking = "(path) => fetch(path, {headers: {'X-Retrace-Console': '1'}}).then((one) => one.status)"
    assert server.page.evaluate(asking, server.act) == server.rebound
    assert server.reached() == before
