"""The same work costs the same among a thousand events, ten thousand and a hundred thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256

import pytest

from bench.event_costs import SENT_BY, take_in
from bench.markdown import PERFORMANCE
from bench.meter import Cost
from bench.metered_aws import BUCKET, DEDUPE, EVENTS, NEVER_LATE, NOW, SHARDS, MeteredAws, one_by_one
from bench.orders import EVENT_TYPE, SOURCE
from bench.replay_costs import keep_job, plan_slice
from chalicelib.core.timestamps import Day, shifted, start_of
from chalicelib.events.arrivals import Status
from chalicelib.events.dynamodb_rows import identity_row, index_row
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from chalicelib.search.queries import EventsQuery
from chalicelib.search.use_cases import SearchEvents

A_DAY = 1_000
"""As many events of the type has each day, so that there are as many to replay, however many there are in all."""

SENT = A_DAY + 101
"""With those that are taken in before they are counted."""

AN_ENTITY = 100
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
PAGE = 100
LAST_DAY = date(2026, 11, 21)


@dataclass(frozen=True)
class Costs:
    """Of an event by itself, one in a hundred, one of a page of a hundred, and a message that is sent."""

    one: Cost
    hundred: Cost
    page: Cost
    replay: Cost


def costs_among(count: int) -> Costs:
    aws = MeteredAws()
    for event in events(count):
        aws.tables[EVENTS].put(index_row(event, SHARDS, NEVER_LATE))
        aws.tables[DEDUPE].put(identity_row(event, "request", None))
    keep_job(aws)
    one = take_in(aws, 1, Status.ACCEPTED)
    hundred = take_in(aws, 100, Status.ACCEPTED, first=1)
    page = aws.meter.measured(PAGE, lambda: read_page(aws))
    replay = aws.meter.measured(SENT, lambda: plan_slice(aws))
    return Costs(one, hundred, page, replay)


def events(count: int) -> Iterator[StoredEvent]:
    """This many events, of many entities and days."""
    location = RawLocation(BUCKET, f"raw/source={SOURCE}/some.ndjson", 0, 613)
    content = sha256(b"").hexdigest()
    like = StoredEvent("", SOURCE, EVENT_TYPE, "", NOW, NOW, content, REQUEST_ID, SENT_BY, location)
    for number in range(count):
        day = start_of(Day(str(LAST_DAY - timedelta(days=number // A_DAY))))
        yield replace(
            like,
            event_id=sha256(b"%d" % number).hexdigest(),
            entity_id=f"filled-{number % (count // AN_ENTITY or 1):08d}",
            event_time=shifted(day, number % A_DAY * 1_000_000),
        )


def read_page(aws: MeteredAws) -> int:
    query = EventsQuery.model_validate({"entity_id": "filled-00000001", "limit": PAGE})
    return len(SearchEvents(aws.ingest.identities, aws.index, SHARDS, aws.raw, one_by_one).search(query).events)


def without_outbox(cost: Cost) -> Cost:
    """Other event ids make outboxes of other sizes, by a few bytes in a hundred."""
    return replace(cost, writes=Counter(), stored_bytes=Counter())


@pytest.fixture(scope="module")
def among_a_thousand() -> Costs:
    return costs_among(1_000)


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_the_same_work_costs_the_same_however_many_events_there_are(among_a_thousand: Costs, count: int) -> None:
    first, other = among_a_thousand, costs_among(count)

    assert (other.one, other.hundred, other.page) == (first.one, first.hundred, first.page)
    assert without_outbox(other.replay) == without_outbox(first.replay)
    assert other.replay.each(other.replay.writes) <= 1.05 * first.replay.each(first.replay.writes)


def test_a_page_of_a_hundred_events_costs_a_call_and_eighteen_read_units(among_a_thousand: Costs) -> None:
    page = among_a_thousand.page

    assert (page.calls, page.units) == ({"Query": 1}, (0, 0, 0.18))
    assert "A page costs 0.18 read units an event" in PERFORMANCE.read_text()


def test_the_page_says_how_many_attributes_an_index_row_has() -> None:
    [event] = events(1)

    text = " ".join(PERFORMANCE.read_text().split())
    assert f"index row has {len(index_row(event, SHARDS, NEVER_LATE))} attributes" in text
