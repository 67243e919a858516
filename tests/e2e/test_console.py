"""The console in a real browser, on a deployed stack that holds the shop's incident and the sample."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from embedded import connection
from embedded.stack import started
from tests.e2e.chromium import Watched, let_in
from tests.e2e.deployed import Deployed, batches, impatient
from tests.e2e.samples import ROOT, Sample

DAY = "2025-11-28"
WIDE: ViewportSize = {"width": 1300, "height": 900}
WINDOW = {"entity_id": "depot-lyon", "start_time": f"{DAY}T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}
SCRIPT = '"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
"""Text that would act if it were ever taken for markup."""


def lines(name: str) -> list[bytes]:
    return (ROOT / "examples/shop-day" / name).read_bytes().splitlines()


def ids(answer: dict[str, Any]) -> set[str]:
    return {result["event_id"] for result in answer["results"]}


@dataclass(frozen=True)
class Incident:
    """What was done to the stack, and what is to be seen of it."""

    deployed: Deployed
    late: set[str]
    """The events that made the difference."""
    sample: Sample
    hostile: str
    """An event whose every field is text that would act."""
    versions: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """The id of one that was rejected, and of one that is a conflict."""


def define(deployed: Deployed, name: str, **definition: Any) -> None:
    """Define a metric."""
    headers = {"Content-Type": "application/json"}
    answer = deployed.api.call("PUT", f"/metrics/{name}", body=json.dumps(definition).encode(), headers=headers)
    assert answer.status == 200, answer.data


@pytest.fixture(scope="module")
def incident(sample: Sample) -> Iterator[Incident]:
    """A stack on which the incident of docs/incident.md has happened."""
    with started() as stack:
        deployed = Deployed(stack)
        other = sample.from_source("elsewhere")
        for batch in batches(other.lines, 1_000):
            deployed.ingest(batch)
        deployed.ingest(lines("day.ndjson"))
        define(deployed, "weight", aggregate="sum", value="/weight_kg", source="depot/scanners")
        friday = deployed.replayed(**WINDOW)["replay_id"]
        for name in ("retry-storm.ndjson", "conflict.ndjson", "malformed.ndjson"):
            deployed.api.call(
                "POST", "/ingest", body=b"\n".join(lines(name)), headers={"Content-Type": "application/x-ndjson"}
            )
        late = ids(deployed.ingest(lines("late-batch.ndjson")))
        saturday = deployed.replayed(**WINDOW, reason=SCRIPT)["replay_id"]
        hostile = dict.fromkeys(("source", "event_type", "entity_id", "idempotency_key"), SCRIPT)
        hostile |= {"event_time": f"{DAY}T12:00:00Z", "payload": {SCRIPT: [SCRIPT]}}  # type: ignore[dict-item]  # JSON
        known = deployed.ingest([json.dumps(hostile).encode()])
        deployed.ingest([json.dumps(hostile).encode()])
        deployed.post("/ingest", {**hostile, "colour": SCRIPT})
        deployed.replayed(source=SCRIPT, event_type=SCRIPT, day=DAY)
        yesterday, tomorrow = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 1))
        listed = deployed.get("/rejected", start_time=yesterday, end_time=tomorrow)["items"]
        refused = {item["status"]: item["rejected_id"] for item in listed}
        yield Incident(deployed, late, other, ids(known).pop(), [friday, saturday], refused)


@dataclass(frozen=True)
class Running:
    """`retrace console`, as somebody started it."""

    link: str
    process: subprocess.Popen[str]

    @property
    def base(self) -> str:
        return self.link.partition("/#")[0]

    @property
    def entry(self) -> str:
        """A view that asks for nothing, with the token: what a test looks at comes after."""
        return self.link.replace("/#", "/nowhere#")

    def ended(self) -> int:
        """Press Ctrl-C; answers the exit code."""
        with self.process:
            self.process.send_signal(signal.SIGINT)
            return self.process.wait(60)


def start(deployed: Deployed, directory: Path) -> Running:
    stack = deployed.stack
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": "/nonexistent",
        "RETRACE_URL": stack.api_url,
    }
    (directory / ".retrace").mkdir(exist_ok=True)
    connection.save(directory / ".retrace/local.json", stack)
    command = [sys.executable, "-m", "retrace", "console", "--no-open", "--port", "0"]
    process = subprocess.Popen(command, env=environment, cwd=directory, stdout=subprocess.PIPE, text=True)  # noqa: S603  # the project's own command
    assert process.stdout is not None
    link = next(line.strip() for line in process.stdout if "token=" in line)
    return Running(link, process)


@pytest.fixture(scope="module")
def running(incident: Incident, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(incident.deployed, tmp_path_factory.mktemp("console"))
    yield running
    assert running.ended() == 0


@pytest.fixture(scope="module")
def context(browser: Browser, running: Running) -> Iterator[BrowserContext]:
    with let_in(browser, running.base, running.entry, viewport=WIDE) as context:
        yield context


@pytest.fixture
def watched(
    browser: Browser, running: Running, context: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A page of a browser that was let in; at the end nothing may have gone wrong in it, and nothing have acted."""
    options = getattr(request, "param", {})
    with (
        let_in(browser, running.base, running.entry, viewport=WIDE, **options)
        if options
        else nullcontext(context) as here
    ):
        watched = Watched(here.new_page())
        watched.page.goto("/nowhere")
        yield watched
        assert watched.faults == []
        assert watched.page.evaluate("window.hurt") is None
        watched.page.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def fact(page: Page, name: str) -> Any:
    """The value that stands under a name."""
    return (
        page.locator("main .facts div")
        .filter(has=page.locator("dt", has_text=re.compile(f"^{name}")))
        .locator("dd")
        .first
    )


def test_an_entity_shows_when_its_events_happened_came_and_came_again(page: Page) -> None:
    page.goto(f"/entity?id=depot-lyon&day={DAY}")

    expect(fact(page, "events")).to_have_text("36")
    expect(fact(page, "arrived again")).to_have_text("27")
    expect(fact(page, "late")).to_have_text("36")
    expect(fact(page, "gaps")).to_have_text("2")
    expect(page.locator("#charts canvas")).to_have_count(2)
    expect(page.locator("section.events tbody tr")).to_have_count(36)


def test_without_a_window_it_is_the_day_of_the_newest_event(page: Page) -> None:
    page.goto("/entity?id=depot-lyon")

    expect(page).to_have_url(re.compile(rf"/entity\?id=depot-lyon&day={DAY}$"))
    expect(fact(page, "events")).to_have_text("36")


def test_a_window_is_zoomed_by_dragging_and_one_goes_back(page: Page) -> None:
    page.goto(f"/entity?id=depot-lyon&day={DAY}")
    expect(fact(page, "arrived again")).to_have_text("27")
    expect(page.locator(".reading")).to_contain_text("Read at")  # nothing moves any more
    box = page.locator("#charts .u-over").first.bounding_box()
    assert box is not None
    at = [box["x"] + box["width"] * hour / 24 for hour in (17, 20)]
    page.mouse.move(at[0], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(at[1], box["y"] + 80, steps=4)
    page.mouse.up()

    expect(page).to_have_url(re.compile("from=2025-11-28T1[67]"))
    expect(fact(page, "events")).to_have_text("7")
    page.go_back()
    expect(fact(page, "events")).to_have_text("36")


def test_an_event_is_opened_from_the_chart_and_closed_with_escape(page: Page, incident: Incident) -> None:
    page.goto(f"/entity?id=depot-lyon&from={DAY}T17:25:30Z&to={DAY}T17:25:45Z")
    expect(fact(page, "arrived again")).to_have_text("0")
    expect(page.locator(".reading")).to_contain_text("Read at")
    box = page.locator("#charts .u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 8.567 / 15, box["y"] + box["height"] / 2)
    expect(page.locator("#charts .tip")).to_contain_text("parcel.received")
    page.mouse.down()
    page.mouse.up()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("hash checked")
    expect(dialog.locator("pre.raw")).to_contain_text('"entity_id":"depot-lyon"')
    assert re.search("event=([0-9a-f]{64})", page.url)[1] in incident.late  # type: ignore[index]  # it is there
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("event="))


def test_an_entity_of_the_sample_has_as_many_as_were_sent(page: Page, incident: Incident) -> None:
    entity, _ = incident.sample.entities.most_common(1)[0]
    day, count = max((day, count) for (each, day), count in incident.sample.days.items() if each == entity)
    page.evaluate(
        "(to) => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }",
        f"/entity?id={quote(entity)}&day={day}",
    )

    expect(fact(page, "events")).to_have_text(f"{count:,}")


def test_a_type_has_a_heat_map_of_hours_by_days_and_an_hour_is_chosen_in_it(page: Page) -> None:
    page.goto(f"/type?source=depot/scanners&type=parcel.loaded&day={DAY}")
    hours = Counter(
        json.loads(line)["event_time"][11:13]
        for line in (*lines("day.ndjson"), *lines("late-batch.ndjson"))
        if json.loads(line)["event_type"] == "parcel.loaded" and json.loads(line)["event_time"].endswith("Z")
    )
    cells = page.locator(".heat a[aria-label]")
    expect(cells.first).to_be_visible()
    total = sum(int(cell.inner_text()) for cell in cells.all())

    expect(fact(page, "events")).to_have_text(str(total))
    assert total >= sum(hours.values())
    cells.first.click()
    expect(page).to_have_url(re.compile(rf"from={DAY}T"))
    expect(fact(page, "events")).to_have_text(cells.first.inner_text())


def test_a_replay_goes_from_what_is_on_screen_over_its_preview_to_complete(page: Page) -> None:
    page.goto(f"/entity?id=depot-lyon&day={DAY}")
    expect(fact(page, "events")).to_have_text("36")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/replay/new"))
    expect(fact(page, "messages")).to_have_text("36")
    expect(fact(page, "estimated cost")).to_contain_text("$0.01")
    expect(page.get_by_role("table", name="By type").get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Send 36 messages").click()

    expect(page.locator("main .badge").first).to_have_text("COMPLETE")
    expect(fact(page, "processed")).to_have_text("36")
    page.get_by_role("link", name=f"{DAY} of depot-lyon").click()
    expect(page.get_by_role("heading", name="From 27 to 36")).to_be_visible()
    expect(page).to_have_url(re.compile("&from=.*&to="))  # so that a pasted link stays what it is


def test_a_slow_replay_is_watched_and_cancelled(page: Page) -> None:
    page.goto(f"/replay/new?entity=depot-lyon&from={DAY}&to=2025-11-29&rate=0.1&reason=slowly")
    page.get_by_role("button", name="Send 36 messages").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()

    expect(page.locator("main .badge").first).to_have_text("CANCELLED")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_the_difference_of_two_versions_names_the_nine_late_scans(page: Page, incident: Incident) -> None:
    friday, saturday = incident.versions
    page.goto(f"/aggregates?entity=depot-lyon&day={DAY}&from={friday}&to={saturday}")
    expect(page.get_by_role("heading", name="From 27 to 36")).to_be_visible()
    named = page.locator("table.difference a.id")
    expect(named).to_have_count(9)

    assert {link.get_attribute("title") for link in named.all()} == incident.late
    expect(page.locator("main")).to_contain_text("stale: 9 came since")
    named.first.click()
    expect(page.get_by_role("dialog")).to_contain_text("hash checked")


def test_the_nine_late_scans_are_the_difference_of_their_weight(page: Page, incident: Incident) -> None:
    friday, saturday = incident.versions
    page.goto(f"/aggregates?entity=depot-lyon&day={DAY}&from={friday}&to={saturday}")
    expect(page.get_by_role("heading", name="From 27 to 36")).to_be_visible()
    page.get_by_label("metric").select_option(label="weight")
    weights = [Decimal(str(json.loads(line)["payload"]["weight_kg"])) for line in lines("late-batch.ndjson")]
    expect(page.locator("main")).to_contain_text(
        f"+{sum(weights, Decimal(0)).normalize()}: 9 events contribute differently"
    )
    expect(page.locator("main")).to_contain_text("The inputs differ, the definition is the same.")
    shown = page.locator(".waterfall li.event")
    expect(shown).to_have_count(9)

    assert {link.get_attribute("title") for link in shown.locator("a.id").all()} == incident.late
    changes = [Decimal(text) for text in shown.locator(".exact").all_inner_texts()]
    assert sorted(weights, reverse=True) == changes
    expect(page.locator("table.contributions tbody tr")).to_have_count(25)


def test_a_refused_event_is_corrected_and_sent_again(page: Page) -> None:
    page.goto("/quarantine?reason=entity_id")
    page.locator("tr", has_text="is missing").locator("a.id").click()
    expect(page.locator("main")).to_contain_text("is a duplicate key")
    corrected = (
        '{"source":"shop/checkout","event_type":"order.placed","entity_id":"order-corrected",'
        '"event_time":"2025-11-28T16:20:05Z","payload":{"total":19.90}}'
    )
    page.get_by_label("Body").fill(corrected)
    page.get_by_role("button", name="Send corrected").click()

    expect(page.get_by_role("status").filter(has_text="ACCEPTED")).to_be_visible()
    expect(page.locator("main")).to_contain_text("retrace-local")
    expect(page.get_by_role("button", name="Send again as it was")).to_be_disabled()
    expect(page.get_by_role("note")).to_contain_text("A retry took it in")
    page.locator("main").get_by_role("status").locator("a.id").click()
    expect(page.get_by_role("dialog").locator("pre.raw")).to_contain_text("19.90")
    expect(page.get_by_role("dialog").locator(".facts")).to_contain_text("sent by")


def test_a_conflict_stands_beside_its_first_event_with_what_differs(page: Page) -> None:
    page.goto("/quarantine?reason=CONFLICT")
    row = page.locator("tr", has_text="evt_b369435bf5")
    expect(row).to_contain_text("payload.amount")
    expect(row).to_contain_text("first was")
    row.locator("a.id").click()
    differing = page.locator("section.conflict")
    expect(differing.locator("mark.first")).to_have_count(1)
    expect(differing.locator("mark.refused")).to_have_count(1)
    differing.locator("a.id").click()

    expect(page.get_by_role("dialog")).to_contain_text("hash checked")


def test_many_refused_events_are_corrected_and_sent_at_once(page: Page, incident: Incident) -> None:
    event = {"source": "pay/sdk", "event_type": "payment.captured", "entity_id": "merchant-1", "payload": {"amount": 1}}
    for number in range(3):
        broken = {**event, "idempotency_key": f"sdk-{number}", "event_time": f"{DAY} 10:00:0{number}"}
        incident.deployed.post("/ingest", broken)
    page.goto("/quarantine?source=pay/sdk")
    page.get_by_role("button", name="Choose all 3").click()
    page.get_by_role("button", name="Correct 3").click()
    page.get_by_label("replace", exact=True).fill(r"(\d\d-\d\d) (\d\d:\d\d:\d\d)")
    page.get_by_label("by", exact=True).fill("$1T$2Z")
    status = page.locator("main").get_by_role("status")
    page.get_by_role("button", name="Check").click()
    expect(status.filter(has_text="0 would be taken in, 3 refused again")).to_be_visible()
    page.get_by_role("button", name="Replace in all").click()
    page.get_by_role("button", name="Send 3 corrections").click()

    expect(status.filter(has_text="3 taken in.")).to_be_visible()
    expect(page.get_by_role("button", name="Choose all 0")).to_be_disabled()
    page.reload()
    expect(page.locator("main")).to_contain_text("Nothing that was refused is left to do")


def test_the_overview_counts_what_came_in(page: Page, incident: Incident) -> None:
    page.goto("/")
    received = page.get_by_role("table", name="Received").get_by_role("row")
    accepted = len(incident.sample.lines) + 147 + 9 + 1
    told = re.compile("|".join(f"{accepted + more:,}" for more in range(8)))  # other tests here send some more

    expect(received.filter(has_text="accepted").get_by_role("cell").first).to_have_text(told)
    expect(received.filter(has_text="conflicts").get_by_role("cell").first).to_have_text("1")
    expect(page.locator("main")).to_contain_text("none is running")
    expect(page.locator("tr", has_text="dead letter").first).to_contain_text("empty")
    expect(page.locator("#top select")).to_have_value("24h")
    page.goto("/?find=parcel.loaded")
    expect(page.get_by_role("row").filter(has_text="parcel.loaded")).to_contain_text("none since 20")


def test_a_filter_of_the_overview_filters_each_number(page: Page) -> None:
    page.goto(f"/?find=depot&day={DAY}")
    rows = page.get_by_role("table", name="Events by source and type").get_by_role("row")
    expect(rows).to_have_count(5)
    sent = [json.loads(line) for line in (*lines("day.ndjson"), *lines("late-batch.ndjson"))]
    scans = [datetime.fromisoformat(event["event_time"]) for event in sent if event["source"] == "depot/scanners"]
    count = sum(time.astimezone(UTC).isoformat().startswith(DAY) for time in scans)
    expect(rows.filter(has_text="depot/scanners").get_by_role("cell").first).to_have_text(str(count))
    jobs = page.locator("section[aria-labelledby=running] li")
    expect(jobs.first).to_contain_text("depot")
    expect(jobs.filter(has_not_text="depot")).to_have_count(0)
    expect(page.locator("section[aria-labelledby=queues]")).to_contain_text("all sources together")
    expect(page.get_by_role("table", name="Received").get_by_role("row")).to_have_count(3)


def test_from_the_overview_it_is_three_clicks_to_an_event_of_an_hour(page: Page) -> None:
    page.goto(f"/?find=depot&day={DAY}")  # a sample of many types would fold them into their sources
    expect(page.get_by_role("table", name="Events by source and type")).to_contain_text("parcel.loaded")
    page.get_by_role("link", name=re.compile(rf"parcel.loaded of depot.scanners, {DAY} 1[0-9]:00: [1-9]")).first.click()
    expect(page).to_have_url(re.compile(rf"/type\?source=depot%2Fscanners&type=parcel.loaded&from={DAY}T1"))
    page.locator("section.events a.id").first.click()

    expect(page.get_by_role("dialog")).to_contain_text("hash checked")


def test_the_window_goes_along_from_view_to_view(page: Page) -> None:
    page.goto("/?last=3h")
    expect(page.locator("#top select")).to_have_value("3h")
    for view, address in (
        ("Types", "/type"),
        ("Quarantine", "/quarantine"),
        ("Replays", "/replays"),
        ("Overview", "/"),
    ):
        page.get_by_role("navigation").get_by_role("link", name=view).click()
        expect(page).to_have_url(re.compile(rf"{address}\?last=3h$"))
    page.get_by_label("Window").select_option("3d")
    expect(page).to_have_url(re.compile(r"/\?last=3d$"))
    page.get_by_label("from", exact=True).fill(f"{DAY} 17:00")
    page.get_by_label("to", exact=True).fill(f"{DAY} 20:00")
    page.get_by_role("button", name="Go").click()
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page).to_have_url(re.compile(rf"/aggregates\?day={DAY}$"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("depot-lyon", rf"/entity\?id=depot-lyon&day={DAY}$"),
        ("parcel.loaded", r"/type\?source=depot%2Fscanners&type=parcel.loaded"),
        ("depot/scanners", r"/\?find=depot%2Fscanners"),
        ("evt_b369435bf5", rf"/entity\?id=order-1007&day={DAY}&event=[0-9a-f]{{64}}$"),
        ("order.placd", "/search"),
    ],
)
def test_what_is_searched_for_is_shown(page: Page, text: str, place: str) -> None:
    page.goto("/replays")
    page.keyboard.press("s")
    page.keyboard.type(text)
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(place))
    if place == "/search":
        expect(page.locator("main")).to_contain_text("Near names")
        page.get_by_role("link", name="order.placed").first.click()
        expect(page).to_have_url(re.compile(r"/type\?source="))


@pytest.mark.parametrize("watched", [{"timezone_id": "Asia/Kolkata"}], indirect=True)
def test_times_are_utc_or_local_with_utc_beside(page: Page) -> None:
    page.goto(f"/entity?id=depot-lyon&day={DAY}")
    first = page.locator("section.events tbody time").first
    expect(first).to_have_text("2025-11-28 08:16:14.398")
    page.keyboard.press("z")

    expect(first).to_contain_text("2025-11-28 13:46:14.398")
    expect(first).to_contain_text("08:16:14 UTC")
    expect(page.get_by_label("from")).to_have_value("2025-11-28 05:30:00")


def test_the_console_is_used_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/replays")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile("/entity$"))
    page.keyboard.press("/")
    page.keyboard.type("depot-lyon")
    page.keyboard.press("Enter")
    expect(fact(page, "events")).to_have_text("36")
    page.locator("#charts").focus()
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(f"from={DAY}T06"))


def views(incident: Incident) -> dict[str, str]:
    entity = "&".join(("id=depot-lyon", f"day={DAY}"))
    return {
        "overview": f"/?day={DAY}",
        "entity": f"/entity?{entity}",
        "type": f"/type?source=depot/scanners&type=parcel.loaded&day={DAY}",
        "replays": "/replays",
        "replay": f"/replay?id={incident.versions[0]}",
        "new-replay": f"/replay/new?entity=depot-lyon&from={DAY}&to=2025-11-29",
        "aggregates": f"/aggregates?entity=depot-lyon&day={DAY}",
        "difference-of-a-metric": f"/aggregates?entity=depot-lyon&day={DAY}&metric=weight",
        "metrics": "/metrics",
        "metric": f"/metrics?name=weight&from={DAY}&to=2025-12-01",
        "quarantine": "/quarantine",
        "refused": f"/quarantine?id={incident.refused['REJECTED']}",
        "conflict": f"/quarantine?id={incident.refused['CONFLICT']}",
        "types": "/type",
        "search": "/search?q=order.placd",
        "nowhere": "/nowhere",
        "event": f"/entity?{entity}&event={min(incident.late)}",
        "nothing": "/entity?id=nobody",
    }


VIEWS = (
    "overview",
    "entity",
    "type",
    "replays",
    "replay",
    "new-replay",
    "aggregates",
    "difference-of-a-metric",
    "metrics",
    "metric",
    "quarantine",
    "refused",
    "conflict",
    "types",
    "search",
    "nowhere",
    "event",
    "nothing",
)


@pytest.fixture(scope="module")
def inspected(browser: Browser, running: Running) -> Iterator[Watched]:
    """A page into which axe-core may be put, past the policy that keeps everything else out."""
    context = browser.new_context(base_url=running.base, locale="en-GB", bypass_csp=True, reduced_motion="reduce")
    watched = Watched(context.new_page())
    watched.page.goto(running.entry)
    yield watched
    context.close()


WIDTHS = {1300: "wide", 800: "tablet", 390: "phone"}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_accessible_in_light_and_dark_and_no_label_overlaps_at_any_width(
    inspected: Watched, incident: Incident, name: str
) -> None:
    page = inspected.page
    inspected.faults.clear()
    faults: list[object] = []
    for width, called in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(views(incident)[name])
        inspected.settle()
        inspected.screenshot(f"{name}-{called}")
        faults += inspected.overlaps()
        faults += inspected.accessibility()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        page.emulate_media(color_scheme="dark")
        inspected.settle()
        inspected.screenshot(f"{name}-{called}-dark")
        faults += inspected.accessibility()

    assert faults == []
    assert inspected.faults == []


def test_the_legend_hides_what_it_names_and_the_address_says_so(page: Page) -> None:
    page.goto(f"/entity?id=depot-lyon&day={DAY}")
    for name in ("p50", "p95", "max"):
        expect(fact(page, f"lag {name}")).to_have_text(re.compile(r"^\d"))
    page.get_by_role("list", name="Legend").get_by_role("link", name="late by").click()

    expect(page).to_have_url(re.compile("hide=late$"))
    expect(page.get_by_role("list", name="Legend").get_by_role("link", name="(hidden)")).to_have_count(1)
    expect(page.locator("#charts .label.beside").get_by_text("4", exact=True)).to_be_visible()


def test_a_bar_says_its_numbers_and_an_hour_of_the_heat_map_too(page: Page) -> None:
    page.goto(f"/type?source=depot/scanners&type=parcel.loaded&day={DAY}")
    expect(page.locator(".reading")).to_contain_text("Read at")
    hour = page.locator(".heat a[data-tip]").first
    hour.hover()
    expect(page.get_by_role("tooltip")).to_have_text(re.compile(rf"{DAY} \d\d:00, \d+ events"))
    box = page.locator("#charts .u-over").nth(1).bounding_box()
    at = hour.get_attribute("data-tip")
    assert box is not None
    assert at is not None
    page.mouse.move(box["x"] + box["width"] * (int(at[11:13]) + 0.1) / 24, box["y"] + box["height"] / 2)
    expect(page.locator("#charts .tip")).to_contain_text("events")


def test_members_of_payloads_are_columns_that_the_address_names(page: Page) -> None:
    page.goto(f"/entity?id=order-1007&day={DAY}")
    page.get_by_label("payload columns").fill("/amount, /currency")
    page.get_by_role("button", name="Add").click()

    expect(page).to_have_url(re.compile("columns=%2Famount"))
    expect(page.locator("section.events thead")).to_contain_text("/amount")
    expect(page.locator("section.events tbody")).to_contain_text("EUR")


def test_what_is_not_there_says_what_it_is_and_what_to_do(page: Page) -> None:
    main = page.locator("main")
    page.goto("/entity?id=depot-lyn")
    expect(main).to_contain_text("No event of an entity depot-lyn was ever accepted")
    page.goto("/entity?id=depot-lyon&day=2020-01-01")
    expect(main).to_contain_text("has no events in this window")
    page.get_by_role("link", name=f"Show {DAY}").click()
    expect(fact(page, "events")).to_have_text("36")
    page.goto("/aggregates?entity=depot-lyon&day=2020-01-01")
    expect(main).to_contain_text("has no events on 2020-01-01")
    page.goto("/aggregates?entity=depot-lyon&day=2020-13-01")
    expect(main).to_contain_text("is not a day")
    page.goto("/type?source=depot/scanner&type=parcel.loaded")
    expect(main).to_contain_text("was ever accepted")


def test_text_that_would_act_stays_text_wherever_it_is_shown(watched: Watched, incident: Incident) -> None:
    page = watched.page
    quoted = "%22%3E%3Cimg%20src%3Dx%20onerror%3D%22window.hurt%3D1%22%3E%3Cscript%3Ewindow.hurt%3D1%3C%2Fscript%3E"
    shown = {
        f"/entity?id={quoted}&day={DAY}&event={incident.hostile}": "dialog pre.raw",
        f"/entity?id={quoted}&day={DAY}": "section.events tbody tr",
        f"/type?source={quoted}&type={quoted}&day={DAY}": "section.events tbody tr",
        f"/entity?id={quoted}&source={quoted}&type=nothing&day={DAY}": ".empty",
        f"/entity?id={quoted}x": ".empty",
        f"/aggregates?entity={quoted}&day={DAY}": "table.list tbody",
        "/replays": "table.list tbody",
        f"/replay/new?source={quoted}&type={quoted}&start_day={DAY}&reason={quoted}": ".ranked",
        "/quarantine?reason=colour": "table.list tbody",
        f"/?find={quoted}&day={DAY}": ".matrix .line",
        f"/search?q={quoted}": ".empty, .found",
        f"/{quoted}": ".empty",
    }
    for path, place in shown.items():
        page.goto(path)
        expect(page.locator(place).first).to_be_visible()
        watched.settle()
        assert page.locator("img, main script, dialog script").count() == 0, path
        assert page.evaluate("window.hurt") is None, path
    page.goto("/quarantine?reason=colour")
    page.locator("table.list a.id").first.click()
    expect(page.get_by_label("Body")).to_have_value(re.compile("onerror"))
    assert page.locator("img").count() == 0


def test_a_pasted_link_holds_no_token_and_shows_the_same_in_a_colleagues_console(
    watched: Watched, browser: Browser, incident: Incident, tmp_path: Path
) -> None:
    page = watched.page
    page.goto(f"/entity?id=depot-lyon&from={DAY}T17:00:00Z&to={DAY}T20:00:00Z&by=lag")
    expect(fact(page, "events")).to_have_text("7")
    assert "token" not in page.url
    theirs = start(incident.deployed, tmp_path)
    try:
        colleague = Watched(browser.new_context(locale="en-GB").new_page())
        colleague.page.goto(page.url.replace(page.url.split("/")[2], theirs.base.removeprefix("http://")))
        expect(colleague.page.get_by_role("alert").first).to_contain_text("retrace console")
        colleague.page.goto(theirs.entry)
        colleague.page.goto(page.url.replace(page.url.split("/")[2], theirs.base.removeprefix("http://")))
        expect(fact(colleague.page, "events")).to_have_text("7")
        expect(colleague.page.locator(".steps [aria-current]", has_text="lag")).to_be_visible()
    finally:
        theirs.ended()


@pytest.fixture
def lost(incident: Incident) -> Iterator[Callable[[], None]]:
    """Two events of an entity, one of which lost its raw object; what brings it back."""
    deployed = incident.deployed
    event = {"source": "depot/lost", "event_type": "thing.lost", "entity_id": "lost", "event_time": f"{DAY}T12:00:00Z"}
    _, stored = (deployed.post("/ingest", {**event, "payload": number}).json() for number in (1, 2))
    s3, place = deployed.admin.s3, {"Bucket": deployed.stack.raw_bucket, "Key": stored["s3_key"]}
    marker = s3.delete_object(**place)["VersionId"]

    def bring_back() -> None:
        s3.delete_object(**place, VersionId=marker)

    with impatient(deployed):
        yield bring_back


def test_a_dead_letter_is_seen_and_sent_back_once_its_cause_is_mended(page: Page, lost: Callable[[], None]) -> None:
    page.goto(f"/replay/new?entity=lost&from={DAY}&to=2025-11-29")
    page.get_by_role("button", name="Send 2 messages").click()
    expect(page.locator("main .badge").first).to_have_text("COMPLETE, with dead letters")
    expect(fact(page, "dead letters")).to_have_text("1")
    replay = page.url
    page.goto("/")
    expect(page.locator("main")).to_contain_text("1 with failed messages")
    expect(page.locator("tr", has_text="dead letter").first).to_contain_text("1")
    page.goto(replay)
    lost()
    page.get_by_role("button", name="Redrive 1").click()

    expect(page.locator("main .badge").first).to_have_text("COMPLETE")
    expect(fact(page, "processed")).to_have_text("2")
    expect(fact(page, "dead letters")).to_have_text("0")
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)
