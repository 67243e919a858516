"""The console's page in a real browser, before an API that a test scripts: intruders, faults, dead letters.

What intruders try on every server of this machine is in test_intruders.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.chromium import let_in
from tests.e2e.evil_page import evil_page
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem

JOB: dict[str, Any] = {
    "replay_id": "01a2087f-5d30-7685-9d9f-d6fe157fef44",
    "state": "COMPLETE",
    "request": {"source": "shop", "event_type": "order.paid", "day": "2025-11-28"},
    "requested_by": "arn:aws:iam::000000000000:user/somebody",
    "created_at": "2026-11-23T09:00:00.000000000Z",
    "updated_at": "2026-11-23T09:00:05.000000000Z",
    "cancelled_by": None,
    "may_change_until": None,
    "dead_letters_until": None,
    "failure": None,
    "advice": None,
    **dict.fromkeys(("scanned", "matched", "sent"), 10),
    "processed": 8,
    "failed": 2,
    "dropped": 0,
}


class Script:
    """An API with one replay, whose dead letters may be sent back."""

    def __init__(self) -> None:
        self.coming: list[dict[str, Any]] = [JOB]

    def __call__(self, asked: Asked) -> Answer:
        if asked.call.endswith("/redrive"):
            # As the API has it: the job is as it was until a planner has found its dead letters.
            self.coming = [JOB, {**JOB, "processed": 10, "failed": 0}]
            return 202, JOB
        if asked.call.startswith("GET /replay/01a2"):
            return 200, self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]
        if asked.call == "GET /aggregates":
            return 403, {"message": "User is not authorized to access this resource"}
        if asked.call == "GET /replay":
            return 200, {"items": [], "cursor": None}
        if asked.call == "GET /rejected":
            return 500, problem("It cannot be listed.")
        return 404, problem("There is nothing here.")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with console(Script()) as served:
        yield served


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page of a browser that was let in."""
    with let_in(browser, served.console.url, served.console.link("/replays")) as context:
        [page] = context.pages
        expect(page.locator("main")).to_contain_text("There has been no replay.")  # it asks for nothing else
        yield page


def test_the_page_cannot_be_framed(page: Page, served: Served) -> None:
    with evil_page(f'<iframe src="{served.console.url}replays"></iframe>') as evil:
        page.goto(evil.url)
        frame = page.frames[-1]
        frame.wait_for_url("chrome-error://**")  # it may be told after the page around it has loaded

        assert frame.url.startswith("chrome-error:")


def test_a_server_on_another_port_is_not_sent_the_token_and_its_page_does_not_find_it(
    page: Page, served: Served
) -> None:
    look = "fetch('/looked').then(() => document.cookie + document.referrer + JSON.stringify(localStorage))"
    with evil_page(f'<a href="{served.console.link()}">look</a>') as evil:
        page.goto(evil.url)
        found = page.evaluate(look)
        page.click("a")
        expect(page.locator("main")).to_contain_text("Overview")
        page.goto(evil.url)
        found += page.evaluate(look)

    assert served.console.token not in found
    assert len(evil.told) >= 4
    assert not any(served.console.token in told for told in evil.told)


def test_the_token_stays_in_no_address(page: Page, served: Served) -> None:
    page.goto(served.console.link("/replays"))
    expect(page).to_have_url(f"{served.console.url}replays")

    assert page.evaluate("history.length") <= 3


def test_a_link_that_is_opened_in_a_page_that_was_not_let_in_lets_it_in(browser: Browser, served: Served) -> None:
    page = browser.new_page(locale="en-GB")
    page.goto(f"{served.console.url}replays")
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(served.console.link("/replays"))

    expect(page.locator("main")).to_contain_text("There has been no replay.")
    page.close()


def test_a_link_with_a_made_up_token_does_not_log_the_browser_out(page: Page, served: Served) -> None:
    with evil_page(f'<a href="{served.console.url}replays#token=made-up">look</a>') as evil:
        page.goto(evil.url)
        page.click("a")

        expect(page).to_have_url(f"{served.console.url}replays")
        expect(page.locator("main")).to_contain_text("There has been no replay.")
        page.goto(f"{served.console.url}replays#token=made-up-too")  # the page lies open: nothing is loaded
        page.reload()
        expect(page.locator("main")).to_contain_text("There has been no replay.")


def test_a_browser_that_an_older_start_let_in_is_let_in_by_the_link_of_this_one(
    browser: Browser, served: Served
) -> None:
    with let_in(browser, served.console.url, f"{served.console.url}replays#token=of-an-older-start") as context:
        [page] = context.pages
        expect(page.get_by_role("alert")).to_be_visible()
        page.goto("about:blank")
        page.goto(served.console.link("/replays"))

        expect(page.locator("main")).to_contain_text("There has been no replay.")


def test_a_browser_that_was_not_let_in_is_told_what_to_do(browser: Browser, served: Served) -> None:
    page = browser.new_page(locale="en-GB")
    page.goto(f"{served.console.url}replays")

    expect(page.get_by_role("alert")).to_contain_text("Open the address that `retrace console` printed")
    page.close()


def test_a_refusal_of_aws_says_whose_rights_to_look_at(page: Page) -> None:
    page.goto("/aggregates?entity=depot-lyon&day=2025-11-28")

    expect(page.get_by_role("alert")).to_contain_text("not authorized")
    expect(page.get_by_role("alert")).to_contain_text("policy for this route")


def test_a_fault_of_the_api_is_told_and_can_be_tried_again(page: Page) -> None:
    page.goto("/quarantine")

    expect(page.get_by_role("alert")).to_contain_text("It cannot be listed.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_dead_letters_are_sent_back(page: Page, served: Served) -> None:
    page.goto(f"/replay?id={JOB['replay_id']}")
    expect(page.locator("main .badge").first).to_have_text("COMPLETE, with dead letters")
    page.get_by_role("button", name="Redrive 2 dead letters").click()

    expect(page.locator("main")).to_contain_text("Dead letters are sent back.")
    expect(page.locator("main .badge").first).to_have_text("COMPLETE")
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)
    assert len(served.api.calls(f"POST /replay/{JOB['replay_id']}/redrive")) == 1


def test_a_view_that_is_none_leads_back(page: Page) -> None:
    page.goto("/nowhere")

    expect(page.locator("main")).to_contain_text("There is no such view.")
