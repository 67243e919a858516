"""How soon the console shows a day of many events, and whether the page stays usable meanwhile.

python -m bench.picture [events]

A stack of its own holds a day of one entity, 50,000 events if no number is given. A real browser opens it three times,
each time in a console that has read nothing yet; the last time it waits for the end, and zooms into an hour of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from threading import Thread
from time import perf_counter
from typing import Any

from playwright.sync_api import Browser, Page

from bench.markdown import table
from embedded.api import Api
from embedded.connection import Stack
from embedded.stack import started
from retrace.client import Client
from retrace.console.serving import CONNECTIONS, Console
from retrace.target import Target
from tests.e2e.chromium import chromium

EVENTS, BATCH, TIMES = 50_000, 1_000, 3
DAY = datetime(2026, 11, 20, tzinfo=UTC)
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


def main(count: int) -> None:
    """Measure, and print a table."""
    with started() as stack, chromium() as browser:
        began = perf_counter()
        fill(stack, count)
        print(f"{count:,} events taken in, in {perf_counter() - began:.0f} s")
        seen = [looked_at(browser, stack, count, to_the_end=number == TIMES) for number in range(1, TIMES + 1)]
        print(table(("", "median", "worst"), rows(seen)))


def fill(stack: Stack, count: int) -> None:
    """Send a day of events of one entity."""
    api = Api(stack)
    for start in range(0, count, BATCH):
        lines = [json.dumps(event(number, count)).encode() for number in range(start, min(count, start + BATCH))]
        body = b"\n".join(lines)
        answer = api.call("POST", "/ingest", body=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.status == 200, answer.data  # noqa: S101  # nothing can be measured otherwise


def event(number: int, count: int) -> dict[str, Any]:
    """One of many events spread over a day."""
    time = DAY + timedelta(days=1) * number / count
    return {
        "source": "bench/console",
        "event_type": f"reading.{number % 4}",
        "entity_id": "sensor-1",
        "event_time": time.isoformat(),
        "payload": {"number": number},
    }


def looked_at(browser: Browser, stack: Stack, count: int, *, to_the_end: bool) -> dict[str, float]:
    """What a visitor sees, and when, of a console that was just started."""
    with served(stack) as console:
        # The policy would keep the bench from asking the page; it costs no time.
        page = browser.new_page(locale="en-GB", viewport={"width": 1300, "height": 900}, bypass_csp=True)
        page.add_init_script(WATCH)
        page.goto(console.link("/nowhere"))
        page.goto(f"{console.url}entity?id=sensor-1&day={DAY:%Y-%m-%d}")
        seen = {"first paint, ms": waited(page, PAINTED), "first picture, ms": waited(page, DRAWN)}
        if to_the_end:
            seen |= {
                "all events in the picture, ms": waited(page, WHOLE),
                "longest the page was busy, ms": float(page.evaluate("window.longest")),
                "nodes of the page": float(page.evaluate("document.querySelectorAll('*').length")),
                "zooming into an hour of it, ms": zoomed(page, count),
            }
        page.close()
    return seen


def zoomed(page: Page, count: int) -> float:
    """How long the page takes for an hour of what the console has read."""
    began = perf_counter()
    in_an_hour = -(-count * 13 // 24) - -(-count * 12 // 24)
    # As the page's own links do; opening it anew would read anew.
    page.evaluate(GO, f"/entity?id=sensor-1&from={DAY:%Y-%m-%d}T12:00:00Z&to={DAY:%Y-%m-%d}T13:00:00Z")
    waited(page, f"(document.querySelector('.facts dd')?.textContent === '{in_an_hour:,}') && {WHOLE}")
    return (perf_counter() - began) * 1_000


def waited(page: Page, script: str) -> float:
    """When something was so, on the page's clock; raises what went wrong if something did."""
    found = page.wait_for_function(f"{script} || {FAILED}", timeout=600_000).json_value()
    if isinstance(found, str):
        raise RuntimeError(found)  # noqa: TRY004  # it is what the page says
    return float(found)


@contextmanager
def served(stack: Stack) -> Iterator[Console]:
    """A console of its own."""
    target = Target(stack.api_url, "bench", stack.region, access_key=(stack.access_key_id, stack.secret_access_key))
    console = Console(Client(target, connections=CONNECTIONS), 0, lambda: datetime.now(UTC))
    thread = Thread(target=console.serve)
    thread.start()
    try:
        yield console
    finally:
        console.stop()
        thread.join()


def rows(seen: list[dict[str, float]]) -> Iterator[tuple[str, int, int]]:
    """For each thing that was seen, the middle and the worst."""
    for name in seen[-1]:
        values = [one[name] for one in seen if name in one]
        yield name, round(median(values)), round(max(values))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
