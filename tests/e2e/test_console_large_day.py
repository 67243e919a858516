"""The console draws a large day whole, and its page stays small.

`make picture` takes 50,000 events and shows how long that took.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import perf_counter
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bench.markdown import table
from embedded.connection import Stack
from embedded.stack import started
from retrace.client import Client
from retrace.console.application import CONNECTIONS, Console
from retrace.target import Target
from tests.e2e.deployed import Deployed, batches
from tests.sizes import is_full

pytestmark = pytest.mark.soak

EVENTS = 50_000 if is_full() else 3_000
DAY = datetime(2026, 11, 20, tzinfo=UTC)
NODES = 1_000
"""Of the whole page, however many events its picture has."""

WATCH = """
window.longest = 0;
const longer = (one) => { window.longest = Math.max(window.longest, one.duration); };
new PerformanceObserver((seen) => seen.getEntries().forEach(longer))
    .observe({entryTypes: ['longtask']});
"""
GO = "(to) => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }"
FAILED = "document.querySelector('.failure')?.textContent"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
DRAWN = "(document.querySelectorAll('#charts canvas').length === 2 && performance.now())"
WHOLE = "(document.querySelector('.reading')?.textContent.includes('Read at') && performance.now())"


@pytest.fixture(scope="module")
def large_day() -> Iterator[Stack]:
    """A stack that holds a day of one entity."""
    with started() as stack:
        for batch in batches([json.dumps(event(number)).encode() for number in range(EVENTS)], 1_000):
            Deployed(stack).ingest(batch)
        yield stack


def event(number: int) -> dict[str, Any]:
    """One of many events spread over a day."""
    return {
        "source": "bench/console",
        "event_type": f"reading.{number % 4}",
        "entity_id": "sensor-1",
        "event_time": (DAY + timedelta(days=1) * number / EVENTS).isoformat(),
        "payload": {"number": number},
    }


@contextmanager
def served(stack: Stack) -> Iterator[Console]:
    """A console that has read nothing yet."""
    target = Target(stack.api_url, "test", stack.region, access_key=(stack.access_key_id, stack.secret_access_key))
    console = Console(Client(target, connections=CONNECTIONS), 0, lambda: datetime.now(UTC))
    thread = Thread(target=console.serve)
    thread.start()
    try:
        yield console
    finally:
        console.stop()
        thread.join()


def waited(page: Page, script: str) -> float:
    """When something was so, on the page's clock; fails with what the page says if something went wrong."""
    found = page.wait_for_function(f"{script} || {FAILED}", timeout=600_000).json_value()
    assert isinstance(found, int | float), found
    return found


def test_a_large_day_is_drawn_whole_by_a_page_that_stays_small(browser: Browser, large_day: Stack) -> None:
    with served(large_day) as console:
        # The policy would keep the test from asking the page.
        page = browser.new_page(locale="en-GB", viewport={"width": 1300, "height": 900}, bypass_csp=True)
        page.add_init_script(WATCH)
        page.goto(console.link("/nowhere"))
        page.goto(f"{console.url}entity?id=sensor-1&day={DAY:%Y-%m-%d}")
        seen = {
            "first paint, ms": waited(page, PAINTED),
            "first picture, ms": waited(page, DRAWN),
            "all events in the picture, ms": waited(page, WHOLE),
            "longest the page was busy, ms": page.evaluate("window.longest"),
        }
        shown = page.text_content(".facts dd")
        nodes = page.evaluate("document.querySelectorAll('*').length")
        seen["zooming into an hour of it, ms"] = zoomed(page)
        page.close()

    print(table(("", "ms"), ((name, round(ms)) for name, ms in seen.items())))  # noqa: T201  # pytest shows it
    assert shown == f"{EVENTS:,}"
    assert nodes <= NODES


def zoomed(page: Page) -> float:
    """How long the page takes to show an hour of what the console has read, and how many events that has."""
    began = perf_counter()
    in_an_hour = -(-EVENTS * 13 // 24) - -(-EVENTS * 12 // 24)
    # As the page's own links do: opening it would read it again.
    page.evaluate(GO, f"/entity?id=sensor-1&from={DAY:%Y-%m-%d}T12:00:00Z&to={DAY:%Y-%m-%d}T13:00:00Z")
    waited(page, f"(document.querySelector('.facts dd')?.textContent === '{in_an_hour:,}') && {WHOLE}")
    return (perf_counter() - began) * 1_000
