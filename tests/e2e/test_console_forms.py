"""What somebody writes into the console: it is what is sent, or is told to be wrong. The API is a scripted one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.chromium import let_in
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem

ID = "2026-11-23." + "ab" * 32
WINDOW = "from=2025-11-28T00:00:00Z&to=2025-11-29T00:00:00Z"
PREVIEW: dict[str, Any] = {
    "messages": 36,
    "exact": True,
    "scanned": 36,
    "estimated_seconds": 1,
    "estimated_cost_usd": 0.001,
    "advice": None,
    "by_day": {"2025-11-28": 36},
    "by_type": {"t": 36},
    "by_source": {"s": 36},
}
REFUSED: dict[str, Any] = {
    "rejected_id": ID,
    "status": "REJECTED",
    "errors": [{"field": "entity_id", "message": "is missing"}],
    "ingest_time": "2026-11-23T09:00:10.000000000Z",
    "content_type": "application/json",
    "size": 2,
    "request_id": "r",
    "headers": {},
    "body": "{}",
    "retries": [],
}
RUNNING: dict[str, Any] = {
    "replay_id": "01a2087f-5d30-7685-9d9f-d6fe157fef44",
    "state": "SENDING",
    "request": {"source": "s", "event_type": "t", "day": "2025-11-28", "confirm": 36},
    "requested_by": "arn:aws:iam::000000000000:user/somebody",
    "created_at": "2026-11-23T09:00:10.000000000Z",
    "updated_at": "2026-11-23T09:00:10.000000000Z",
    **dict.fromkeys(("cancelled_by", "may_change_until", "dead_letters_until", "failure", "advice")),
    **dict.fromkeys(("scanned", "matched", "sent", "processed"), 3),
    **dict.fromkeys(("failed", "dropped"), 0),
}
FAILED: dict[str, Any] = RUNNING | {
    "replay_id": "01a2087f-5d30-7685-9d9f-d6fe157fef45",
    "state": "COMPLETE",
    "request": {"source": "s", "event_type": "t", "day": "2025-11-28", "destination": "billing", "rate": 5},
    "reports": True,
    "sent": 9,
    "processed": 7,
    "failed": 2,
}
SOURCES = [
    {"source": f"s{n:02}", "event_type": "t", "last_seen": f"2026-11-23T09:00:{n:02}.000000000Z"} for n in range(50)
]
DESTINATIONS = [
    {"name": "aggregates", "kind": "queue", "built_in": True, "ordered": False, "reports": True},
    {"name": "billing", "kind": "fifo", "built_in": False, "ordered": True, "reports": True},
]
SAID = {
    "GET /destinations": (200, {"items": DESTINATIONS}),
    "GET /events": (403, {"Message": "The security token included in the request is expired"}),
    "GET /replay": (200, {"items": [], "cursor": None}),
    "GET /sources": (200, {"items": SOURCES, "cursor": None, "looked_back_to": "2026-10-23"}),
    "GET /rejected": (200, {"items": [], "cursor": None}),
    f"GET /rejected/{ID}": (200, REFUSED),
    f"GET /replay/{RUNNING['replay_id']}": (200, RUNNING),
    f"GET /replay/{FAILED['replay_id']}": (200, FAILED),
}


def answered(asked: Asked) -> Answer:
    """An API that counts replays and takes none, and lets nobody list events."""
    if asked.call == "POST /replay":
        return (200, PREVIEW) if asked.query.get("dry_run") else (503, problem("It is not known what became of it."))
    return SAID.get(asked.call, (404, problem("There is nothing here.")))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with console(answered) as served:
        yield served


@pytest.fixture(scope="module")
def context(browser: Browser, served: Served) -> Iterator[BrowserContext]:
    with let_in(browser, served.console.url, served.console.link("/nowhere")) as context:
        yield context


@pytest.fixture
def page(browser: Browser, served: Served, context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a browser that was let in: of its own where a test wants another, else of one that is shared."""
    options, link = getattr(request, "param", {}), served.console.link("/nowhere")
    with let_in(browser, served.console.url, link, **options) if options else nullcontext(context) as here:
        page = here.new_page()
        yield page
        page.close()


def sent(served: Served) -> list[Asked]:
    """The replays that were asked for, counts left out."""
    return [asked for asked in served.api.calls("POST /replay") if not asked.query.get("dry_run")]


def test_a_rate_that_is_no_number_is_not_left_out(page: Page, served: Served) -> None:
    page.goto(f"/replay/new?entity=a&{WINDOW}&rate=0,5")
    expect(page.get_by_role("button", name="Send 36")).to_be_visible()

    assert served.api.calls("POST /replay")[-1].body["rate"] == "0,5"


def test_what_is_written_after_the_count_has_to_be_counted_before_it_is_sent(page: Page, served: Served) -> None:
    page.goto(f"/replay/new?entity=a&{WINDOW}")
    page.get_by_role("button", name="Send 36").wait_for()
    page.get_by_label("messages a second").fill("1")

    expect(page.get_by_role("alert")).to_contain_text("Count again")
    expect(page.get_by_role("button", name="Send 36")).to_have_count(0)
    page.get_by_role("button", name="Count").click()
    page.get_by_role("button", name="Send 36").click()
    expect(page.get_by_role("alert")).to_contain_text("what became of it")
    assert sent(served)[-1].body["rate"] == 1


def test_a_replay_that_is_sent_again_for_want_of_an_answer_is_the_same_one(page: Page, served: Served) -> None:
    before = len(sent(served))
    page.goto(f"/replay/new?entity=a&{WINDOW}")
    for _ in range(2):
        with page.expect_response("**/api/replay"):
            page.get_by_role("button", name="Send 36").click()
        expect(page.get_by_role("alert")).to_contain_text("what became of it")
    for rate in ("", "1"):
        page.get_by_label("messages a second").fill(rate)
        page.get_by_role("button", name="Count").click()
        page.get_by_role("button", name="Send 36").click()
        expect(page.get_by_role("alert")).to_contain_text("what became of it")
    asked = {asked.headers["idempotency-key"]: asked.body.get("rate") for asked in sent(served)[before:]}

    assert list(asked.values()) == [None, 1]


def test_a_replay_of_an_entity_and_a_source_at_once_is_not_guessed(page: Page, served: Served) -> None:
    page.goto(f"/replay/new?entity=a&{WINDOW}&source=s&type=t&start_day=2025-11-28")

    expect(page.get_by_role("alert")).to_contain_text("one or the other")
    assert not [asked for asked in served.api.calls("POST /replay") if "source" in asked.body]


def test_two_hours_of_a_type_are_counted_as_the_view_shows_them(page: Page, served: Served) -> None:
    page.goto("/type?source=s&type=t&from=2025-11-28T10:00:00Z&to=2025-11-28T12:00:00Z")
    page.get_by_role("link", name="Replay this window").click()
    page.get_by_role("button", name="Send 36").wait_for()

    assert served.api.calls("POST /replay")[-1].body == {
        "source": "s",
        "event_type": "t",
        "start_time": "2025-11-28T10:00:00.000Z",
        "end_time": "2025-11-28T12:00:00.000Z",
    }


@pytest.mark.parametrize("page", [{"timezone_id": "Europe/Berlin"}], indirect=True)
def test_counting_again_in_local_time_counts_the_same_window(page: Page, served: Served) -> None:
    page.goto("/nowhere")
    page.get_by_role("button", name="Times in UTC").click()
    page.goto("/replay/new?entity=a&from=2025-11-28&to=2025-11-29")
    expect(page.get_by_label("from", exact=True)).to_have_value("2025-11-28 01:00:00")
    page.get_by_role("button", name="Send 36").wait_for()
    with page.expect_response(re.compile("/api/replay[?]dry_run=true")):
        page.get_by_role("button", name="Count").click()

    asked = [one.body for one in served.api.calls("POST /replay")[-2:]]
    assert [one["start_time"] for one in asked] == ["2025-11-28T00:00:00.000Z"] * 2


@pytest.mark.parametrize("view", ["/entity?id=a&source=s&type=t", "/type?source=s&type=t"])
@pytest.mark.parametrize(("field", "text"), [("from", "nonsense"), ("to", "2025-11-27")])
def test_a_window_that_is_none_stays_to_be_corrected(page: Page, view: str, field: str, text: str) -> None:
    page.goto(f"{view}&{WINDOW}")
    page.get_by_label(field, exact=True).fill(text)
    page.get_by_role("button", name="Go").click()

    expect(page.locator("input:invalid")).to_have_attribute("name", field)
    expect(page).to_have_url(re.compile(re.escape(WINDOW)))
    page.get_by_label("from", exact=True).fill("2025-11-26")
    page.get_by_label("to", exact=True).fill("2025-11-27")
    page.get_by_role("button", name="Go").click()
    expect(page).to_have_url(re.compile("day=2025-11-26"))


def test_beside_a_failure_nothing_says_that_it_is_loading(page: Page) -> None:
    for view in (f"/entity?id=a&{WINDOW}", f"/type?source=s&type=t&{WINDOW}"):
        page.goto(view)
        expect(page.get_by_role("alert").first).to_contain_text("expired")
        expect(page.get_by_role("alert").first).to_contain_text("aws sso login")
        expect(page.locator(".loading")).to_have_count(0)


def test_a_failure_leaves_the_form_in_which_it_can_be_put_right(page: Page) -> None:
    for view, field in (("/entity?id=a", "entity"), ("/aggregates?entity=a&day=2025-11-28", "entity")):
        page.goto(view)
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_label(field)).to_have_value("a")


def test_an_address_without_a_window_is_of_the_last_24_hours(page: Page, served: Served) -> None:
    for view, call in (("/", "GET /rejected"), ("/quarantine", "GET /rejected")):
        with page.expect_response(re.compile("/api/rejected")):
            page.goto(view)
        expect(page.get_by_label("Window")).to_have_value("24h")
        asked = served.api.calls(call)[-1].query
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start_time", "end_time"))
        assert end - start == timedelta(days=1)


def test_a_correction_outlives_another_theme_and_another_view(page: Page) -> None:
    page.goto(f"/quarantine?id={ID}")
    page.get_by_label("Body").fill('{"corrected":true}')
    page.get_by_role("button", name="Light or dark").click()
    expect(page.get_by_label("Body")).to_have_value('{"corrected":true}')
    page.goto("/replays")
    page.go_back()

    expect(page.get_by_label("Body")).to_have_value('{"corrected":true}')
    expect(page.get_by_role("button", name="Send corrected")).to_be_enabled()


def test_of_many_sources_those_are_shown_that_sent_last(page: Page) -> None:
    page.goto("/")
    rows = page.get_by_role("table", name="Events by source and type").get_by_role("row")

    expect(rows).to_have_count(1 + 40)
    expect(rows.nth(1)).to_contain_text("s10")
    page.get_by_role("button", name="More").click()
    expect(rows).to_have_count(1 + 50)


def test_how_far_a_replay_is_is_told_by_what_was_confirmed(page: Page) -> None:
    page.goto(f"/replay?id={RUNNING['replay_id']}")
    bar = page.get_by_role("progressbar")

    expect(bar).to_have_attribute("max", "36")
    expect(bar).to_have_attribute("value", "3")
    expect(page.locator("main")).to_contain_text("2026-11-23 09:00:10")


def test_a_destination_is_chosen_of_those_that_the_stage_declares(page: Page, served: Served) -> None:
    page.goto(f"/replay/new?entity=a&{WINDOW}")
    chooser = page.locator("select[name=destination]")
    expect(chooser.get_by_role("option")).to_have_text(
        ["aggregates: computed by Retrace", "billing: fifo, in order, reports outcomes"]
    )
    chooser.select_option("billing")
    page.get_by_role("button", name="Count").click()
    page.get_by_role("button", name="Send 36").click()
    expect(page.get_by_role("alert")).to_contain_text("what became of it")

    assert sent(served)[-1].body["destination"] == "billing"


def test_what_a_consumer_did_not_process_is_asked_for_by_a_form_of_its_replay(page: Page, served: Served) -> None:
    page.goto(f"/replay?id={FAILED['replay_id']}")
    page.get_by_role("link", name="Send the 2 that are not processed").click()
    page.get_by_role("button", name="Send 36").wait_for()

    assert served.api.calls("POST /replay")[-1].body == {
        "source": "s",
        "event_type": "t",
        "start_day": "2025-11-28",
        "end_day": "2025-11-28",
        "destination": "billing",
        "only": "unprocessed",
        "of": FAILED["replay_id"],
    }
