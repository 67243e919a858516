"""Bodies of POST /ingest: one event, many, packed or not; what cannot be read is kept, what is too much is refused."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import RequestTooLarge, UnsupportedMediaType
from chalicelib.events.event import Event
from chalicelib.ingest.request import MAX_BYTES, MAX_EVENTS, IngestRequest, InvalidEvent, parse_request
from tests.unit.examples import event_in, native, natives, small
from tests.unit.json_trees import Members, randoms, write

JSON = "application/json"
NDJSON = "application/x-ndjson"


def json_request(body: bytes | str) -> IngestRequest:
    return parse_request(body if isinstance(body, bytes) else body.encode(), JSON, None)


def ndjson_request(body: bytes | str) -> IngestRequest:
    return parse_request(body if isinstance(body, bytes) else body.encode(), NDJSON, None)


def kinds(request: IngestRequest) -> list[type[Event | InvalidEvent]]:
    return [type(submission) for submission in request.submissions]


class TestForms:
    @given(natives(), randoms)
    def test_one_event_is_no_batch(self, native: Members, rng: Random) -> None:
        text = write(native, rng)

        assert json_request(text) == IngestRequest((event_in(text),), batch=False)

    @given(st.lists(natives(small), max_size=3), randoms)
    def test_an_array_is_a_batch_in_its_order(self, natives: list[Members], rng: Random) -> None:
        texts = [write(native, rng) for native in natives]

        assert json_request(f" [{','.join(texts)}] ") == IngestRequest(tuple(map(event_in, texts)), batch=True)

    @given(st.lists(natives(small), max_size=3), st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n"]), randoms)
    def test_ndjson_is_a_batch_in_its_order_whatever_ends_its_lines(
        self, natives: list[Members], ending: str, rng: Random
    ) -> None:
        events = [event_in(write(native, rng)) for native in natives]

        assert ndjson_request("".join(f"{event.text}{ending}" for event in events)) == IngestRequest(
            tuple(events), batch=True
        )

    def test_the_last_line_of_ndjson_needs_no_end(self) -> None:
        line = json.dumps(native())

        assert kinds(ndjson_request(f"{line}\n{line}")) == [Event, Event]

    def test_an_event_is_the_same_in_whichever_form_it_comes(self) -> None:
        line = json.dumps(native(payload={"name": "Ünïcode", "line": "\u2028"}), ensure_ascii=False)
        forms = [json_request(line), json_request(f"[{line}]"), ndjson_request(line)]

        assert {request.submissions for request in forms} == {(event_in(line),)}

    def test_an_empty_array_and_an_empty_ndjson_body_are_batches_of_nothing(self) -> None:
        assert json_request("[]") == ndjson_request("\r\n\n") == IngestRequest((), batch=True)


class TestWhatCannotBeAccepted:
    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{}", b"5", b"\xef\xbb\xbf{", b'{"source":"\xff"}'])
    def test_is_kept_byte_for_byte_with_a_reason(self, body: bytes) -> None:
        [refusal] = json_request(body).submissions

        assert isinstance(refusal, InvalidEvent)
        assert refusal.body == body
        assert refusal.faults

    def test_in_an_array_leaves_the_others_alone(self) -> None:
        fine = json.dumps(native())

        request = json_request(f'[{fine}, {{"a":1, "a":2}}, {fine}]')

        assert kinds(request) == [Event, InvalidEvent, Event]
        assert [submission.body for submission in request.submissions if isinstance(submission, InvalidEvent)] == [
            b'{"a":1, "a":2}'
        ]

    def test_on_a_line_leaves_the_others_alone(self) -> None:
        fine = json.dumps(native()).encode()

        request = ndjson_request(b"\n".join([fine, b"{oops", b"\xff\xfe", b"\x0c", fine]))

        assert kinds(request) == [Event, InvalidEvent, InvalidEvent, InvalidEvent, Event]
        assert [submission.body for submission in request.submissions if isinstance(submission, InvalidEvent)] == [
            b"{oops",
            b"\xff\xfe",
            b"\x0c",
        ]

    def test_as_an_array_is_refused_as_a_whole(self) -> None:
        body = f"[{json.dumps(native())}, oops]"

        request = json_request(body)

        assert request.batch
        assert [
            (type(submission), submission.body)
            for submission in request.submissions
            if isinstance(submission, InvalidEvent)
        ] == [(InvalidEvent, body.encode())]

    @given(
        st.binary(max_size=40) | st.text('{}[],:"\\\n source0.e', max_size=40).map(str.encode),
        st.sampled_from([JSON, NDJSON]),
    )
    def test_is_never_dropped_and_never_breaks_anything(self, body: bytes, content_type: str) -> None:
        request = parse_request(body, content_type, None)

        # No event is as short as this, so all there is must have been refused, and kept but for white space between.
        kept = b"".join(submission.body for submission in request.submissions if isinstance(submission, InvalidEvent))
        assert len(request.submissions) == kinds(request).count(InvalidEvent)
        assert sorted(kept.translate(None, b" \t\r\n[],")) == sorted(body.translate(None, b" \t\r\n[],"))


class TestGzip:
    @given(st.lists(natives(small), min_size=1, max_size=2), randoms)
    def test_is_unpacked(self, natives: list[Members], rng: Random) -> None:
        body = f"[{','.join(write(native, rng) for native in natives)}]".encode()

        assert parse_request(gzip.compress(body), JSON, "gzip") == json_request(body)

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip "])
    def test_goes_by_its_names(self, encoding: str) -> None:
        body = json.dumps(native()).encode()

        assert parse_request(gzip.compress(body), JSON, encoding) == json_request(body)

    def test_may_be_of_several_members(self) -> None:
        body = json.dumps(native()).encode()
        packed = b"".join(gzip.compress(part) for part in (body[:7], b"", body[7:]))

        assert parse_request(packed, JSON, "gzip") == json_request(body)

    @pytest.mark.parametrize(
        "broken",
        [
            b"{}",
            gzip.compress(b"{}")[:-1],
            gzip.compress(b"{}")[:-8] + bytes(8),
            gzip.compress(b"{}") + b"{}",
            gzip.compress(b"{}")[:5],
        ],
        ids=["plain", "cut", "of another checksum", "followed by more", "only begun"],
    )
    def test_that_is_broken_is_kept_as_it_came(self, broken: bytes) -> None:
        [refusal] = parse_request(broken, JSON, "gzip").submissions

        assert isinstance(refusal, InvalidEvent)
        assert refusal.body == broken
        assert [fault.field for fault in refusal.faults] == ["body"]
        assert "not a whole gzip stream" in refusal.faults[0].message


class TestLimits:
    def test_10_mb_are_accepted(self) -> None:
        body = json.dumps(native()).encode().ljust(MAX_BYTES)

        assert kinds(json_request(body)) == [Event]
        assert kinds(parse_request(gzip.compress(body), JSON, "gzip")) == [Event]

    def test_a_byte_more_is_too_large(self) -> None:
        body = json.dumps(native()).encode().ljust(MAX_BYTES + 1)

        with pytest.raises(RequestTooLarge, match="10,000,001"):
            json_request(body)
        with pytest.raises(RequestTooLarge, match="unpacks to more than 10,000,000"):
            parse_request(gzip.compress(body), JSON, "gzip")

    def test_a_byte_more_is_too_large_in_whichever_member_it_lies(self) -> None:
        packed = gzip.compress(bytes(MAX_BYTES)) + gzip.compress(b" ")

        with pytest.raises(RequestTooLarge):
            parse_request(packed, JSON, "gzip")

    def test_events_are_as_many_as_fit(self) -> None:
        lines = [json.dumps(native(payload=number)) for number in range(5_000)]
        shortest = '{"specversion":"1.0","id":"1","source":"/","type":"t"}'

        assert kinds(ndjson_request("\n".join(lines))) == [Event] * 5_000
        assert kinds(json_request(f"[{','.join(lines)}]")) == [Event] * 5_000
        batch = f"[{','.join([shortest] * 5_000)}]".encode()
        assert kinds(parse_request(batch, "application/cloudevents-batch+json", None)) == [Event] * 5_000

    @pytest.mark.parametrize("number", [MAX_EVENTS, MAX_EVENTS + 1])
    def test_more_events_than_a_resend_can_look_up_in_time_are_too_large(self, number: int) -> None:
        for read, body in [(ndjson_request, "1\n" * number), (json_request, f"[{'1,' * (number - 1)}1]")]:
            if number <= MAX_EVENTS:
                assert len(read(body).submissions) == number
            else:
                with pytest.raises(RequestTooLarge, match="more than 100,000 events"):
                    read(body)


class TestMediaType:
    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            JSON,
            "Application/JSON",
            "application/json;charset=utf-8",
            'application/json; Charset="UTF-8"',
            f" {JSON} ; v=1",
        ],
    )
    def test_is_json_unless_it_says_otherwise(self, content_type: str | None) -> None:
        assert not parse_request(json.dumps(native()).encode(), content_type, "identity").batch

    @pytest.mark.parametrize(
        ("content_type", "content_encoding"),
        [
            ("text/plain", None),
            ("application/xml", None),
            ("application/json-seq", None),
            ("application/json; charset=latin-1", None),
            (JSON, "br"),
            (JSON, "gzip, gzip"),
        ],
    )
    def test_that_is_not_understood_is_named(self, content_type: str, content_encoding: str | None) -> None:
        with pytest.raises(UnsupportedMediaType) as caught:
            parse_request(b"{}", content_type, content_encoding)

        assert (content_encoding or content_type.rpartition("=")[2]) in str(caught.value)


@pytest.mark.parametrize(
    "parameters",
    [
        'profile="a;charset=x"',
        'profile="a\\";charset=x"; charset=utf-8',
        'charset="UTF-8"; profile="; charset=latin-1"',
        'charset="ut\\f-8"',
    ],
)
def test_what_is_in_quotes_is_the_value_of_its_parameter(parameters: str) -> None:
    request = parse_request(json.dumps(native()).encode(), f"application/json; {parameters}", None)

    assert isinstance(request.submissions[0], Event)


@pytest.mark.parametrize("parameters", ['profile="a;b"; charset=latin-1', 'charset="latin-1"', 'charset="', "charset="])
def test_another_character_set_behind_quotes_or_in_them_is_refused(parameters: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="UTF-8"):
        parse_request(json.dumps(native()).encode(), f"application/json; {parameters}", None)


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_and_a_lost_header_of_gzip_change_no_event(pack: Callable[[bytes], bytes]) -> None:
    event = json.dumps(native()).encode()
    bodies = [(event, JSON), (b"[" + event + b"]", JSON), (event + b"\n" + BOM + event, NDJSON)]

    for body, content_type in bodies:
        plain = parse_request(body.replace(BOM, b""), content_type, None)
        assert parse_request(pack(BOM + body), content_type, None) == plain
        assert all(isinstance(one, Event) for one in plain.submissions)


def test_the_data_of_a_cloudevent_in_binary_mode_may_be_gzip_or_begin_with_a_byte_order_mark() -> None:
    headers = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}

    for data in (gzip.compress(b"x"), BOM + b"x"):
        [event] = parse_request(data, "application/octet-stream", None, headers).submissions
        assert isinstance(event, Event)
        assert base64.b64encode(data).decode() in event.text


def test_a_broken_body_without_the_header_of_gzip_is_kept_with_it() -> None:
    packed = gzip.compress(json.dumps(native()).encode())[:-9]

    [refusal] = parse_request(packed, JSON, None).submissions

    assert isinstance(refusal, InvalidEvent)
    assert refusal.headers == {"content-encoding": "gzip"}
    assert refusal.body == packed
