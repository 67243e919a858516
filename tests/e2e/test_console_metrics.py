"""Metrics in the console: values, differences, contributions and totals by day. The API is a scripted one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.chromium import Watched, let_in
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem

Json = dict[str, Any]

DAY = "2025-11-28"
AT = f"{DAY}T09:00:10.000000000Z"
HUGE = "12345678901234567890123456789012.05"
WHAT_IF = "0199f6a1-0000-8a21-818b-d9d1ed6d74cf"
EUR, SEK = {"/currency": "EUR"}, {"/currency": "SEK"}
REVENUE = "a" * 64
DRAFT = "d" * 64


def metric(name: str, *, state: str = "ACTIVE", **definition: Any) -> Json:
    known = {"name": name, "time_zone": "UTC", **definition}
    changed = {"changed_at": AT, "changed_by": "user/finance"}
    return {
        "name": name,
        "state": state,
        "built_in": False,
        "definition_sha256": REVENUE,
        "definition": known,
        **changed,
    }


BUILT_IN = {**metric("daily_event_count", aggregate="count"), "built_in": True, "changed_at": None, "changed_by": None}
PAYMENTS: Json = {"source": "northpay", "event_types": ["captured"], "value": "/amount"}
METRICS = [
    BUILT_IN,
    metric("gone", state="RETIRED", aggregate="sum", **PAYMENTS),
    metric("largest", aggregate="max", **PAYMENTS),
    metric("revenue", aggregate="sum", group_by=["/currency"], time_zone="Europe/Paris", **PAYMENTS),
    metric("users", aggregate="distinct", **PAYMENTS),
    metric("volume", aggregate="sum", **PAYMENTS),
]


def measured(name: str, value: str | None, group: Json | None = None, sha: str = REVENUE, **more: Any) -> Json:
    counts = {"inputs": 27, "skipped": 0, **more}
    return {"name": name, "definition_sha256": sha, "group": group or {}, "value": value, **counts}


def version(replay_id: str, inputs: str, *metrics: Json, **more: Any) -> Json:
    return {
        "replay_id": replay_id,
        "calendar": "UTC",
        "event_count": 27,
        "inputs_hash": inputs * 64,
        "counts_by_type": {"captured": 27},
        "other_types_count": 0,
        "computed_at": AT,
        "complete": True,
        "arrived_since": 0,
        "window_start": "2025-11-27T23:00:00.000000000Z",
        "window_end": "2025-11-28T23:00:00.000000000Z",
        "metrics": list(metrics),
        **more,
    }


def revenue(eur: str, sek: str) -> tuple[Json, ...]:
    rest = measured("revenue", None, inputs=0, skipped=2)
    return (rest, measured("revenue", eur, EUR), measured("revenue", sek, SEK))


SECOND = version(
    "second",
    "b",
    *revenue(HUGE, "10"),
    measured("volume", "1010.5"),
    measured("largest", "9", event_id="e" * 64),
    measured("users", None),
)
FIRST = version(
    "first", "a", *revenue("5", "10.5"), measured("volume", "1000"), measured("largest", "8", event_id="f" * 64)
)
TRIED = version(WHAT_IF, "b", measured("volume", "505.25", sha=DRAFT), what_if=True)
DELTA = "12345678901234567890123456789006.55"


def weighed(number: int, from_value: str | None, to_value: str | None, group: Json | None = None) -> Json:
    event = {"event_id": f"{number:064}", "event_time": f"{DAY}T10:00:{number:02}Z", "event_type": "captured"}
    groups = {"from_group": group or {} if from_value else {}, "to_group": group or {} if to_value else {}}
    return {**event, "from_value": from_value, "to_value": to_value, **groups}


def compared(from_: Json, to: Json, **metric: Any) -> Json:
    lists = dict.fromkeys(("only_in_from", "only_in_to", "changed"), 0)
    empty: Json = {name: [] for name in lists}
    return {"from": from_, "to": to, "counts": {**lists, "shared": 27}, **empty, "metric": metric, "cursor": None}


def difference(asked: Asked) -> Answer:
    """A difference of a metric as the API tells it: of volume in two pages."""
    name, cursor = asked.query.get("metric"), asked.query.get("cursor")
    hashes = {"from_definition_sha256": REVENUE, "to_definition_sha256": REVENUE}
    if name == "revenue":
        events = [weighed(1, "0.5", None, SEK), weighed(2, None, "12345678901234567890123456789007.05", EUR)]
        values = {"from_value": "15.5", "to_value": "12345678901234567890123456789022.05", "delta": DELTA}
        return 200, compared(FIRST, SECOND, name=name, differs=["inputs"], contributions=events, **values, **hashes)
    if name == "volume" and asked.query["to"] == WHAT_IF:
        values = {"from_value": "1010.5", "to_value": "505.25", "delta": "-505.25"}
        events = [{**weighed(1, "505.25", None), "to_skipped": "/net is missing"}]
        hashes |= {"to_definition_sha256": DRAFT}
        return 200, compared(SECOND, TRIED, name=name, differs=["definition"], contributions=events, **values, **hashes)
    if name == "volume":
        values = {"from_value": "1000", "to_value": "1010.5", "delta": "10.5"}
        some = [weighed(number, None, "0.25") for number in range(20)] if cursor is None else [weighed(30, None, "5.5")]
        found = compared(
            FIRST, SECOND, name=name, differs=["inputs", "definition"], contributions=some, **values, **hashes
        )
        return 200, {**found, "cursor": "rest" if cursor is None else None}
    found = compared(FIRST, SECOND)
    del found["metric"]
    return 200, found


def contributed(asked: Asked) -> Answer:
    """Inputs of a version: 130 that contribute, the last the most, and one that was skipped."""
    base = {"event_time": AT, "event_type": "captured", "content_sha256": "x"}
    every: list[Json] = [
        {**base, "event_id": f"{number:064}", "value": f"{number}.10", "group": EUR} for number in range(1, 131)
    ]
    limit = int(asked.query["limit"])
    if asked.query.get("by") == "contribution":
        return 200, {"items": every[::-1][:limit], "cursor": None, "exact": True}
    skipped: Json = {**base, "event_id": "5" * 64, "value": None, "group": {}, "skipped": "/amount is not a number"}
    pages = {None: (every[:limit], "more"), "more": ([*every[limit:], skipped], None)}
    items, cursor = pages[asked.query.get("cursor")]
    return 200, {"items": items, "cursor": cursor}


def total(day: date, group: Json, value: str, **more: Any) -> Json:
    made = {"definition_sha256": REVENUE, "replay_id": "second", "versions": 3, "inputs": 9, "skipped": 0}
    return {
        "day": day.isoformat(),
        "group": group,
        "value": value,
        "complete": True,
        "arrived_since": 0,
        **made,
        **more,
    }


def totals(asked: Asked) -> Answer:
    """Totals of some days: the first page is empty, the 5th is partial, the 6th stale, and the 7th is missing."""
    first, last = (date.fromisoformat(asked.query[name]) for name in ("start_day", "end_day"))
    if asked.query.get("by") == "entity":
        values = [{**total(first, EUR, "7.25"), "entity_id": f"merchant-{number}"} for number in range(3)]
        return 200, {"values": values, "missing": [], "replays": [], "cursor": None}
    if "cursor" not in asked.query:
        return 200, {"values": [], "missing": [], "replays": [], "cursor": "go on"}
    days = [first + timedelta(days=at) for at in range((last - first).days + 1)]
    marks: dict[int, Json] = {
        5: {"complete": False, "partial_because": ["Its replay left out an hour."]},
        6: {"arrived_since": 4},
    }
    groups = ((EUR, "1000.50"), (SEK, "-20"))
    values = [
        total(day, group, value, **marks.get(day.day, {})) for day in days if day.day != 7 for group, value in groups
    ]
    missing = [{"day": day.isoformat(), "reason": "No complete replay computed it."} for day in days if day.day == 7]
    mend = {"source": "northpay", "event_type": "captured", "day": "2025-11-07"}
    return 200, {"values": values, "missing": missing, "replays": [mend] if missing else [], "cursor": None}


@pytest.fixture
def said() -> dict[str, Any]:
    """What the API says, as long as nothing else is said."""
    versions = {"entity_id": "m", "day": DAY, "late_arrivals": 0, "exact": True, "cursor": None}
    text = {**METRICS[3], "versions": [{"definition_sha256": REVENUE, "definition": METRICS[3]["definition"]}]}
    text["versions"][0] |= {"defined_at": AT, "defined_by": "user/finance", "retired_at": None}
    return {
        "GET /metrics": (200, {"items": METRICS, "cursor": None}),
        "GET /metrics/revenue": (200, text),
        "GET /metrics/revenue/values": totals,
        "GET /metrics/users": (200, {**text, **METRICS[4]}),
        "GET /aggregates": (200, {**versions, "versions": [SECOND, FIRST, TRIED]}),
        "GET /aggregates/diff": difference,
        "GET /aggregates/inputs": contributed,
        "GET /sources": (200, {"items": [], "cursor": None, "looked_back_to": DAY}),
        "GET /replay": (200, {"items": [{**JOB, "replay_id": WHAT_IF}], "cursor": None}),
        f"GET /replay/{WHAT_IF}": (200, {**JOB, "replay_id": WHAT_IF}),
        "GET /rejected": (200, {"items": [], "cursor": None}),
        "GET /events": (200, {"items": [], "cursor": None}),
    }


JOB: Json = {
    "state": "COMPLETE",
    "request": {"source": "northpay", "event_type": "captured", "day": DAY},
    "requested_by": "user/finance",
    **dict.fromkeys(("created_at", "updated_at"), AT),
    **dict.fromkeys(("cancelled_by", "may_change_until", "dead_letters_until", "failure", "advice", "index_read_to")),
    **dict.fromkeys(("scanned", "matched", "sent", "processed", "failed", "dropped"), 0),
    "metrics": [{"name": "volume", "definition_sha256": DRAFT}],
}


@pytest.fixture
def served(said: dict[str, Any]) -> Iterator[Served]:
    def answered(asked: Asked) -> Answer:
        found = said.get(asked.call, (404, problem("There is nothing here.")))
        answer: Answer = found(asked) if callable(found) else found
        return answer

    with console(answered) as served:
        yield served


@pytest.fixture
def watched(browser: Browser, served: Served) -> Iterator[Watched]:
    with let_in(browser, served.console.url, served.console.link("/nowhere"), bypass_csp=True) as context:
        watched = Watched(context.new_page())
        yield watched
        assert [fault for fault in watched.faults if "Failed to load resource" not in fault] == []


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


ASKED = f"/aggregates?entity=m&day={DAY}"
MONTH = "/metrics?name=revenue&from=2025-11-01T00:00:00Z&to=2025-11-12T00:00:00Z"


def rows(page: Page) -> list[str]:
    """The rows of the waterfall."""
    return [" ".join(text.split()) for text in page.locator(".waterfall li").all_inner_texts()]


def test_a_metric_is_chosen_in_the_days_of_its_calendar_and_the_address_says_which(page: Page, served: Served) -> None:
    page.goto(ASKED)
    expect(page.locator("#diff-title")).to_have_text("From 27 to 27")
    page.get_by_label("metric").select_option(label="revenue, Europe/Paris")

    expect(page).to_have_url(re.compile(r"metric=revenue&calendar=Europe%2FParis&from=first&to=second$"))
    expect(page.locator("main")).to_contain_text("from 2025-11-27 23:00 to 2025-11-28 23:00 UTC, 24 hours")
    expect(page.locator("table.list").first).to_contain_text("EUR 12,345,678,901,234,567,890,123,456,789,012.05")
    assert served.api.calls("GET /aggregates")[-1].query["calendar"] == "Europe/Paris"
    page.goto(f"{ASKED}&metric=revenue")
    expect(page).to_have_url(re.compile(r"metric=revenue&calendar=Europe%2FParis&from=first&to=second$"))
    page.get_by_label("metric").select_option(label="gone")
    expect(page.locator("main")).to_contain_text("No version of this day has the metric gone")
    page.get_by_role("link", name="Replay the day").click()
    expect(page.get_by_label("only these metrics")).to_have_value("gone")


def test_a_difference_is_a_waterfall_of_exact_changes_that_ends_at_the_second_value(page: Page) -> None:
    page.goto(f"{ASKED}&metric=volume")
    expect(page.locator("#diff-title")).to_have_text("From 1,000 to 1,010.5")
    expect(page.locator("main")).to_contain_text("+10.5: 20 events contribute differently so far.")
    expect(page.locator("main")).to_contain_text("The inputs and the definition differ.")
    shown = rows(page)
    assert (shown[0], shown[-1]) == ("first version 1,000", "second version 1,010.5")
    assert shown[-3:-1] == ["8 more events +2", "not compared yet +5.5"]
    expect(page.locator("main")).to_contain_text("The scale does not begin at zero")
    page.get_by_role("button", name="Compare more").click()
    expect(page.locator(".waterfall")).not_to_contain_text("not compared yet")

    assert rows(page)[1].endswith("captured +5.5")
    listed = page.locator("table.difference tbody tr")
    expect(listed).to_have_count(21)
    expect(listed.first).to_contain_text("nothing")
    expect(listed.first).to_contain_text("+5.5")
    listed.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"event={30:064}"))


def test_of_a_metric_with_groups_a_group_alone_is_explained(watched: Watched, served: Served) -> None:
    page = watched.page
    page.goto(f"{ASKED}&metric=revenue")
    groups = page.locator("section[aria-labelledby=diff-title] table.groups tbody tr")
    expect(groups).to_have_count(2)
    expect(groups.nth(1)).to_contain_text("\N{MINUS SIGN}0.5")
    watched.settle()
    asked = len(served.api.asked)
    groups.nth(1).get_by_role("link", name="SEK").click()

    expect(page.locator("#diff-title")).to_have_text("SEK: from 10.5 to 10")
    assert [row.split()[-1] for row in rows(page)] == ["10.5", "\N{MINUS SIGN}0.5", "10"]
    assert len(served.api.asked) == asked, "what was read is not read again"
    page.get_by_role("link", name="All groups together").click()
    expect(page.locator(".waterfall")).to_contain_text("12,345,678,901,234,567,890,123,456,789,022.05")


def test_a_what_if_is_marked_wherever_its_version_or_replay_is_listed(page: Page) -> None:
    page.goto(f"{ASKED}&metric=volume&calendar=UTC&to={WHAT_IF}")
    expect(page).to_have_url(re.compile(f"from=second&to={WHAT_IF}$|to={WHAT_IF}&from=second$"))
    versions = page.locator("section[aria-labelledby=versions-title] tbody tr")
    expect(versions.filter(has_text="what-if")).to_have_count(1)
    expect(versions.last).to_contain_text("what-if")
    expect(page.locator("main")).to_contain_text("The definition differs, the inputs are the same.")
    expect(page.locator("main")).to_contain_text("given with its replay what-if")
    expect(page.locator("table.difference")).to_contain_text("skipped: /net is missing")
    for view in ("/replays", f"/replay?id={WHAT_IF}"):
        page.goto(view)
        expect(page.locator("main .badge.what-if")).to_have_text("what-if")
    expect(page.locator("main")).to_contain_text("Ask for it again with the definition")


def test_metrics_that_do_not_add_up_have_both_values_and_the_events_that_are_not_shared(page: Page) -> None:
    page.goto(f"{ASKED}&metric=largest")

    expect(page.locator("#diff-title")).to_have_text("Events behind largest: from 27 to 27")
    expect(page.locator("main")).to_contain_text("largest went from 8 to 9.")
    expect(
        page.locator("section[aria-labelledby=value-title]").get_by_role("link", name="eeeeeeeeeeee")
    ).to_be_visible()


def test_contributions_are_listed_biggest_first_page_by_page_and_skipped_ones_say_why(page: Page) -> None:
    page.goto(f"{ASKED}&metric=revenue")
    listed = page.locator("table.contributions tbody tr")
    expect(listed).to_have_count(25)
    expect(listed.first).to_contain_text("130.10")
    expect(page.locator("section[aria-labelledby=value-title]")).to_contain_text("2 events")
    for count in (100, 130):
        page.get_by_role("button", name="More").click()
        expect(listed).to_have_count(count)
    expect(listed.last).to_contain_text("1.10")
    page.get_by_role("link", name="skipped", exact=True).click()
    expect(listed).to_have_count(1)
    expect(listed).to_contain_text("/amount is not a number")
    page.get_by_role("link", name="by time").click()
    expect(page).to_have_url(re.compile("list=time"))
    expect(listed).to_have_count(100)
    page.get_by_role("button", name="More").click()
    expect(listed.last).to_contain_text("skipped: /amount is not a number")
    page.goto(f"{ASKED}&metric=users")
    expect(listed).to_have_count(100)
    expect(page.get_by_role("link", name="biggest first")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(
        "Values of distinct and percentile are computed when they are asked for"
    )


def test_metrics_are_listed_with_what_they_compute_and_a_definition_leads_to_its_text(page: Page) -> None:
    page.goto("/metrics")
    active, retired = (
        page.locator("section[aria-labelledby=active] tr"),
        page.locator("section[aria-labelledby=retired] tr"),
    )
    expect(retired.last).to_contain_text("gone")
    expect(active.filter(has_text="revenue")).to_contain_text(
        "sum of /amount by /currency, captured of northpay, days of Europe/Paris"
    )
    active.filter(has_text="revenue").get_by_role("link", name="aaaaaaaaaaaa").click()

    expect(page).to_have_url(re.compile(f"/metrics\\?name=revenue&definition={REVENUE}"))
    expect(page.locator(".definition.named pre")).to_contain_text('"time_zone": "Europe/Paris"')
    page.goto("/metrics?name=revenue&definition=other")
    expect(page.locator("main")).to_contain_text("The definition other is not among them")


def test_without_metrics_the_view_says_how_to_define_one(page: Page, said: dict[str, Any]) -> None:
    said["GET /metrics"] = (200, {"items": [BUILT_IN], "cursor": None})
    page.goto("/metrics")

    expect(page.locator("main")).to_contain_text("No metric is defined yet.")
    expect(page.locator("main")).to_contain_text("retrace metrics apply FILE")


def test_a_definition_keeps_the_digits_that_it_was_sent_with(page: Page) -> None:
    body = json.dumps({**METRICS[3], "built_in": True, "versions": []}).replace(
        '"/currency"', "12345678901234567890.10"
    )
    page.route("**/api/metrics/revenue", lambda route: route.fulfill(body=body, content_type="application/json"))
    page.goto(MONTH)

    expect(page.locator(".definition pre")).to_contain_text("12345678901234567890.10")


def test_totals_by_day_are_a_chart_whose_days_say_how_far_they_can_be_trusted(page: Page, served: Served) -> None:
    page.goto(MONTH)
    days = page.get_by_role("group", name="EUR by day").get_by_role("link")
    expect(days).to_have_count(12)
    for day, look, told in (
        ("04", "day ", "EUR, 2025-11-04: 1,000.50, complete"),
        ("05", "day partial", "EUR, 2025-11-05: 1,000.50, partial: Its replay left out an hour."),
        ("06", "day stale", "EUR, 2025-11-06: 1,000.50, complete, stale: 4 came since"),
        ("07", "day missing", "EUR, 2025-11-07: No complete replay computed it."),
    ):
        named = days.and_(page.get_by_label(f"2025-11-{day}"))
        expect(named).to_have_attribute("class", look)
        expect(named).to_have_accessible_name(told)
    expect(page.get_by_role("group", name="SEK by day")).to_be_visible()
    expect(page.get_by_role("link", name="captured of northpay from 2025-11-07")).to_be_visible()
    asked = served.api.calls("GET /metrics/revenue/values")[0].query
    assert (asked["start_day"], asked["end_day"]) == ("2025-11-01", "2025-11-12"), "days of Paris"
    days.and_(page.get_by_label("2025-11-06")).click()

    expect(page).to_have_url(re.compile(r"/metrics\?name=revenue&day=2025-11-06$"))
    expect(page.locator("main")).to_contain_text("stale: 4 came since")
    page.get_by_role("link", name="merchant-1").click()
    expect(page).to_have_url(
        re.compile(r"/aggregates\?entity=merchant-1&day=2025-11-06&metric=revenue&calendar=Europe")
    )


def test_what_has_no_total_says_why(page: Page, said: dict[str, Any]) -> None:
    page.goto("/metrics?name=users&last=7d")
    expect(page.locator("main")).to_contain_text("A total of distinct does not follow from the values of entities.")
    page.goto("/metrics?name=revenue&from=2023-01-01&to=2025-01-01")
    expect(page.locator("main")).to_contain_text("Choose at most 366.")
    missing = [{"day": "2025-11-07", "reason": "No complete replay computed it."}]
    none: Json = {"values": [], "missing": missing, "replays": [], "cursor": None}
    said["GET /metrics/revenue/values"] = (200, none)
    page.goto("/metrics?name=revenue&from=2025-11-07T00:00:00Z&to=2025-11-08T00:00:00Z")
    page.get_by_role("link", name="Replay these days").click()
    expect(page).to_have_url(re.compile(r"source=northpay&type=captured&start_day=2025-11-07&end_day=2025-11-08$"))
    said["GET /metrics/revenue/values"] = (409, problem("The replay is not complete."))
    page.goto(MONTH)
    expect(page.get_by_role("alert")).to_contain_text("The replay is not complete.")
    expect(page.locator(".definition pre")).to_be_visible()


def test_only_the_overview_asks_when_each_source_sent_last(watched: Watched) -> None:
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    for view in (
        ASKED,
        "/metrics",
        MONTH,
        "/type",
        "/type?source=s&type=t",
        "/entity?id=m",
        "/replays",
        "/quarantine",
        "/search?q=m",
    ):
        watched.page.goto(view)
        watched.settle()
    looks = [parse_qs(urlsplit(url).query).get("look_back_days") for url in asked if "/api/sources" in url]

    assert looks
    assert all(days == ["0"] for days in looks)


VIEWS = {
    "metrics": "/metrics",
    "metric": MONTH,
    "metric-day": "/metrics?name=revenue&day=2025-11-06",
    "metric-difference": f"{ASKED}&metric=revenue",
    "metric-what-if": f"{ASKED}&metric=volume&calendar=UTC&from=second&to={WHAT_IF}&list=skipped",
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_metrics_is_accessible_and_nothing_overlaps_or_is_cut_at_any_width(
    watched: Watched, name: str
) -> None:
    page = watched.page
    faults: list[object] = []
    for width in (1300, 800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(VIEWS[name])
            watched.settle()
            watched.screenshot(f"{name}-{width}-{scheme}")
            faults += watched.overlaps()
            faults += watched.accessibility()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width

    assert faults == []
