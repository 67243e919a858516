"""A real Chromium, in which tests look at the console, and what a page is held to whatever it shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

HERE = Path(__file__).parent / "browser"
UNPACKED = HERE / "node_modules/chromium"
SCREENSHOTS = HERE / "screenshots"
OVERLAPS = Path(__file__).parent / "overlaps.js"
AXE = HERE / "node_modules/axe-core/axe.min.js"
OTHER_CHROMIUM = "RETRACE_CHROMIUM"
"""The path of another Chromium or Chrome, where the one of the npm package does not run: it is for Linux on x86-64."""

_QUIET = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that somebody's DNS makes lead here, as in DNS rebinding.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)


PATIENCE_MS = 120_000
FRAMES = 4
"""What is asked for because of an answer is asked for before the next frame or the one after."""
A_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, and nothing of it left afterwards."""
    other = os.environ.get(OTHER_CHROMIUM)
    # The libraries and the font that a bare machine lacks lie beside it.
    beside = {"LD_LIBRARY_PATH": str(UNPACKED / "al2023/lib"), "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf")}
    environment: dict[str, str | float | bool] = {**os.environ, **beside}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=other or UNPACKED / "chromium",
            args=_QUIET,
            env=environment if other is None else None,
            timeout=PATIENCE_MS,
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def let_in(browser: Browser, url: str, link: str, **options: Any) -> Iterator[BrowserContext]:
    """A browser that has opened the link which a console printed."""
    context = browser.new_context(locale="en-GB", base_url=url, **options)
    context.set_default_timeout(PATIENCE_MS)
    context.new_page().goto(link)
    yield context
    context.close()


@dataclass
class Watched:
    """A page, and whatever went wrong in it."""

    page: Page
    faults: list[str] = field(default_factory=list)
    asking: set[Request] = field(default_factory=set)
    """What the page has asked for and not got yet."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._told)
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._over)
        self.page.on("requestfailed", self._over)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _told(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.faults.append(f"{said.text} {said.location['url']}")

    def _asked(self, request: Request) -> None:
        self.asking.add(request)

    def _over(self, request: Request) -> None:
        self.asking.discard(request)

    def settle(self) -> None:
        """Wait until nothing is asked for any more, for some frames; "networkidle" waits for half a second."""
        self.page.wait_for_load_state("load")
        quiet = 0
        while quiet < FRAMES:
            self.page.evaluate(A_FRAME)
            quiet = 0 if self.asking else quiet + 1

    def accessibility(self) -> list[dict[str, Any]]:
        """What axe-core finds that keeps somebody from using the page."""
        if self.page.evaluate("typeof axe === 'undefined'"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(
            "axe.run({resultTypes: ['violations']}).then(({violations}) => JSON.stringify(violations))"
        )
        return [
            {"rule": one["id"], "impact": one["impact"], "at": [node["target"] for node in one["nodes"]][:5]}
            for one in json.loads(found)
            if one["impact"] in ("serious", "critical")
        ]

    def overlaps(self) -> list[str]:
        """Labels of axes that overlap another one or are cut at the edge of the page, measured by their boxes."""
        found: list[str] = self.page.evaluate(OVERLAPS.read_text())
        return found

    def screenshot(self, name: str) -> None:
        """Keep what is seen as a file of the build."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
