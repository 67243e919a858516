"""What the console says of what it has not read, could not read, or read a while ago. The API is a scripted one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.chromium import Watched, let_in
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem
from tests.unit.examples import event_in, stored

KNOWN = event_in('{"source":"s","event_type":"t","entity_id":"e","event_time":"2025-11-28T12:00:00Z","payload":1}')
TYPE = "/type?source=s&type=t&day=2025-11-28"


def metadata(hour: int) -> dict[str, Any]:
    time = f"2025-11-28T{hour:02}:00:00.000000000Z"
    names = {"source": "s", "event_type": "t", "entity_id": "e"}
    return {"event_id": f"{hour:064x}", "event_time": time, "ingest_time": time, "ingest_lag_ms": 0, **names}


@dataclass
class Reading:
    """An API that has as many events as a test says, a page of them at a time, and waits before the second page."""

    events: int = 2
    go_on: Event = field(default_factory=Event)
    raw: Answer = (504, {"message": "Endpoint request timed out"})

    def __call__(self, asked: Asked) -> Answer:
        """Events, and one whose text is not answered in time, or as a test says."""
        if asked.call == "GET /events":
            return 200, self._page(asked.query)
        if asked.call == f"GET /events/{KNOWN.event_id}":
            known = {name: value for name, value in asdict(stored(KNOWN)).items() if name != "location"}
            where = {"s3_bucket": "b", "s3_key": "raw/a", "s3_offset": 0, "s3_length": 1, "ingest_lag_ms": 0}
            return 200, {
                **known,
                **where,
                "arrivals": [],
                "more_arrivals": False,
                "aggregates": [],
                "more_aggregates": False,
            }
        if asked.call == f"GET /events/{KNOWN.event_id}/raw":
            return self.raw
        return 404, problem("There is nothing here.")

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        if query.get("status"):
            return {"items": [], "cursor": None}
        if "cursor" not in query:
            return {"items": [metadata(0)], "cursor": "1"}
        self.go_on.wait(60)
        return {"items": [metadata(hour) for hour in range(1, self.events)], "cursor": None}


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.fixture
def served(reading: Reading) -> Iterator[Served]:
    with console(reading) as served:
        yield served
        reading.go_on.set()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with let_in(browser, served.console.url, served.console.link("/nowhere")) as context:
        yield context.new_page()


def test_hours_that_are_not_read_yet_are_not_shown_as_empty(page: Page, reading: Reading) -> None:
    page.goto(TYPE)
    expect(page.locator(".heat td.unread")).to_have_count(23)
    expect(page.locator("main")).to_contain_text("not read yet")
    reading.go_on.set()

    expect(page.locator(".heat td.unread")).to_have_count(0)
    expect(page.locator(".heat a.h5")).to_have_count(2)


def test_a_label_at_the_top_of_a_chart_lies_below_its_title(browser: Browser, served: Served, reading: Reading) -> None:
    reading.events = 1  # received in a whole second: the chart begins and ends with one
    reading.go_on.set()
    with let_in(browser, served.console.url, served.console.link("/nowhere"), bypass_csp=True) as context:
        watched = Watched(context.new_page())
        watched.page.goto(TYPE)
        expect(watched.page.locator("#charts .label.beside").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d"))

        assert watched.overlaps() == []


def test_a_page_that_is_opened_or_read_again_shows_what_there_is_by_now(page: Page, reading: Reading) -> None:
    reading.go_on.set()
    page.goto(TYPE)
    expect(page.locator(".heat a.h5")).to_have_count(2)
    for read in (page.reload, page.get_by_role("button", name="read again").click):
        reading.events += 1
        read()
        expect(page.locator(".heat a.h5")).to_have_count(reading.events)
        expect(page.locator(".facts strong").first).to_have_text(str(reading.events))


def test_a_text_that_cannot_be_had_is_not_called_damaged_and_back_leads_before_the_event(
    page: Page, reading: Reading
) -> None:
    reading.go_on.set()
    page.goto("/quarantine?id=none")
    page.goto("/entity?id=e&day=2025-11-28")
    page.goto(f"/entity?id=e&day=2025-11-28&event={KNOWN.event_id}")
    dialog = page.get_by_role("dialog")

    expect(dialog.get_by_role("alert")).to_contain_text("could not be read, so its hash is not checked")
    expect(dialog).not_to_contain_text("differs from the accepted event")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("day=2025-11-28$"))
    page.go_back()
    expect(page).to_have_url(re.compile("day=2025-11-28$"))
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            (500, problem("The raw object raw/a does not contain the event.")),
            "so its hash is not checked. The raw object raw/a does not contain",
        ),
        ((200, b'{"source":"s","payload":2}'), "It differs from the accepted event."),
    ],
    ids=["gone", "changed"],
)
def test_a_text_that_is_damaged_is_told_as_that(page: Page, reading: Reading, raw: Answer, told: str) -> None:
    reading.raw = raw
    reading.go_on.set()
    page.goto(f"/entity?id=e&day=2025-11-28&event={KNOWN.event_id}")
    alert = page.get_by_role("dialog").get_by_role("alert")

    expect(alert).to_contain_text(told)
    expect(alert).to_contain_text("retrace check verify")


def test_tabs_that_read_leave_room_for_what_is_opened_beside_them(page: Page, reading: Reading) -> None:
    tabs = [page.context.new_page() for _ in range(4)]
    for tab in tabs:
        tab.goto(TYPE)
    page.goto("/entity")

    expect(page.get_by_role("heading", level=1)).to_have_text("Entity")
    reading.go_on.set()
    for tab in tabs:
        expect(tab.locator(".heat a.h5")).to_have_count(2)


def test_a_browser_whose_language_is_none_is_answered_in_english(page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'language', { configurable: true, value: 'en-US@posix' })")
    page.goto("/entity")

    expect(page.get_by_role("heading", level=1)).to_have_text("Entity")
