"""Replays, versions and refusals in the console, when answers fail or there are many. The API is a scripted one."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.chromium import Watched, let_in
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem

DAY = "2025-11-28"
JOB: dict[str, Any] = {
    "replay_id": "job-0",
    "state": "COMPLETE",
    "request": {"source": "s", "event_type": "t", "day": DAY},
    "requested_by": "somebody",
    "created_at": f"{DAY}T09:00:10.000000000Z",
    "updated_at": f"{DAY}T09:00:10.000000000Z",
    **dict.fromkeys(("cancelled_by", "may_change_until", "dead_letters_until", "failure", "advice")),
    **dict.fromkeys(("scanned", "matched", "sent", "processed"), 3),
    **dict.fromkeys(("failed", "dropped"), 0),
}
RUNNING = {**JOB, "replay_id": "running", "state": "SENDING"}
REFUSAL: dict[str, Any] = {
    "rejected_id": f"{DAY}.{'ab' * 32}",
    "status": "REJECTED",
    "errors": [{"field": "entity_id", "message": "is missing"}],
    "ingest_time": f"{DAY}T09:00:10.000000000Z",
    "content_type": "application/json",
    "request_id": "r",
    "size": 2,
    "retried": False,
    "headers": {},
    "body": "{}",
    "retries": [],
}
VERSIONS: list[dict[str, Any]] = [
    {
        "replay_id": f"version-{number:02}",
        "event_count": 36 if number > 15 else 27,
        "inputs_hash": ("b" if number > 15 else "a") * 64,
        "counts_by_type": {"t": 1},
        "other_types_count": 0,
        "computed_at": f"{DAY}T09:{number:02}:10.000000000Z",
        "complete": True,
        "partial_because": [],
        "arrived_since": 0,
    }
    for number in range(19, -1, -1)
]
AGGREGATES = {"entity_id": "a", "day": DAY, "versions": VERSIONS, "late_arrivals": 0, "exact": True, "cursor": None}
DIFFERENCE = {
    "from": VERSIONS[4],
    "to": VERSIONS[0],
    "counts": {"only_in_from": 0, "only_in_to": 0, "changed": 0, "shared": 27},
    **{name: [] for name in ("only_in_from", "only_in_to", "changed")},
    "cursor": "next",
}
INPUTS = [{"event_id": letter * 64, "event_time": f"{DAY}T12:00:00Z", "content_sha256": "x"} for letter in "ab"]
REST = DIFFERENCE | {
    "counts": {"only_in_from": 0, "only_in_to": 2, "changed": 0, "shared": 0},
    "only_in_to": INPUTS,
    "cursor": None,
}
SOURCE = {"source": "s", "event_type": "t", "last_seen": f"{DAY}T09:00:10.000000000Z"}
NOT_ALLOWED: Answer = (403, problem("It is not allowed."))


@pytest.fixture
def said() -> dict[str, Answer]:
    """What the API says, as long as nothing else is said."""
    return {
        "GET /replay": (200, {"items": [RUNNING, JOB], "cursor": "c"}),
        "GET /replay/running": (200, RUNNING),
        "GET /rejected": (200, {"items": [REFUSAL] * 50, "cursor": "c"}),
        f"GET /rejected/{REFUSAL['rejected_id']}": (200, REFUSAL),
        "GET /aggregates": (200, AGGREGATES),
        "GET /aggregates/diff": (200, DIFFERENCE),
        "GET /aggregates/diff next": (200, REST),
        "GET /events": (200, {"items": [], "cursor": None}),
        "GET /sources": (200, {"items": [SOURCE], "cursor": None, "looked_back_to": DAY}),
    }


@pytest.fixture
def served(said: dict[str, Answer]) -> Iterator[Served]:
    def answered(asked: Asked) -> Answer:
        of_page = said.get(f"{asked.call} {asked.query.get('cursor')}")
        return of_page or said.get(asked.call, (404, problem("There is nothing here.")))

    with console(answered) as served:
        yield served


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page that was let in, in which no script fails, whatever the API answers."""
    with let_in(browser, served.console.url, served.console.link("/nowhere")) as context:
        watched = Watched(context.new_page())
        watched.page.goto("/nowhere")
        yield watched.page
        assert [fault for fault in watched.faults if "Failed to load resource" not in fault] == []


def test_what_was_read_of_a_list_stays_when_more_of_it_cannot_be_had(page: Page, said: dict[str, Answer]) -> None:
    for view, call, rows in (("/replays", "GET /replay", 2), (f"/quarantine?day={DAY}", "GET /rejected", 50)):
        found, more = said[call], page.get_by_role("button", name=re.compile("More|Try again"))
        page.goto(view)
        expect(page.locator("main tbody tr")).to_have_count(rows)
        expect(page.locator("main tbody time").first).to_have_text(f"{DAY} 09:00:10")
        said[call] = NOT_ALLOWED
        more.click()
        expect(page.get_by_role("alert")).to_contain_text("not allowed")
        expect(page.locator("main tbody tr")).to_have_count(rows)
        said[call] = found
        more.click()
        expect(page.locator("main tbody tr")).to_have_count(2 * rows)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_running_replay_is_watched_on_though_an_answer_fails(page: Page, said: dict[str, Answer]) -> None:
    said["GET /replay/running"] = NOT_ALLOWED
    page.goto("/replays")
    expect(page.get_by_role("alert")).to_contain_text("not allowed")
    expect(page.get_by_role("progressbar")).not_to_have_attribute("value", re.compile("."))
    said["GET /replay/running"] = (200, {**RUNNING, "state": "COMPLETE"})

    expect(page.locator("main tbody tr").first).to_contain_text("COMPLETE")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_a_replay_refused_to_do_stays_said_while_it_is_watched(page: Page, said: dict[str, Answer]) -> None:
    said["POST /replay/running/cancel"] = NOT_ALLOWED
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/replay?id=running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("not allowed")
    said["GET /replay/running"] = (200, {**RUNNING, "state": "COMPLETE"})

    expect(page.locator("main .badge").first).to_have_text("COMPLETE")
    expect(page.get_by_role("alert")).to_contain_text("not allowed")


def test_the_versions_between_which_the_number_changed_are_compared_and_others_chosen_with_keys(page: Page) -> None:
    page.goto(f"/aggregates?entity=a&day={DAY}")
    expect(page).to_have_url(re.compile("from=version-15&to=version-19$"))
    expect(page.get_by_role("heading", name="From 27 to 36")).to_be_in_viewport()
    page.get_by_role("button", name="Compare more").click()
    expect(page.locator("table.difference tbody tr")).to_have_count(2)
    page.goto(f"/aggregates?entity=a&day={DAY}&from=version-10&to=version-17")
    page.get_by_role("radio", name="to version-17").focus()
    page.keyboard.press("ArrowDown")  # its row goes then
    expect(page.get_by_role("radio", name="to version-15")).to_be_focused()
    page.goto(f"/aggregates?entity=a&day={DAY}")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("main tbody tr")).to_have_count(20)
    page.get_by_role("radio", name="to version-19").focus()
    for version in (18, 17):
        page.keyboard.press("ArrowDown")
        expect(page).to_have_url(re.compile(f"from=version-15&to=version-{version}$"))
        expect(page.get_by_role("radio", name=f"to version-{version}")).to_be_focused()
    page.get_by_role("radio", name="to version-15").click()
    expect(page.locator("main")).to_contain_text("The same version")
    expect(page.get_by_role("radio", name="version-15", checked=True)).to_have_count(2)
    page.go_back()
    expect(page.get_by_role("radio", checked=True)).to_have_count(2)
    expect(page.get_by_role("radio", name="to version-17")).to_be_checked()


def test_a_form_says_what_its_address_says_and_keeps_the_focus(page: Page) -> None:
    page.goto(f"/quarantine?day={DAY}")
    page.get_by_label("reason").fill("CONFLICT")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("reason=CONFLICT"))
    expect(page.get_by_role("button", name="Show", exact=True)).to_be_focused()
    page.get_by_label("reason").fill("never sent")
    page.go_back()
    expect(page.get_by_label("reason")).to_have_value("")
    page.locator("main").focus()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/replay/new$"))


def test_a_correction_that_was_not_sent_can_be_dropped_and_what_is_refused_again_says_why(
    page: Page, said: dict[str, Answer]
) -> None:
    page.goto(f"/quarantine?id={REFUSAL['rejected_id']}")
    page.get_by_label("Body").fill("another")
    page.reload()
    expect(page.get_by_label("Body")).to_have_value("another")
    page.get_by_role("button", name="Drop").click()

    expect(page.get_by_label("Body")).to_have_value("{}")
    expect(page.get_by_role("button", name="Send corrected")).to_be_disabled()
    no_text = {**REFUSAL, "body_base64": b64encode(b'["\xff",\r\n1]').decode()}
    del no_text["body"]
    said[f"GET /rejected/{REFUSAL['rejected_id']}"] = 200, no_text
    refused = {"status": "REJECTED", "errors": [{"field": "payload", "message": "is wrong still"}], "rejected_id": "r"}
    said[f"POST /rejected/{REFUSAL['rejected_id']}/retry"] = (
        200,
        {
            "results": [refused],
            "counts": {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 1},
            "more_refused": 0,
        },
    )
    page.reload()
    expect(page.get_by_label("Body")).to_have_value('["\ufffd",\n1]')
    page.get_by_label("Body").fill("[0,1]")
    page.get_by_role("button", name="Send corrected").click()
    expect(page.get_by_role("status").filter(has_text="REJECTED")).to_contain_text("is wrong still")
    expect(page.get_by_label("Body")).to_have_value("[0,1]")


def test_on_a_narrow_screen_it_is_seen_what_matters(page: Page, said: dict[str, Answer]) -> None:
    said["GET /rejected"] = 200, {"items": [REFUSAL], "cursor": None}
    page.set_viewport_size({"width": 390, "height": 844})
    for view, last in (
        (f"/quarantine?day={DAY}", "main tbody tr:first-child td:nth-child(2)"),
        (f"/?day={DAY}", ".matrix .strip .column:last-child"),
        (f"/type?source=s&type=t&day={DAY}", ".heat tbody tr:first-child td:last-child"),
    ):
        page.goto(view)
        expect(page.locator(last)).to_be_attached()
        box = page.locator(last).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390, view
        expect(page.get_by_role("link", name="Quarantine")).to_be_in_viewport(ratio=1)
        places = page.locator("#top nav a").evaluate_all("(links) => links.map((link) => link.offsetTop)")
        assert len(set(places)) == 1  # one line


def test_hours_to_come_look_unlike_empty_ones(page: Page) -> None:
    page.clock.set_fixed_time(f"{DAY}T09:30:00Z")
    page.goto(f"/?day={DAY}")
    strip = page.get_by_role("table", name="Events by source and type").locator(".strip")

    expect(strip.locator(".future")).to_have_count(14)
    expect(strip.locator("a.none")).to_have_count(10)
    expect(strip.locator(".future").first).to_have_text("has not come yet")
    looks = {
        strip.locator(kind).first.evaluate("(one) => getComputedStyle(one).background") for kind in (".future", ".none")
    }
    assert len(looks) == 2


WATCHED = """
window.loading = 0;
new MutationObserver(() => { window.loading += document.querySelectorAll('main .loading, main [role=alert]').length; })
    .observe(document.querySelector('main'), {childList: true, subtree: true});
"""


def test_the_overview_reads_again_quietly(page: Page, said: dict[str, Answer]) -> None:
    page.clock.install(time=f"{DAY}T09:00:30Z")
    page.goto("/")
    events = page.get_by_role("table", name="Events by source and type").locator(".line .number").first
    expect(events).to_have_text("0")
    expect(page.locator("main .loading")).to_have_count(0)
    read_at = page.locator(".asof").inner_text()
    told = page.locator("#said").text_content()
    page.evaluate(WATCHED)
    page.locator(".matrix a").first.focus()
    event = {"event_id": "ab" * 32, "source": "s", "event_type": "t", "entity_id": "e", "ingest_lag_ms": 0}
    times = dict.fromkeys(("event_time", "ingest_time"), f"{DAY}T09:00:10.000000000Z")
    said["GET /events"] = (200, {"items": [{**event, **times}], "cursor": None})
    page.clock.run_for(31_000)

    expect(events).to_have_text("1")
    expect(page.locator(".asof")).not_to_have_text(read_at)
    expect(page.locator(".matrix a").first).to_be_focused()
    assert page.evaluate("window.loading") == 0
    assert page.locator("#said").text_content() == told


def test_what_stands_in_a_field_as_its_address_says_stays_what_it_is(page: Page) -> None:
    page.goto(f"/aggregates?entity=%20a%0Ab%20&day={DAY}")
    page.get_by_label("UTC day").fill("2025-11-27")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"entity=\+a%0Ab\+&day=2025-11-27"))
    page.get_by_label("entity").fill("  pasted ")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"entity=pasted&"))


def test_the_overview_says_that_stale_days_are_not_counted_if_they_cannot_be_read(
    page: Page, said: dict[str, Answer]
) -> None:
    said["GET /stale"] = (503, problem("Timed out waiting for AWS."))
    page.goto(f"/?day={DAY}")
    stale = page.locator("section[aria-labelledby=stale]")

    expect(stale).to_contain_text("not counted Timed out waiting for AWS.")
    expect(stale).not_to_contain_text("0 stale days")
    expect(page.get_by_role("table", name="Events by source and type")).to_contain_text("t s")
