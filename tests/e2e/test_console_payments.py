"""Questions about three days of payments that the console answers, as examples/payments/truth.json says."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from embedded import connection
from embedded.stack import started
from tests.e2e.chromium import Watched, let_in
from tests.e2e.deployed import Deployed
from tests.e2e.samples import ROOT
from tests.e2e.test_cli_search import piped
from tests.e2e.test_console import WIDE, Running, define, start

PAYMENTS = ROOT / "examples/payments"
TRUTH = json.loads((PAYMENTS / "truth.json").read_text())
GATEWAY = "pay/gateway"
WINDOW = "from=2025-11-21T00:00:00Z&to=2025-11-24T00:00:00Z"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack that has the three days."""
    directory = tmp_path_factory.mktemp("payments")
    (directory / ".retrace").mkdir()
    with started() as stack:
        connection.save(directory / ".retrace/local.json", stack)
        deployed = Deployed(stack)
        for name in ("arrived.ndjson.gz", "again.ndjson"):
            piped(directory, "ingest", str(PAYMENTS / name))
        deployed.replayed(
            source="pay/ledger",
            event_type="entry.booked",
            start_day="2025-11-21",
            end_day="2025-11-22",
            whole_days=True,
        )
        piped(directory, "ingest", str(PAYMENTS / "late.ndjson"))
        yield deployed


@pytest.fixture(scope="module")
def running(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A console of that stack."""
    running = start(deployed, tmp_path_factory.mktemp("console"))
    yield running
    assert running.ended() == 0


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    """A page of a browser that was let in; at the end nothing may have gone wrong in it."""
    with let_in(browser, running.base, running.entry, viewport=WIDE) as context:
        watched = Watched(context.new_page())
        yield watched.page
        assert watched.faults == []


def count_of(page: Page, name: str) -> Locator:
    """How many events a row of the overview's table says that there are."""
    rows = page.get_by_role("table", name="Events by source and type").get_by_role("row")
    return rows.filter(has=page.get_by_role("link", name=name, exact=True)).first.get_by_role("cell").first


def test_from_the_overview_to_the_outage_it_is_three_clicks(page: Page) -> None:
    page.goto("/")
    main = page.locator("main")
    expect(main).to_contain_text("No event in this window.")
    main.get_by_role("link", name=re.compile("Show the days until 2025-11-2[23]")).click()
    rows = page.get_by_role("table", name="Events by source and type").get_by_role("row")
    gateway = rows.filter(has_text=GATEWAY).first
    for hour, events in TRUTH["outage"].items():
        expect(
            gateway.get_by_role("link", name=re.compile(rf"{hour.replace('T', ' ')}:00: {events}\b"))
        ).to_be_visible()
    gateway.get_by_role("link", name=re.compile("2025-11-22 14:00: 0")).click()
    expect(page).to_have_url(re.compile("from=2025-11-22T11"))
    page.get_by_role("link", name="payment.captured", exact=True).click()

    expect(page.locator("#charts canvas")).to_have_count(2)
    expect(page.get_by_role("link", name=re.compile("2025-11-22 13:00, [1-9]"))).to_be_visible()
    expect(page.get_by_role("img", name="2025-11-22 14:00, 0 events")).to_be_visible()


@pytest.mark.parametrize("source", TRUTH["hours"])
def test_the_overview_counts_what_came_of_each_source_and_type(page: Page, source: str) -> None:
    page.goto(f"/?find={source}&{WINDOW}")
    for event_type, hours in TRUTH["hours"][source].items():
        expect(count_of(page, event_type)).to_have_text(f"{sum(hours.values()):,}")


def test_the_overview_lists_the_stale_days_of_the_incident(page: Page) -> None:
    page.goto("/")
    stale = page.locator("section[aria-labelledby=stale] li")
    for day in TRUTH["stale"]:
        row = stale.filter(has=page.get_by_role("link", name=f"{day['day']} of {day['entity_id']}", exact=True))
        expect(row).to_contain_text(f"lacks {day['events']}")


def test_two_hours_of_a_type_are_sent_again(page: Page) -> None:
    hours = TRUTH["hours"][GATEWAY]["payment.captured"]
    count = hours["2025-11-23T09"] + hours["2025-11-23T10"]
    page.goto(f"/type?source={GATEWAY}&type=payment.captured&from=2025-11-23T09:00Z&to=2025-11-23T11:00Z")
    page.get_by_role("link", name="Replay this window").click()
    page.get_by_role("button", name=f"Send {count} messages").click()

    expect(page.locator("main .badge").first).to_have_text("COMPLETE")
    expect(page.locator("main .facts strong")).to_have_text(str(count))


def test_the_overview_marks_hours_with_far_fewer_events_unlike_empty_ones(page: Page) -> None:
    page.goto(f"/?{WINDOW}")
    rows = page.get_by_role("table", name="Events by source and type").get_by_role("row")
    gateway = rows.filter(has_text=GATEWAY).first
    dips = gateway.locator("a.dip")
    told = r"(, empty|, 1 late), far fewer than usual: 1 of all types in 2h, usually \d+"
    names = [re.compile(rf"{hour.replace('T', ' ')}:00: {events}{told}") for hour, events in TRUTH["outage"].items()]

    expect(dips).to_have_count(len(names))
    for dip, name in zip(dips.all(), names, strict=True):
        expect(dip).to_have_accessible_name(name)
    expect(gateway.locator("a.dip.none")).to_have_count(1)
    expect(gateway.locator("a.column:not(.dip, .none)").first).to_be_visible()
    expect(page.locator(".legend")).to_contain_text("far fewer events than in the hours around")
    dips.last.click()
    expect(page).to_have_url(re.compile(r"from=2025-11-22T15%3A00.*to=2025-11-22T16%3A00.*find=pay%2Fgateway"))


def test_the_overview_says_of_which_sources_no_dips_were_counted(page: Page) -> None:
    page.route("**/api/gaps?*", lambda route: route.fulfill(json={"items": [], "dips": None}))
    page.goto(f"/?{WINDOW}&find={GATEWAY}")

    expect(page.locator("main")).to_contain_text(
        "not counted for 1 source with more events or types than a request counts"
    )
    expect(page.locator("a.dip")).to_have_count(0)
    page.goto("/?from=2025-10-01T00:00:00Z&to=2025-11-24T00:00:00Z")
    expect(page.locator("main")).to_contain_text("marked in windows of at most 31 days")


def test_the_overview_leads_to_each_stale_day_and_to_the_replay_that_mends_it(page: Page, deployed: Deployed) -> None:
    def returned(key: str) -> None:
        names = {"source": "desk", "event_type": "returned", "entity_id": "return-1", "idempotency_key": key}
        deployed.ingest([json.dumps({**names, "event_time": "2025-11-20T10:00:00Z", "payload": {}}).encode()])

    returned("first")
    deployed.replayed(entity_id="return-1", start_time="2025-11-20T00:00:00Z", end_time="2025-11-21T00:00:00Z")
    returned("late")
    page.goto("/")
    stale = page.locator("section[aria-labelledby=stale]")
    day = stale.get_by_role("listitem").filter(has_text="return-1")
    expect(day).to_contain_text("lacks 1")
    day.get_by_role("link", name="Replay the day").click()

    expect(page.get_by_role("button", name="Send 2 messages")).to_be_visible()
    page.go_back()
    stale.get_by_role("link", name="2025-11-20 of return-1").click()
    expect(page.locator("main")).to_contain_text("stale: 1 came since")


def test_from_the_total_of_a_day_it_is_two_clicks_to_what_each_event_contributed(
    page: Page, deployed: Deployed
) -> None:
    payments = {"source": GATEWAY, "event_type": "payment.captured"}
    define(
        deployed,
        "captured",
        aggregate="sum",
        value="/amount",
        source=GATEWAY,
        event_types=["payment.captured"],
    )
    deployed.replayed(**payments, start_day="2025-11-23", end_day="2025-11-23")
    amounts = captured_on("2025-11-23")
    page.goto(f"/metrics?name=captured&{WINDOW}")
    days = page.get_by_role("group", name="captured by day").get_by_role("link")
    expect(days).to_have_count(3)
    expect(days.nth(2)).to_have_accessible_name(f"2025-11-23: {sum(amounts):,}, complete")
    expect(days.nth(1)).to_have_class("day missing")
    expect(page.get_by_role("link", name=f"payment.captured of {GATEWAY} from 2025-11-21")).to_be_visible()
    days.nth(2).click()
    entities = page.locator("section[aria-labelledby=entities-title] tbody tr")
    expect(entities.first).to_be_visible()
    values = [Decimal(text.replace(",", "")) for text in entities.locator("strong").all_inner_texts()]
    assert sum(values) == sum(amounts)
    entities.first.get_by_role("link").click()

    expect(page.locator("table.contributions tbody tr").first).to_be_visible()
    expect(page.locator("section[aria-labelledby=value-title]")).to_contain_text(f"{values[0]:,}")


def captured_on(day: str) -> list[Decimal]:
    """The amounts that were captured on a day, each once."""
    arrived = gzip.decompress((PAYMENTS / "arrived.ndjson.gz").read_bytes()).splitlines()
    late = (PAYMENTS / "late.ndjson").read_bytes().splitlines()
    events = [json.loads(line, parse_float=Decimal) for line in (*arrived, *late)]
    payments = [one for one in events if one["event_type"] == "payment.captured" and one["event_time"].startswith(day)]
    return list({one["idempotency_key"]: Decimal(one["payload"]["amount"]) for one in payments}.values())


@pytest.mark.parametrize("key", ["payment_000491"])
def test_a_key_leads_to_its_event_and_each_arrival(page: Page, key: str) -> None:
    page.goto("/")
    page.get_by_role("searchbox").fill(key)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")

    expect(dialog).to_contain_text("Arrivals after the first: 3")
    expect(dialog.locator("pre.raw")).to_contain_text(key)


@pytest.mark.parametrize("key", TRUTH["refused"][:1])
def test_the_key_of_a_refused_event_leads_to_quarantine(page: Page, key: str) -> None:
    page.goto(f"/search?q={key}")

    expect(page).to_have_url(re.compile(r"/quarantine\?id="))
    expect(page.locator("main .facts").first).to_contain_text(key)


@pytest.mark.parametrize("key", TRUTH["lost"][:1])
def test_the_key_of_a_lost_event_names_nothing(page: Page, key: str) -> None:
    page.goto(f"/search?q={key}")

    expect(page.locator("main")).to_contain_text(f"Nothing is called {key} here.")


def test_the_beginning_of_an_event_id_leads_to_the_event_in_the_window_in_view(page: Page, deployed: Deployed) -> None:
    found = deployed.get("/events", source=GATEWAY, idempotency_key="payment_000491")["items"][0]["event_id"]
    page.goto(f"/?{WINDOW}")
    page.get_by_role("searchbox").fill(found[:12])
    page.keyboard.press("Enter")

    expect(page.get_by_role("dialog").locator("pre.raw")).to_contain_text("payment_000491")


def test_what_came_again_is_read_on_a_phone_in_rows_as_high_as_what_is_seen(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/search?q=payment_000491")
    arrivals = page.get_by_role("dialog").locator("table tbody tr")
    expect(arrivals).to_have_count(3)
    boxes = [arrival.bounding_box() for arrival in arrivals.all()]

    assert all(box and box["height"] < 110 and box["x"] + box["width"] <= 390 for box in boxes)


def test_a_conflict_has_both_values_side_by_side_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/quarantine?reason=CONFLICT")
    page.locator("main tbody tr", has_text="payment_000491").locator("a.id").click()
    values = [page.locator(f"section.conflict mark.{kind}") for kind in ("first", "refused")]
    for value, kind in zip(values, ("first", "refused"), strict=True):
        expect(value).to_have_text(TRUTH["conflicts"]["payment_000491"][kind])
        expect(value).to_be_in_viewport(ratio=1)
    first, refused = (value.bounding_box() for value in values)
    assert first is not None
    assert refused is not None
    assert (first["y"], first["x"] + first["width"] < refused["x"]) == (refused["y"], True)


def test_conflicts_are_listed_with_both_amounts(page: Page) -> None:
    page.goto("/quarantine?reason=CONFLICT")
    for key, amounts in TRUTH["conflicts"].items():
        row = page.locator("main tbody tr", has_text=key)
        expect(row).to_contain_text(f"payload.amount {amounts['refused']}, first was {amounts['first']}")


def test_refused_events_are_corrected_and_taken_in_together(page: Page) -> None:
    page.goto("/quarantine?reason=event_time")
    refused = page.locator("main tbody tr")
    expect(refused).to_have_count(len(TRUTH["refused"]))
    assert (
        sorted(key for row in refused.all_inner_texts() for key in re.findall(r"refund_\d+", row)) == TRUTH["refused"]
    )
    page.get_by_role("button", name="Choose all").click()
    page.get_by_role("button", name="Correct").click()
    lines = page.locator("#lines")
    expect(lines).to_have_value(re.compile("event_time"))
    lines.fill(corrected(lines.input_value()))
    page.get_by_role("button", name=f"Send {len(TRUTH['refused'])} corrections").click()

    expect(page.locator("main").get_by_role("status").filter(has_text="20 taken in.")).to_be_visible()


def corrected(lines: str) -> str:
    """Each event with a time as it has to be written, of a day that other tests here do not count."""
    return re.sub(r'"event_time": ?"[^"]*"', '"event_time": "2025-11-20T10:00:00Z"', lines)
