"""Count how cost grows with what is there: the same work in tables of 1,000, 10,000 and 100,000 events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256

from bench.counted import keep_job, plan_slice
from bench.emulated import BUCKET, DEDUPE, EVENTS, NEVER_LATE, NOW, SHARDS, Cloud, emulated, one_by_one
from bench.event_costs import EVENT_TYPE, Cost, metered, take_in
from bench.orders import SOURCE
from chalicelib.aws import keys
from chalicelib.aws.event_rows import identity_row, index_row
from chalicelib.domain.event_query import EventsQuery
from chalicelib.domain.ingest_report import Status
from chalicelib.domain.raw_line import RawLocation, StoredEvent
from chalicelib.domain.timestamps import Day, shifted, start_of
from chalicelib.search import SearchEvents

ROWS = (1_000, 10_000, 100_000)
A_DAY = 1_000
"""As many events of the type has each day, so that there are as many to replay, however many there are in all."""

SENT = A_DAY + 101
"""With those that were taken in before they were counted."""

AN_ENTITY = 100
PAGE = 100
LAST_DAY = date(2026, 11, 21)


@dataclass(frozen=True)
class Grown:
    """What the same work takes where so many events are."""

    rows: int
    one: Cost
    hundred: Cost
    page: Cost
    replay: Cost


@lru_cache
def grown(rows: int) -> Grown:
    """Fill the tables, then count."""
    with emulated() as cloud:
        fill(cloud, rows)
        keep_job(cloud)
        cloud.measure()
        one = take_in(cloud, 1, Status.ACCEPTED)
        hundred = take_in(cloud, 100, Status.ACCEPTED, first=1)
        page = metered(cloud.meter, PAGE, lambda: _page(cloud))
        return Grown(rows, one, hundred, page, metered(cloud.meter, SENT, lambda: _replay(cloud)))


def fill(cloud: Cloud, rows: int) -> None:
    """Keep so many events, of many entities and days."""
    tables = cloud.keep_in_memory(EVENTS, DEDUPE)
    like = next(_events(1))
    index, identity = index_row(like, SHARDS, NEVER_LATE), identity_row(like, "request", None)
    for event in _events(rows):
        shard = keys.shard_of(event.event_id, SHARDS)
        own = {
            "PK": keys.entity(event.entity_id),
            "SK": keys.event(event.event_time, event.event_id),
            "type_day": keys.type_and_day(SOURCE, EVENT_TYPE, Day(event.event_time[:10]), shard),
            "event_id": event.event_id,
            "entity_id": event.entity_id,
            "event_time": event.event_time,
        }
        tables[EVENTS].put({**index, **{name: {"S": value} for name, value in own.items()}})
        tables[DEDUPE].put({**identity, "event_id": {"S": event.event_id}})


def _events(count: int) -> Iterator[StoredEvent]:
    location = RawLocation(BUCKET, f"raw/source={SOURCE}/some.ndjson", 0, 613)
    content = sha256(b"").hexdigest()
    like = StoredEvent("", SOURCE, EVENT_TYPE, "", NOW, NOW, content, location)
    for number in range(count):
        day = start_of(Day(str(LAST_DAY - timedelta(days=number // A_DAY))))
        yield replace(
            like,
            event_id=sha256(b"%d" % number).hexdigest(),
            entity_id=f"filled-{number % (count // AN_ENTITY or 1):08d}",
            event_time=shifted(day, number % A_DAY * 1_000_000),
        )


def _page(cloud: Cloud) -> None:
    query = EventsQuery.model_validate({"entity_id": "filled-00000001", "limit": PAGE})
    if len(SearchEvents(cloud.index, SHARDS, one_by_one)(query).events) != PAGE:
        raise RuntimeError("The page is not full.")


def _replay(cloud: Cloud) -> None:
    sent = plan_slice(cloud)
    if sent != SENT:
        raise RuntimeError(f"{sent} events were sent.")
