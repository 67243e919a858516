"""Raw objects: a name for exact bytes, exact places for lines, and lines that give back what was put in."""

from __future__ import annotations

import json
import string
from dataclasses import astuple
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.requests import MAX_CALLER_BYTES
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant, parse_instant
from chalicelib.events.event import Event
from chalicelib.events.raw_objects import (
    INGEST_TIME_RANGE,
    MAX_HEAD_BYTES,
    RawLine,
    Receipt,
    event_time_of,
    line_of,
    name_of,
    object_of,
    parse_line,
    receipt_of,
    stored_events,
)
from tests.unit.examples import INGESTED, RECEIPT, an_event, event_in, instants, natives, small
from tests.unit.json_trees import Members, randoms, write

times = instants().map(parse_instant)

# Whatever could be mistaken for the structure of a line.
hostile = st.sampled_from(
    [
        ',"event":',
        '"event":',
        ',"event":{}}',
        '","event":"',
        '\\","event":',
        '"',
        "\\",
        '\\"',
        "}",
        "}}\n{",
        "\n",
        "\r\n",
        "\x00",
        "\u2028",
        "Zürich",
        "😀",
        ",",
        ":",
    ]
)
names = st.lists(hostile | st.sampled_from(string.printable), min_size=1, max_size=6).map("".join)

receipts = st.builds(Receipt, times, st.uuids().map(str) | names, names)


@st.composite
def events(draw: st.DrawFn) -> Event:
    native: Members = draw(natives(small)) | {"entity_id": draw(names), "event_type": draw(names)}
    event = event_in(write(native, draw(randoms)))
    return event if draw(st.booleans()) else without_time(event)


def without_time(event: Event) -> Event:
    """The event as if its producer had given no event_time."""
    members = {name: getattr(event, name) for name in Event.__slots__}
    return Event(**members | {"event_time": None})


class TestLine:
    @given(events(), receipts)
    def test_gives_back_what_was_put_in(self, event: Event, receipt: Receipt) -> None:
        assert parse_line(line_of(event, receipt)) == RawLine(
            event_id=event.event_id,
            ingest_time=receipt.ingest_time,
            content_sha256=event.content_sha256,
            entity_id=event.entity_id,
            event_type=event.event_type,
            event_time=event.event_time or receipt.ingest_time,
            request_id=receipt.request_id,
            sent_by=receipt.sent_by,
            event=event.text.encode(),
        )

    @given(events(), receipts)
    def test_is_one_line_of_json_with_the_event_as_its_last_member(self, event: Event, receipt: Receipt) -> None:
        line = line_of(event, receipt)

        assert b"\n" not in line
        assert list(json.loads(line)) == [
            "v",
            "event_id",
            "ingest_time",
            "content_sha256",
            "entity_id",
            "event_type",
            "event_time",
            "request_id",
            "sent_by",
            "event",
        ]
        assert json.loads(line)["v"] == 1
        assert json.loads(line)["event"] == json.loads(event.text)

    @pytest.mark.parametrize(
        "entity_id", [',"event":', '","event":{"a":1}}', 'x\\","event":', '"', "\\", ',"event":' * 9]
    )
    def test_cannot_be_split_by_a_hostile_entity(self, entity_id: str) -> None:
        event = an_event(entity_id=entity_id)
        read = parse_line(line_of(event, RECEIPT))

        assert read.event == event.text.encode()
        assert read.entity_id == entity_id

    @pytest.mark.parametrize("payload", ['{"a":1,"event":{}}', '[{"b":0,"event":[]}]', r'",\"event\":"'])
    def test_cannot_be_split_by_a_hostile_payload(self, payload: str) -> None:
        members = '"source":"s","event_type":"t","entity_id":"e","event_time":"2026-11-21T00:00:00Z"'
        event = event_in(f'{{{members},"payload":{payload}}}')

        assert parse_line(line_of(event, RECEIPT)).event == event.text.encode()

    @pytest.mark.parametrize(
        "damaged",
        [
            b"",
            b"{}",
            b"[]",
            b"\xff\xfe",
            b'{"event":{}}',
            b'[1,"event":{}}',
            b'{"event_id":"x","event":{}}',
            b'{"event_id":"a","event_id2":"b","event":{}}',
        ],
    )
    def test_that_is_none_is_an_integrity_failure(self, damaged: bytes) -> None:
        with pytest.raises(IntegrityFailure):
            parse_line(damaged)

    @pytest.mark.parametrize(
        ("version", "said"),
        [(b"", "no version"), (b'"v":2,', "version 2"), (b'"v":"1",', "version 1"), (b'"v":true,', "version True")],
    )
    def test_of_another_version_is_an_integrity_failure_that_says_so(self, version: bytes, said: str) -> None:
        line = line_of(an_event(), RECEIPT).replace(b'"v":1,', version)

        with pytest.raises(IntegrityFailure, match=f"has {said}. This Retrace reads raw lines of version 1"):
            parse_line(line)

    @pytest.mark.parametrize("cut", [1, 2, 40, 200, 300])
    def test_that_was_cut_short_is_an_integrity_failure(self, cut: int) -> None:
        line = line_of(an_event(payload="}" * 10), RECEIPT)

        with pytest.raises(IntegrityFailure):
            parse_line(line[cut:])
        with pytest.raises(IntegrityFailure):
            parse_line(line[:-cut].rstrip(b"}"))


class TestName:
    @given(st.lists(events(), min_size=1, max_size=3))
    def test_is_of_all_bytes_except_those_of_the_receipt(self, events: list[Event]) -> None:
        nameless = Receipt(Instant("0000-00-00T00:00:00.000000000Z"), "", "")

        assert name_of(events) == sha256(object_of(events, nameless)).hexdigest()

    @given(st.lists(events(), min_size=1, max_size=2), st.lists(events(), min_size=1, max_size=2), receipts)
    def test_is_the_same_only_for_the_same_bytes(self, one: list[Event], other: list[Event], at: Receipt) -> None:
        assert (name_of(one) == name_of(other)) == (object_of(one, at) == object_of(other, at))

    def test_tells_apart_what_one_idempotency_key_was_used_for(self) -> None:
        one, other = an_event(idempotency_key="k", payload=1), an_event(idempotency_key="k", payload=2)

        assert one.event_id == other.event_id
        assert name_of([one]) != name_of([other])

    def test_tells_apart_the_same_content_in_other_bytes(self) -> None:
        one = event_in(
            '{"source":"s","event_type":"t","entity_id":"e","event_time":"2026-11-21T00:00:00Z","payload":"A"}'
        )
        other = event_in(one.text.replace('"A"', r'"\u0041"'))

        assert one.content_sha256 == other.content_sha256
        assert name_of([one]) != name_of([other])

    def test_tells_apart_another_order(self) -> None:
        one, other = an_event(payload=1), an_event(payload=2)

        assert name_of([one, other]) != name_of([other, one])


class TestPlaces:
    @given(st.lists(events(), min_size=1, max_size=3), receipts)
    def test_are_exact_to_the_byte(self, events: list[Event], receipt: Receipt) -> None:
        body = object_of(events, receipt)

        places = [stored.location for stored in stored_events(events, receipt, "bucket", "key")]

        lines = [body[place.offset : place.offset + place.length] for place in places]
        assert lines == [line_of(event, receipt) for event in events]
        assert b"".join(line + b"\n" for line in lines) == body
        assert {(place.bucket, place.key) for place in places} == {("bucket", "key")}

    @given(st.lists(events(), min_size=1, max_size=3), receipts)
    def test_go_with_what_the_lines_say(self, events: list[Event], receipt: Receipt) -> None:
        for event, stored in zip(events, stored_events(events, receipt, "bucket", "key"), strict=True):
            line = parse_line(line_of(event, receipt))

            assert stored.source == event.source
            assert (line.event_id, line.ingest_time, line.content_sha256, line.entity_id, line.event_type) == (
                stored.event_id,
                stored.ingest_time,
                stored.content_sha256,
                stored.entity_id,
                stored.event_type,
            )
            assert line.event_time == stored.event_time == event_time_of(event, receipt.ingest_time)

    @given(st.lists(events(), min_size=1, max_size=3), receipts, receipts)
    def test_that_a_retry_finds_are_those_of_the_first_request_however_long_its_receipt_is(
        self, events: list[Event], first: Receipt, retry: Receipt
    ) -> None:
        body = object_of(events, first)

        found = stored_events(events, receipt_of(body[:MAX_HEAD_BYTES]), "bucket", "key")

        lines = [body[each.location.offset : each.location.offset + each.location.length] for each in found]
        assert lines == [line_of(event, first) for event in events]
        assert {(each.ingest_time, each.request_id, each.sent_by) for each in found} == {astuple(first)}
        assert len(found) == len(stored_events(events, retry, "bucket", "key"))

    @given(st.lists(events(), min_size=1, max_size=3), receipts)
    def test_include_that_of_the_ingest_time(self, events: list[Event], receipt: Receipt) -> None:
        start, end = INGEST_TIME_RANGE

        assert object_of(events, receipt)[start:end].decode() == receipt.ingest_time


def test_the_longest_metadata_fit_into_the_head_of_an_object() -> None:
    worst = Receipt(INGESTED, "\x01" * 512, "\x01" * MAX_CALLER_BYTES)
    event = an_event(entity_id="\x01" * 1_024, event_type="\x01" * 384)

    assert receipt_of(object_of([event], worst)[:MAX_HEAD_BYTES]) == worst


@pytest.mark.parametrize("cut", [0, 9, 200, 400])
def test_an_object_that_is_cut_short_has_no_receipt(cut: int) -> None:
    with pytest.raises(IntegrityFailure):
        receipt_of(line_of(an_event(), RECEIPT)[:cut])


def test_an_event_without_a_time_happened_when_it_was_received() -> None:
    [stored] = stored_events([without_time(an_event())], RECEIPT, "bucket", "key")

    assert stored.event_time == INGESTED
    assert stored.ingest_lag_ms == 0
