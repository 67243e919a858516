"""Events to start a test from, and strategies for any."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import RawLocation, Receipt, StoredEvent
from tests.unit.json_trees import Members, Tree, trees

INGESTED = Instant("2026-11-22T08:30:00.000000000Z")
SENT_BY = "arn:aws:sts::123456789012:assumed-role/shop-checkout/i-0123456789abcdef0"
RECEIPT = Receipt(INGESTED, "5f0c9c5e-7b4d-4f3a-9e5a-3c1d2b7a8e90", SENT_BY)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_ANY_JSON = trees()
small = trees(4)
"""JSON of little size, where many events are needed."""

_moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  # the offset is drawn apart
_fractions = st.text("0123456789", max_size=9)
_offsets = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+01:00", "-08:30", "+23:59"])
hashes = st.integers(0, 16**64 - 1).map("{:064x}".format)


def native(**members: Any) -> dict[str, Any]:
    """A valid native event, with other members where they are named."""
    return {
        "source": "shop/checkout",
        "event_type": "order.paid",
        "entity_id": "order-1007",
        "event_time": "2026-11-21T23:59:59.5Z",
        "payload": {"total": 1},
    } | members


def event_in(text: str) -> Event:
    """The event that a JSON text is."""
    return parse_native(parse(text))


def an_event(**members: Any) -> Event:
    """That valid event, parsed."""
    return event_in(json.dumps(native(**members)))


def stored(event: Event, ingest_time: Instant = INGESTED) -> StoredEvent:
    """An event as its rows describe it, somewhere in the raw bucket."""
    return StoredEvent(
        event_id=event.event_id,
        source=event.source,
        event_type=event.event_type,
        entity_id=event.entity_id,
        event_time=event.event_time or ingest_time,
        ingest_time=ingest_time,
        content_sha256=event.content_sha256,
        request_id=RECEIPT.request_id,
        sent_by=RECEIPT.sent_by,
        location=RawLocation("raw-bucket", f"raw/{event.event_id}", 0, 1),
    )


@st.composite
def instants(draw: st.DrawFn) -> str:
    """RFC 3339 texts of instants, well within the calendar."""
    moment = draw(_moments)
    fraction = draw(_fractions)
    offset = draw(_offsets)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}{offset}"


@st.composite
def natives(draw: st.DrawFn, payloads: st.SearchStrategy[Tree] = _ANY_JSON) -> Members:
    """Any valid native event without an idempotency key, as a tree."""
    return {
        "source": draw(names),
        "event_type": draw(names),
        "entity_id": draw(names),
        "event_time": draw(instants()),
        "payload": draw(payloads),
    }
